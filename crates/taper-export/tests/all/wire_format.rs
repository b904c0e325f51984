//! Taper's own message types are those of ONNX, and a file is the same every time.

use candle_onnx::onnx as official;
use prost::Message;
use taper_export::onnx::{
    BuildError, DataType, Dim, GraphBuilder, Node, OpsetVersion, Options, Profile, Tensor, proto,
};
use taper_export::{DatasetInfo, Metadata};
use taper_graph::{AvgPool2d, Graph, MaxPool2d, Op, Preset};

use crate::reference;
use crate::written::{keep, lower};

fn metadata(graph: &Graph) -> Metadata {
    let dataset = DatasetInfo {
        name: "synthetic".to_owned(),
        sha256: "c0ffee".to_owned(),
        source: "drawn from seed 0".to_owned(),
    };
    let class_names = (0..10).map(|digit| digit.to_string()).collect();
    Metadata { accuracy: Some(0.9915), ..Metadata::new(graph.clone(), dataset, class_names) }
}

/// Files that between them use every kind of message and attribute that Taper writes.
fn files() -> Vec<Vec<u8>> {
    let ceil = AvgPool2d { padding: [1, 1], ceil_mode: true, ..AvgPool2d::new(3) };
    let dilated = MaxPool2d { dilation: [2, 2], ..MaxPool2d::new(2) };
    let pools = [Op::AvgPool2d(ceil), Op::Gelu, Op::MaxPool2d(dilated), Op::BatchNorm2d(Default::default())];
    let pools = Graph::sequential("pools", &[2, 10, 10], pools).unwrap();
    let presets = Preset::ALL.map(|preset| preset.graph().unwrap());
    let lowered = presets.iter().chain([&pools]).flat_map(|graph| {
        let options = Options::default().metadata(metadata(graph));
        [options.clone(), options.profile(Profile::Candle)]
            .map(|options| lower(graph, &reference::weights(graph, 3), &options))
    });
    lowered.filter_map(Result::ok).map(|model| model.to_bytes()).collect()
}

#[test]
fn the_official_types_read_every_field() {
    let files = files();
    assert_eq!(files.len(), 7, "all but the pools, which candle lacks, in both profiles");
    for bytes in files {
        let own = proto::ModelProto::decode(&bytes[..]).unwrap();
        assert!(own.encode_to_vec() == bytes, "our own types write other bytes");
        // candle's types are those of onnx.proto3, which packs lists: the bytes differ, the content must not.
        let official = official::ModelProto::decode(&bytes[..]).unwrap().encode_to_vec();
        assert!(
            proto::ModelProto::decode(&official[..]).unwrap() == own,
            "the official types lose something"
        );
    }
}

