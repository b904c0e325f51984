//! safetensors files: the same bytes every time, one metadata key, and clear errors for wrong files.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ::safetensors::SafeTensors;
use ::safetensors::tensor::{Dtype, TensorView};
use taper_export::safetensors::{SafetensorsError, load, load_network, load_weights, save, to_bytes};
use taper_export::{DatasetInfo, Metadata};
use taper_graph::{Graph, Preset};

use crate::reference;

fn metadata(graph: &Graph) -> Metadata {
    let dataset = DatasetInfo {
        name: "mnist".to_owned(),
        sha256: "440fcabf".to_owned(),
        source: "ylecun/mnist@main".to_owned(),
    };
    let class_names = ["zero", "one"].map(str::to_owned).to_vec();
    Metadata { accuracy: Some(0.991), ..Metadata::new(graph.clone(), dataset, class_names) }
}

fn lenet() -> (Graph, Vec<u8>) {
    let graph = Preset::LeNet5.graph().unwrap();
    let bytes = to_bytes(&reference::weights(&graph, 1), &metadata(&graph)).unwrap();
    (graph, bytes)
}

fn written(folder: &Path, bytes: &[u8]) -> PathBuf {
    let path = folder.join("model.safetensors");
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn what_is_saved_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for preset in Preset::ALL {
        let graph = preset.graph().unwrap();
        let weights = reference::weights(&graph, 1);
        save(&path, &weights, &metadata(&graph)).unwrap();
        assert!(load_weights(&path, &graph).unwrap() == weights);
        assert!(load_network(&path).unwrap() == (weights, metadata(&graph)));
    }
}

#[test]
fn the_same_weights_give_the_same_bytes() {
    assert!(lenet() == lenet());
}

#[test]
fn the_header_has_one_key_with_sorted_json() {
    let (graph, bytes) = lenet();
    let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
    let entries = header.metadata().as_ref().unwrap();
    assert_eq!(entries.keys().collect::<Vec<_>>(), ["taper"]);
    let json: serde_json::Value = serde_json::from_str(&entries["taper"]).unwrap();
    assert_eq!(json["graph"], graph.to_toml());
    assert_eq!(json["dataset"]["sha256"], "440fcabf");
    // A map of serde_json is sorted, unless some crate of the build asks it not to be: sort it here.
    let keys = |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let position = |key: &str| entries["taper"].find(&format!("\"{key}\":")).unwrap();
    for object in [&json, &json["dataset"]] {
        let mut sorted = keys(object);
        sorted.sort();
        assert!(sorted.is_sorted_by_key(|key| position(key)), "{}", entries["taper"]);
    }
}

#[test]
fn the_weights_of_another_network_are_named_one_by_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &lenet().1);
    let other =
        Graph::from_toml(&Preset::LeNet5.toml().replace("out_features = 84", "out_features = 80")).unwrap();
    let text = load_weights(&path, &other).unwrap_err().to_string();
    for part in
        ["model.safetensors", "fc2.weight is [84, 120] and should be [80, 120]", "fc3.weight is [10, 84]"]
    {
        assert!(text.contains(part), "{text}");
    }
    let text = load_weights(&path, &Preset::Tutorial.graph().unwrap()).unwrap_err().to_string();
    for part in ["missing layer1.0.weight", "unexpected conv1.bias", "give the network that belongs"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn files_that_are_not_whole_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (_, bytes) = lenet();
    let mut long = bytes.clone();
    long.push(0);
    let mut bad_header = bytes.clone();
    bad_header[8] = b'[';
    let cases: [(&str, &[u8], &str); 7] = [
        ("empty", b"", "is empty"),
        ("three bytes", b"abc", "is cut short"),
        ("header cut", &bytes[..100], "is cut short"),
        ("data cut", &bytes[..bytes.len() - 1], "is cut short"),
        ("too long", &long, "is no whole safetensors file"),
        ("text", b"<!DOCTYPE html><html></html>", "first 8 bytes are no header length"),
        ("header damaged", &bad_header, "is no whole safetensors file"),
    ];
    for (name, bytes, reason) in cases {
        let text = load(&written(folder.path(), bytes)).unwrap_err().to_string();
        let named = text.contains("model.safetensors") && text.contains("copy or train it again");
        assert!(named && text.contains(reason), "{name}: {text}");
    }
    let text = load(&folder.path().join("nowhere.safetensors")).unwrap_err().to_string();
    assert!(text.contains("nowhere.safetensors") && text.contains("check the path"), "{text}");
}

#[test]
fn every_cut_of_a_small_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let graph =
        Graph::sequential("tiny", &[2], [taper_graph::Op::Linear(taper_graph::Linear::new(1))]).unwrap();
    let bytes = to_bytes(&reference::weights(&graph, 1), &metadata(&graph)).unwrap();
    for end in (0..bytes.len()).step_by(3) {
        assert!(load(&written(folder.path(), &bytes[..end])).is_err(), "cut after {end}");
    }
}

#[test]
fn files_from_elsewhere_load_unless_they_hold_other_types() {
    let folder = tempfile::tempdir().unwrap();
    let file = |dtype, data: &[u8], header: HashMap<String, String>| {
        let tensor = TensorView::new(dtype, vec![2], data).unwrap();
        ::safetensors::serialize([("fc.bias", tensor)], Some(header)).unwrap()
    };
    let pytorch = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    let path = written(folder.path(), &file(Dtype::F32, &[0, 0, 128, 63, 0, 0, 0, 192], pytorch));
    let loaded = load(&path).unwrap();
    assert_eq!(loaded.arrays["fc.bias"].data, [1.0, -2.0]);
    assert_eq!(loaded.metadata, None);
    let error = load_network(&path).unwrap_err();
    assert!(matches!(error, SafetensorsError::NoMetadata { .. }), "{error}");

    let path = written(folder.path(), &file(Dtype::F16, &[0; 4], HashMap::new()));
    let error = load(&path).unwrap_err();
    assert!(matches!(&error, SafetensorsError::ElementType { tensor, .. } if tensor == "fc.bias"));
    assert!(error.to_string().contains("is F16; save it as F32"), "{error}");

    let broken = HashMap::from([("taper".to_owned(), "{\"version\":".to_owned())]);
    let path = written(folder.path(), &file(Dtype::F32, &[0; 8], broken));
    let error = load(&path).unwrap_err();
    assert!(matches!(error, SafetensorsError::Metadata { .. }), "{error}");
}

#[test]
fn a_path_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let graph = Preset::LeNet5.graph().unwrap();
    let path = folder.path().join("missing").join("model.safetensors");
    let error = save(&path, &reference::weights(&graph, 1), &metadata(&graph)).unwrap_err();
    assert!(matches!(&error, SafetensorsError::Write(_)) && error.to_string().contains("missing"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
