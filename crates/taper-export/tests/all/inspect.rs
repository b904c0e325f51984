//! `inspect` reads any ONNX file and never panics.

use proptest::prelude::*;
use taper_export::onnx::{InspectError, Options, inspect, inspect_file, lower};
use taper_graph::{Graph, Linear, Op, Preset};

use crate::reference;

fn tutorial() -> Vec<u8> {
    let graph = Preset::Tutorial.graph().unwrap();
    lower(&graph, &reference::weights(&graph, 0), &Options::default()).unwrap().to_bytes()
}

fn tiny() -> Vec<u8> {
    let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear::new(2)), Op::Relu]).unwrap();
    lower(&graph, &reference::weights(&graph, 0), &Options::default()).unwrap().to_bytes()
}

#[test]
fn the_reference_network_is_described() {
    let bytes = tutorial();
    let file = inspect(&bytes).unwrap();
    assert_eq!(file.inputs[0].to_string(), "image float32 [N, 1, 28, 28]");
    assert_eq!(file.outputs[0].to_string(), "logits float32 [N, 10]");
    assert_eq!((file.ir_version, &file.opsets[..]), (8, &[(String::new(), 17)][..]));
    assert_eq!((file.parameters, file.constants, file.bytes), (1_379_557, 10, bytes.len()));
    let counts: Vec<(&str, usize)> = file.op_counts.iter().map(|(op, &count)| (op.as_str(), count)).collect();
    assert_eq!(counts, [("Conv", 3), ("Flatten", 1), ("Gemm", 2), ("MaxPool", 3), ("Relu", 4)]);
}

#[test]
fn the_text_holds_all_of_it() {
    let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear::new(2)), Op::Relu]).unwrap();
    let metadata = taper_export::Metadata {
        version: "0.1.0".to_owned(),
        ..taper_export::Metadata::new(graph.clone(), Default::default(), vec!["a".to_owned(), "b".to_owned()])
    };
    let options = Options::default().metadata(metadata);
    let bytes = lower(&graph, &reference::weights(&graph, 0), &options).unwrap().to_bytes();
    let expected = format!(
        r#"graph       tiny
format      IR 8, opset 17
producer    taper {}
inputs      image float32 [N, 2]
outputs     logits float32 [N, 2]
nodes       2: 1 Gemm, 1 Relu
parameters  6 in 2 constants
size        {} bytes
metadata
  class_names: ["a","b"]
  dataset: 
  dataset_sha256: 
  dataset_source: 
  normalization: {{"range":[0.0,1.0]}}
  taper_version: 0.1.0

0  Gemm
1  Relu
"#,
        env!("CARGO_PKG_VERSION"),
        bytes.len()
    );
    assert_eq!(inspect(&bytes).unwrap().to_string(), expected);
}

#[test]
fn what_is_no_whole_onnx_file_is_a_clear_error() {
    assert_eq!(inspect(&[]), Err(InspectError::Empty));
    for other in ["<!DOCTYPE html><html>404</html>", "{\"json\": true}", "RTEN0000", "PK\x03\x04zip", "hello"]
    {
        let error = inspect(other.as_bytes()).unwrap_err();
        assert!(matches!(error, InspectError::NotOnnx { .. }), "{other}: {error:?}");
        assert!(error.to_string().contains("give a file that ends in .onnx"), "{error}");
    }
    let bytes = tutorial();
    let error = inspect(&bytes[..bytes.len() / 2]).unwrap_err();
    assert!(matches!(error, InspectError::Damaged { .. }), "{error:?}");
    assert!(error.to_string().contains("cut short"), "{error}");
}

#[test]
fn errors_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let text = inspect_file(&path).unwrap_err().to_string();
    assert!(text.contains("model.onnx") && text.contains("check the path"), "{text}");
    std::fs::write(&path, b"").unwrap();
    let text = inspect_file(&path).unwrap_err().to_string();
    assert!(text.ends_with("model.onnx: the ONNX file is empty; export it again"), "{text}");
    std::fs::write(&path, tiny()).unwrap();
    assert_eq!(inspect_file(&path), inspect(&tiny()));
}

#[test]
fn no_cut_of_a_file_is_taken_for_a_whole_one() {
    let bytes = tiny();
    for end in 0..bytes.len() {
        assert!(inspect(&bytes[..end]).is_err(), "cut after {end} of {} bytes", bytes.len());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = inspect(&bytes).map(|file| file.to_string());
    }

    #[test]
    fn any_damage_is_read_or_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = tiny();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = inspect(&bytes).map(|file| file.to_string());
    }
}