#[test]
fn own_types_read_what_the_official_ones_write() {
    let attribute = official::AttributeProto {
        name: "axis".to_owned(),
        r#type: official::attribute_proto::AttributeType::Int as i32,
        i: -1,
        ..Default::default()
    };
    let dim = |value| official::tensor_shape_proto::Dimension { value: Some(value), ..Default::default() };
    let shape = official::TensorShapeProto {
        dim: vec![
            dim(official::tensor_shape_proto::dimension::Value::DimParam("N".to_owned())),
            dim(official::tensor_shape_proto::dimension::Value::DimValue(3)),
        ],
    };
    let tensor = official::type_proto::Tensor { elem_type: 1, shape: Some(shape) };
    let value = official::type_proto::Value::TensorType(tensor);
    let kind = official::TypeProto { value: Some(value), ..Default::default() };
    let node = official::NodeProto { attribute: vec![attribute], ..Default::default() };
    let input = official::ValueInfoProto { r#type: Some(kind), ..Default::default() };
    let graph = official::GraphProto { node: vec![node], input: vec![input], ..Default::default() };

    let own = proto::GraphProto::decode(&graph.encode_to_vec()[..]).unwrap();
    assert_eq!(own.node[0].attribute[0].i, Some(-1));
    let kind = own.input[0].r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    assert_eq!(kind.elem_type, DataType::Float32.code());
    let dims = &kind.shape.as_ref().unwrap().dim;
    assert_eq!(dims[0].dim_param.as_deref(), Some("N"));
    assert_eq!(dims[1].dim_value, Some(3));
}

#[test]
fn element_type_codes_are_the_official_ones() {
    for code in 0..32 {
        if let Some(known) = DataType::from_code(code) {
            let official = official::tensor_proto::DataType::try_from(code).unwrap();
            let name = match official.as_str_name() {
                "FLOAT" => "float32".to_owned(),
                "DOUBLE" => "float64".to_owned(),
                other => other.to_lowercase(),
            };
            assert_eq!(known.to_string(), name);
        }
    }
}

#[test]
fn the_same_model_gives_the_same_bytes() {
    assert!(files() == files());
}

#[test]
fn the_header_says_what_the_file_is() {
    let graph = Preset::Tutorial.graph().unwrap();
    let options = Options::default().metadata(metadata(&graph));
    let model = lower(&graph, &reference::weights(&graph, 3), &options).unwrap();
    let proto = model.proto();
    assert_eq!((proto.ir_version, model.opset()), (8, 17));
    let props: Vec<(&str, &str)> =
        proto.metadata_props.iter().map(|entry| (entry.key.as_str(), entry.value.as_str())).collect();
    let expected = [
        ("accuracy", "0.9915"),
        ("class_names", r#"["0","1","2","3","4","5","6","7","8","9"]"#),
        ("dataset", "synthetic"),
        ("dataset_sha256", "c0ffee"),
        ("dataset_source", "drawn from seed 0"),
        ("normalization", r#"{"range":[0.0,1.0]}"#),
        ("taper_version", env!("CARGO_PKG_VERSION")),
    ];
    assert_eq!(props, expected);
}

#[test]
fn the_builder_refuses_what_no_runtime_would_load() {
    let dims = [Dim::Symbolic("N".to_owned()), Dim::Fixed(2)];
    let mut graph = GraphBuilder::new("wrong", OpsetVersion::default());
    let x = graph.input("x", DataType::Float32, &dims).unwrap();
    let error = graph.input("x", DataType::Float32, &dims).unwrap_err();
    assert!(matches!(error, BuildError::DuplicateName { .. }), "{error}");
    let error = graph.constant("w", Tensor::f32(&[2, 3], &[0.0; 5])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "constant `w` of sizes [2, 3] is given 5 elements; give as many as the sizes say"
    );
    let mut other = GraphBuilder::new("other", OpsetVersion::default());
    let stranger = other.input("stranger", DataType::Float32, &dims).unwrap();
    let error = graph.node(Node::new("Add", "sum").inputs([&x, &stranger])).unwrap_err();
    assert!(error.to_string().contains("node `sum`") && error.to_string().contains("`stranger`"), "{error}");
    assert!(graph.output(&stranger, "y").is_err());
}

#[test]
fn an_input_or_one_value_twice_can_be_an_output() {
    let dims = [Dim::Fixed(2)];
    let mut graph = GraphBuilder::new("hands_on", OpsetVersion::default());
    let x = graph.input("x", DataType::Float32, &dims).unwrap();
    let relu = graph.node(Node::new("Relu", "relu").input(&x)).unwrap();
    let again = graph.node(Node::new("Relu", "relu").input(&relu)).unwrap();
    assert_eq!(again.name(), "relu_2");
    graph.output(&x, "same").unwrap();
    graph.output(&again, "y").unwrap();
    let model = graph.finish([]).unwrap();
    keep(&model);
    let nodes = &model.proto().graph.as_ref().unwrap().node;
    let outputs: Vec<(&str, &str)> =
        nodes.iter().map(|node| (node.name.as_str(), node.output[0].as_str())).collect();
    assert_eq!(outputs, [("relu", "relu"), ("relu_2", "y"), ("same", "same")]);
}
