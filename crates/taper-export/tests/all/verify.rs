//! A file that computes anything else than the model is refused, and nothing is written.

use prost::Message;
use taper_export::onnx::{Options, proto};
use taper_export::{ExportError, RUNTIME, Sample, TOLERANCE, VerifyError, export, verify};
use taper_graph::{Graph, Linear, MaxPool2d, Op, Weights};

use crate::reference;
use crate::written::lower;

/// A small network with its weights, images and logits.
struct Trained {
    graph: Graph,
    weights: Weights,
    images: Vec<f32>,
    logits: Vec<f32>,
}

const COUNT: usize = 150;

impl Trained {
    fn new() -> Self {
        let ops = [
            Op::Conv2d(taper_graph::Conv2d::new(4, 3).padding(1)),
            Op::Relu,
            Op::MaxPool2d(MaxPool2d::new(2).padding(1)),
            Op::Flatten,
            Op::Linear(Linear::new(5)),
        ];
        let graph = Graph::sequential("small", &[1, 7, 7], ops).unwrap();
        let weights = reference::weights(&graph, 5);
        let images = reference::images(&graph, COUNT, 5);
        let logits = reference::forward(&graph, &weights, &images).iter().map(|&x| x as f32).collect();
        Self { graph, weights, images, logits }
    }

    fn sample(&self) -> Sample<'_> {
        Sample { count: COUNT, images: &self.images, logits: &self.logits }
    }

    fn model(&self) -> proto::ModelProto {
        lower(&self.graph, &self.weights, &Options::default()).unwrap().proto().clone()
    }

    /// What `verify` says of the file after `change`.
    fn verify_changed(&self, change: impl FnOnce(&mut proto::GraphProto)) -> Result<(), VerifyError> {
        let mut model = self.model();
        change(model.graph.as_mut().unwrap());
        verify(&model.encode_to_vec(), &self.sample(), TOLERANCE).map(|_| ())
    }
}

fn constant<'a>(graph: &'a mut proto::GraphProto, name: &str) -> &'a mut proto::TensorProto {
    graph.initializer.iter_mut().find(|constant| constant.name == name).unwrap()
}

#[test]
fn a_right_file_is_written_with_its_proof() {
    let trained = Trained::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let exported =
        export(&path, &trained.graph, &trained.weights, &Options::default(), &trained.sample()).unwrap();
    assert_eq!(exported.verification.images, COUNT);
    assert_eq!(exported.verification.runtime, RUNTIME);
    assert!(exported.verification.max_abs_diff < 1e-5);
    assert_eq!(exported.opset, 17);
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(exported.bytes, bytes.len());
    assert_eq!(bytes, trained.model().encode_to_vec());
    let json = serde_json::to_value(&exported.verification).unwrap();
    assert_eq!(json["images"], COUNT);
}

#[test]
fn the_runtime_named_is_the_one_linked() {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
    let lock = std::fs::read_to_string(lock).unwrap();
    let (name, version) = RUNTIME.split_once(' ').unwrap();
    assert!(lock.replace('\r', "").contains(&format!("name = \"{name}\"\nversion = \"{version}\"\n")));
}

#[test]
fn a_changed_weight_is_refused_and_the_old_file_stays() {
    let trained = Trained::new();
    let mut wrong = reference::forward(&trained.graph, &trained.weights, &trained.images);
    wrong[5 * 123 + 2] += 2e-4;
    let wrong: Vec<f32> = wrong.iter().map(|&x| x as f32).collect();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    std::fs::write(&path, b"the old file").unwrap();
    let sample = Sample { logits: &wrong, ..trained.sample() };
    let error = export(&path, &trained.graph, &trained.weights, &Options::default(), &sample).unwrap_err();
    assert!(matches!(
        error,
        ExportError::Verify { cause: VerifyError::Differs { image: 123, logit: 2, .. }, .. }
    ));
    let text = error.to_string();
    assert!(text.contains("model.onnx is not written") && text.contains("logit 2 of image 123"), "{text}");
    assert_eq!(std::fs::read(&path).unwrap(), b"the old file");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);

    let error = trained.verify_changed(|graph| {
        let raw = &mut constant(graph, "0.weight").raw_data;
        let weight = f32::from_le_bytes(raw[..4].try_into().unwrap());
        raw[..4].copy_from_slice(&(weight + 0.01).to_le_bytes());
    });
    assert!(matches!(error, Err(VerifyError::Differs { .. })), "{error:?}");
}

