//! What can be asked of an exported graph, in rten, and as the file says it.

use taper_export::onnx::{Head, Layout, OpsetVersion, Options, Pixels, Precision, inspect};
use taper_export::{ExportError, Normalization, Sample, VerifyError, export};
use taper_graph::{BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Op, Weights};

use crate::reference;
use crate::written::lower;

const COUNT: usize = 12;
const RANGE: [f32; 2] = [-1.0, 1.0];

fn network() -> (Graph, Weights) {
    let ops = [
        Op::Conv2d(Conv2d::new(6, 3).padding(1)),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Gelu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Softmax,
        Op::Flatten,
        Op::Linear(Linear::new(5)),
    ];
    let graph = Graph::sequential("options", &[3, 6, 4], ops).unwrap();
    let weights = reference::weights(&graph, 3);
    (graph, weights)
}

/// Images of bytes, as the network takes them.
fn images() -> Vec<f32> {
    let byte = |place: usize| (place * 7919 % 256) as f32;
    (0..COUNT * 3 * 6 * 4).map(|place| RANGE[0] + byte(place) / 255.0 * (RANGE[1] - RANGE[0])).collect()
}

fn pixels(layout: Layout) -> Pixels {
    Pixels { layout, normalization: Normalization { range: RANGE } }
}

/// The options, what the file then takes and returns, and the nodes before the first and behind the last of all.
fn cases() -> Vec<(&'static str, Options, &'static str, &'static str)> {
    let options = Options::default;
    let opset = |opset| OpsetVersion::new(opset).unwrap();
    let (float, logits) = ("image float32 [N, 3, 6, 4]", "logits float32 [N, 5]");
    vec![
        ("plain", options(), float, logits),
        ("named", options().names("x", "y"), "x float32 [N, 3, 6, 4]", "y float32 [N, 5]"),
        ("oldest", options().opset(opset(12)), float, logits),
        ("newest", options().opset(opset(22)), float, logits),
        ("softmax", options().head(Head::Softmax), float, logits),
        ("argmax", options().head(Head::ArgMax), float, "logits int64 [N]"),
        ("bytes", options().pixels(pixels(Layout::Nchw)), "image uint8 [N, 3, 6, 4]", logits),
        ("picture", options().pixels(pixels(Layout::Nhwc)), "image uint8 [N, 6, 4, 3]", logits),
        ("half weights", options().precision(Precision::Float16Weights), float, logits),
        (
            "half",
            options().precision(Precision::Float16),
            "image float16 [N, 3, 6, 4]",
            "logits float16 [N, 5]",
        ),
        (
            "half argmax",
            options().precision(Precision::Float16).head(Head::ArgMax),
            "image float16 [N, 3, 6, 4]",
            "logits int64 [N]",
        ),
        (
            "everything",
            options()
                .opset(opset(12))
                .pixels(pixels(Layout::Nhwc))
                .head(Head::Softmax)
                .precision(Precision::Float16)
                .doc("bytes to probabilities"),
            "image uint8 [N, 6, 4, 3]",
            "logits float16 [N, 5]",
        ),
    ]
}

#[test]
fn every_option_is_verified_and_declared() {
    let (graph, weights) = network();
    let images = images();
    let logits = reference::forward(&graph, &weights, &images);
    let logits: Vec<f32> = logits.into_iter().map(|x| x as f32).collect();
    let sample = Sample { count: COUNT, images: &images, logits: &logits };
    let folder = tempfile::tempdir().unwrap();
    let mut sizes = std::collections::BTreeMap::new();
    for (name, options, input, output) in cases() {
        let path = folder.path().join("model.onnx");
        let exported = export(&path, &graph, &weights, &options, &sample)
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        let bytes = std::fs::read(&path).unwrap();
        if let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") {
            std::fs::write(std::path::Path::new(&folder).join(format!("options {name}.onnx")), &bytes)
                .unwrap();
        }
        let file = inspect(&bytes).unwrap();
        assert_eq!(
            (file.inputs[0].to_string().as_str(), file.outputs[0].to_string().as_str()),
            (input, output),
            "{name}"
        );
        assert_eq!(exported.opset, options.opset.opset(), "{name}");
        assert_eq!(exported.ir_version, options.opset.ir(), "{name}");
        let doc = lower(&graph, &weights, &options).unwrap().proto().doc_string.clone();
        assert_eq!(doc, options.doc, "{name}");
        sizes.insert(name, bytes.len());
    }
    let parameters =
        2 * graph.params().map(|param| param.param.shape.iter().product::<usize>()).sum::<usize>();
    assert!(sizes["half"] + parameters * 8 / 10 < sizes["plain"], "{sizes:?}");
}

