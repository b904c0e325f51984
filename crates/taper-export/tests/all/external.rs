//! Files whose large constants lie in another, and the writing without a copy.

use std::path::Path;

use prost::Message;
use taper_export::onnx::proto::ModelProto;
use taper_export::onnx::{Options, Precision, Profile, lower};
use taper_export::{ExportError, Sample, export};
use taper_graph::{Graph, Linear, Op, Preset, Weights};

use crate::reference;

/// Two layers with a weight above 64 KiB, and small constants.
fn network() -> (Graph, Weights) {
    let ops =
        [Op::Linear(Linear::new(300)), Op::Relu, Op::Linear(Linear::new(80)), Op::Linear(Linear::new(3))];
    let graph = Graph::sequential("large", &[100], ops).unwrap();
    let weights = reference::weights(&graph, 7);
    (graph, weights)
}

fn sample(graph: &Graph, weights: &Weights) -> (Vec<f32>, Vec<f32>) {
    let images = reference::images(graph, 9, 7);
    let logits = reference::forward(graph, weights, &images).into_iter().map(|x| x as f32).collect();
    (images, logits)
}

fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_file_written_piece_by_piece_is_the_same() {
    for graph in Preset::ALL.map(|preset| preset.graph().unwrap()) {
        let weights = reference::weights(&graph, 2);
        for precision in [Precision::Float32, Precision::Float16Weights, Precision::Float16] {
            let model =
                lower(&graph, &weights, &Options::default().precision(precision).doc("text")).unwrap();
            let mut written = Vec::new();
            model.write_to(&mut written).unwrap();
            assert!(written == model.to_bytes(), "{}: {precision:?}", graph.name());
        }
    }
}

#[test]
fn large_constants_lie_in_another_file_at_aligned_places() {
    let (graph, weights) = network();
    let (images, logits) = sample(&graph, &weights);
    let sample = Sample { count: 9, images: &images, logits: &logits };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let one = export(&path, &graph, &weights, &Options::default(), &sample).unwrap();
    assert_eq!(files(folder.path()), ["model.onnx"]);
    let two = export(&path, &graph, &weights, &Options::default().most_bytes(1000), &sample).unwrap();
    assert_eq!(files(folder.path()), ["model.onnx", "model.onnx.data"]);
    assert_eq!(one.verification, two.verification);

    let [model, data] =
        ["model.onnx", "model.onnx.data"].map(|name| std::fs::read(folder.path().join(name)).unwrap());
    assert!(model.len() < 10_000 && model.len() + data.len() == two.bytes, "{} bytes", model.len());
    let lowered = lower(&graph, &weights, &Options::default()).unwrap();
    let constants = &lowered.proto().graph.as_ref().unwrap().initializer;
    let split = ModelProto::decode(&model[..]).unwrap();
    taper_export::onnx::validate(&split).unwrap();
    let mut moved = 0;
    for (whole, split) in constants.iter().zip(&split.graph.as_ref().unwrap().initializer) {
        assert_eq!((&whole.name, &whole.dims), (&split.name, &split.dims));
        let entry =
            |key: &str| split.external_data.iter().find(|entry| entry.key == key).map(|it| &it.value[..]);
        let Some(location) = entry("location") else {
            assert_eq!(whole, split);
            continue;
        };
        let [start, length] = ["offset", "length"].map(|key| entry(key).unwrap().parse::<usize>().unwrap());
        assert_eq!((location, split.data_location, start % 65536), ("model.onnx.data", 1, 0));
        assert!(data[start..start + length] == whole.raw_data, "{}", whole.name);
        moved += 1;
    }
    assert_eq!(moved, 2);
}