#[test]
fn not_a_number_is_refused() {
    let trained = Trained::new();
    let error = trained.verify_changed(|graph| {
        constant(graph, "4.bias").raw_data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    assert!(
        matches!(error, Err(VerifyError::Differs { difference, .. }) if difference.is_nan()),
        "{error:?}"
    );
    let mut logits = trained.logits.clone();
    logits[700] = f32::NAN;
    let bytes = trained.model().encode_to_vec();
    let error = verify(&bytes, &Sample { logits: &logits, ..trained.sample() }, TOLERANCE);
    assert!(matches!(error, Err(VerifyError::Differs { image: 140, logit: 0, .. })), "{error:?}");
}

#[test]
fn defective_files_are_refused() {
    let trained = Trained::new();
    type Change = fn(&mut proto::GraphProto);
    let defects: [(&str, Change); 9] = [
        ("a constant of other sizes", |graph| constant(graph, "4.weight").dims = vec![64, 5]),
        ("a short constant", |graph| {
            constant(graph, "0.weight").raw_data.pop();
        }),
        ("a missing constant", |graph| {
            graph.initializer.remove(0);
        }),
        ("an unknown op", |graph| graph.node[1].op_type = "Rectify".to_owned()),
        ("pads left out", |graph| graph.node[2].attribute.retain(|attribute| attribute.name != "pads")),
        ("an output of another size", |graph| {
            let kind = graph.output[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
            kind.shape.as_mut().unwrap().dim[1].dim_value = Some(6);
        }),
        ("another op", |graph| graph.node[1].op_type = "Sigmoid".to_owned()),
        ("a second input", |graph| {
            let again = proto::ValueInfoProto { name: "mask".to_owned(), ..graph.input[0].clone() };
            graph.input.push(again);
        }),
        ("a batch baked in", |graph| {
            let shape = proto::TensorProto {
                name: "shape".to_owned(),
                dims: vec![2],
                data_type: 7,
                raw_data: [1i64, 64].iter().flat_map(|x| x.to_le_bytes()).collect(),
                ..Default::default()
            };
            graph.initializer.push(shape);
            graph.node[3].op_type = "Reshape".to_owned();
            graph.node[3].attribute.clear();
            graph.node[3].input.push("shape".to_owned());
        }),
    ];
    assert!(trained.verify_changed(|_| ()).is_ok());
    let accepted: Vec<&str> = defects
        .into_iter()
        .filter(|(_, change)| trained.verify_changed(change).is_ok())
        .map(|(name, _)| name)
        .collect();
    assert!(accepted.is_empty(), "accepted: {accepted:?}");
}

#[test]
fn a_sample_that_does_not_fit_is_an_error() {
    let trained = Trained::new();
    let bytes = trained.model().encode_to_vec();
    let check = |sample| verify(&bytes, &sample, TOLERANCE).unwrap_err().to_string();
    let none = Sample { count: 0, images: &[], logits: &[] };
    assert!(check(none).contains("give at least one"));
    let short = Sample { images: &trained.images[1..], ..trained.sample() };
    assert!(
        check(short).starts_with("images are 7349 numbers, but 150 of image float32 [N, 1, 7, 7] are 7350")
    );
    let short = Sample { logits: &trained.logits[1..], ..trained.sample() };
    assert!(check(short).starts_with("logits are 749 numbers"));
}

#[test]
fn a_path_that_cannot_be_written_leaves_nothing() {
    let trained = Trained::new();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("model.onnx");
    let error =
        export(&path, &trained.graph, &trained.weights, &Options::default(), &trained.sample()).unwrap_err();
    assert!(matches!(error, ExportError::Write(_)));
    assert!(error.to_string().contains("model.onnx"), "{error}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