#[test]
fn images_that_are_no_bytes_are_refused() {
    let (graph, weights) = network();
    let mut images = images();
    images[100] += 0.001;
    let logits = vec![0.0; COUNT * 5];
    let sample = Sample { count: COUNT, images: &images, logits: &logits };
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().pixels(pixels(Layout::Nchw));
    let error = export(&folder.path().join("model.onnx"), &graph, &weights, &options, &sample).unwrap_err();
    assert!(
        matches!(error, ExportError::Verify { cause: VerifyError::Pixels { image: 1, .. }, .. }),
        "{error}"
    );
}

/// A linear layer of these rows, and a place to export it to.
fn linear(rows: &[[f32; 2]]) -> (Graph, Weights) {
    let layer = Op::Linear(Linear { out_features: rows.len(), bias: false });
    let graph = Graph::sequential("rows", &[2], [layer]).unwrap();
    let weight = taper_graph::Array { shape: vec![rows.len(), 2], data: rows.concat() };
    let weights = std::collections::BTreeMap::from([("0.weight".to_owned(), weight)]);
    let weights = Weights::new(&graph, weights).unwrap();
    (graph, weights)
}

#[test]
fn a_class_is_held_to_the_logits() {
    // In float16 the first row becomes 1.00098 and 0, the second 1 and 0.0002: the first wins. A smaller
    // weight would stay in float32.
    let mut rows = [[-1.0, 0.5]; 8];
    (rows[0], rows[1]) = ([1.0005, 0.0], [1.00045, 0.0002]);
    let (graph, weights) = linear(&rows);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let images = [1.0, 1.0, 2.0, 1.0];
    let told = |precision, logits: &[f32]| {
        let options = Options::default().head(Head::ArgMax).precision(precision);
        export(&path, &graph, &weights, &options, &Sample { count: 2, images: &images, logits })
    };
    let row = |first: f32, second: f32, others: f32| [&[first, second][..], &[others; 6]].concat();
    let logits = [row(1.0005, 1.00065, -0.5), row(2.001, 2.0011, -1.5)].concat();
    for precision in [Precision::Float16Weights, Precision::Float16] {
        let difference = told(precision, &logits).unwrap().verification.max_abs_diff;
        assert!(difference > 1e-4 && difference < 1e-3, "{precision:?}: {difference}");
    }
    assert_eq!(told(Precision::Float32, &logits).unwrap().verification.max_abs_diff, 0.0);

    let other = [row(-1.0005, -1.00065, 0.5), row(-2.001, -2.1, 1.5)].concat();
    for precision in [Precision::Float32, Precision::Float16] {
        let error = told(precision, &other).unwrap_err();
        assert!(error.to_string().contains("the trained model 2"), "{error}");
        let ExportError::Verify { cause: VerifyError::OtherClass { image, expected, .. }, .. } = error else {
            panic!("{error}")
        };
        assert_eq!((image, expected), (1, 2.0));
    }
    // Float32 does not mistake what float16 may.
    let error =
        told(Precision::Float32, &[row(1.0005, 0.999, -0.5), row(2.001, 1.999, -1.5)].concat()).unwrap_err();
    assert!(matches!(error, ExportError::Verify { cause: VerifyError::OtherClass { .. }, .. }), "{error}");
}

#[test]
fn the_only_class_is_the_first() {
    let (graph, weights) = linear(&[[2.0, 0.7]]);
    let folder = tempfile::tempdir().unwrap();
    let options = Options::default().head(Head::ArgMax);
    let sample = Sample { count: 1, images: &[1.0, 1.0], logits: &[2.7] };
    export(&folder.path().join("model.onnx"), &graph, &weights, &options, &sample).unwrap();
}

#[test]
fn numbers_beyond_float16_are_refused() {
    let graph =
        Graph::sequential("large", &[2], [Op::Linear(Linear { out_features: 1, bias: false })]).unwrap();
    let weight = taper_graph::Array { shape: vec![1, 2], data: vec![1e5, 0.0] };
    let weights =
        Weights::new(&graph, std::collections::BTreeMap::from([("0.weight".to_owned(), weight)])).unwrap();
    let half = Options::default().precision(Precision::Float16);
    let error = lower(&graph, &weights, &half).unwrap_err().to_string();
    assert!(error.contains("`0.weight`") && error.contains("65504"), "{error}");
}