#[test]
fn a_profile_that_reads_one_file_refuses_two() {
    let (graph, weights) = network();
    let (images, logits) = sample(&graph, &weights);
    let sample = Sample { count: 9, images: &images, logits: &logits };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let options = Options::for_profile(Profile::Candle).most_bytes(0);
    let error = export(&path, &graph, &weights, &options, &sample).unwrap_err();
    assert!(
        matches!(&error, ExportError::Lower { .. }) && error.to_string().contains("external data"),
        "{error}"
    );
    assert!(files(folder.path()).is_empty());
    let nowhere = folder.path().join("nowhere/model.onnx");
    let error = export(&nowhere, &graph, &weights, &Options::default().most_bytes(0), &sample).unwrap_err();
    assert!(error.to_string().contains("check that the path is right"), "{error}");
    assert!(files(folder.path()).is_empty(), "a folder is left");
}

#[test]
fn what_is_in_the_way_leaves_the_earlier_weights() {
    let (graph, weights) = network();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::create_dir(&path).unwrap();
    std::fs::write(folder.path().join("model.onnx.data"), "earlier").unwrap();
    let model = lower(&graph, &weights, &Options::default()).unwrap();
    assert!(model.write(&path, 0).unwrap_err().to_string().contains("model.onnx"));
    assert_eq!(std::fs::read(folder.path().join("model.onnx.data")).unwrap(), b"earlier");
    assert_eq!(files(folder.path()), ["model.onnx", "model.onnx.data"]);
}

#[test]
fn a_pair_takes_the_place_of_an_earlier_one() {
    let (graph, _) = network();
    let folder = tempfile::tempdir().unwrap();
    let [path, data] = ["model.onnx", "model.onnx.data"].map(|name| folder.path().join(name));
    let model = |seed| lower(&graph, &reference::weights(&graph, seed), &Options::default()).unwrap();
    model(1).write(&path, 0).unwrap();
    let earlier = [&path, &data].map(|path| std::fs::read(path).unwrap());
    let other = model(2);
    other.write(&path, 0).unwrap();
    let now = [&path, &data].map(|path| std::fs::read(path).unwrap());
    assert!(now[1] != earlier[1] && now[0].len() == earlier[0].len());
    assert_eq!(files(folder.path()), ["model.onnx", "model.onnx.data"]);

    std::fs::remove_file(&data).unwrap();
    std::fs::create_dir(&data).unwrap();
    assert!(model(3).write(&path, 0).unwrap_err().to_string().contains("model.onnx.data"));
    assert!(std::fs::read(&path).unwrap() == now[0] && data.is_dir());
}

#[test]
fn weights_of_an_earlier_file_vanish_with_it() {
    let (graph, weights) = network();
    let folder = tempfile::tempdir().unwrap();
    let [path, data] = ["model.onnx", "model.onnx.data"].map(|name| folder.path().join(name));
    let model = lower(&graph, &weights, &Options::default()).unwrap();
    model.write(&path, 0).unwrap();
    assert_eq!(model.write(&path, usize::MAX).unwrap(), model.encoded_len());
    assert!(std::fs::read(&path).unwrap() == model.to_bytes());
    assert_eq!(files(folder.path()), ["model.onnx"]);
    // A file of that name that no model has anything to do with stays.
    std::fs::write(&data, "somebody's").unwrap();
    model.write(&path, usize::MAX).unwrap();
    assert_eq!(std::fs::read(&data).unwrap(), b"somebody's");
}

#[cfg(target_os = "linux")]
#[test]
fn a_name_that_is_no_text_cannot_be_written_into_a_model() {
    use std::os::unix::ffi::OsStrExt;
    let (graph, weights) = network();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(std::ffi::OsStr::from_bytes(b"model\xff.onnx"));
    let model = lower(&graph, &weights, &Options::default()).unwrap();
    let error = model.write(&path, 0).unwrap_err().to_string();
    assert!(error.contains("no Unicode text") && error.contains("choose another name"), "{error}");
    // One file may have any name.
    assert_eq!(model.write(&path, usize::MAX).unwrap(), model.encoded_len());
}
