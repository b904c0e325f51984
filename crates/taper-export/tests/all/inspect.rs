//! `inspect` reads any ONNX file and never panics.

use proptest::prelude::*;
use prost::Message;
use taper_export::onnx::proto::{AttributeProto, ModelProto, StringStringEntryProto};
use taper_export::onnx::{InspectError, Options, inspect, inspect_file};
use taper_graph::{Graph, Linear, Op, Preset};

use crate::reference;
use crate::written::lower;

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
    assert_eq!((file.parameters, file.constants.len(), file.bytes), (1_379_557, 10, bytes.len()));
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
constants
  0.weight float32 [2, 2], 16 bytes
  0.bias float32 [2], 8 bytes

0  Gemm  image, 0.weight, 0.bias → 0
1  Relu  0 → logits float32 [N, 2]
"#,
        env!("CARGO_PKG_VERSION"),
        bytes.len()
    );
    assert_eq!(inspect(&bytes).unwrap().to_string(), expected);
}

/// PyTorch declares every value; of operators that Taper does not know, all that a file says is shown.
#[test]
fn files_from_elsewhere_are_described() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/state_dict_norm.onnx");
    let file = inspect_file(path.as_ref()).unwrap();
    assert!(file.producer.starts_with("pytorch 2."), "{}", file.producer);
    assert_eq!(file.inputs[0].to_string(), "images float32 [batch, 1, 28, 28]");
    let text = file.to_string();
    for line in ["  conv2.weight float32 [6, 4, 3, 3], 864 bytes", "  val_23 int64 [2], 16 bytes"] {
        assert!(text.lines().any(|known| known == line), "{text}");
    }
    assert!(text.contains("Conv        images, conv1.weight, conv1.weight_bias → "), "{text}");
    let declared = &file.nodes[0].outputs[0];
    assert_eq!(declared.dims.as_ref().map(Vec::len), Some(4), "{text}");

    let mut model = ModelProto::decode(&tiny()[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.initializer[0].external_data =
        vec![StringStringEntryProto { key: "location".to_owned(), value: "weights.bin".to_owned() }];
    graph.initializer[1].data_type = 99;
    let body = AttributeProto { g: Some(graph.clone()), ..AttributeProto::default() };
    graph.node[1].attribute.push(body);
    (graph.node[1].op_type, graph.node[1].domain) = ("Fancy".to_owned(), "com.example".to_owned());
    let text = inspect(&model.encode_to_vec()).unwrap().to_string();
    for part in [
        "0.weight float32 [2, 2], 16 bytes in the file weights.bin\n  0.bias [2]\n",
        "1  com.example.Fancy  0 → logits float32 [N, 2]  (2 nodes inside)\n",
        "2: 1 Gemm, 1 com.example.Fancy",
    ] {
        assert!(text.contains(part), "{text}");
    }
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
