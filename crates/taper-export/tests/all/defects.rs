//! Every kind of defect that a file can have is caught before it is written.

use taper_export::onnx::proto::{AttributeProto, AttributeType, ModelProto, NodeProto, TensorProto};
use taper_export::onnx::{Options, lower, validate};
use taper_graph::{Conv2d, Graph, Linear, MaxPool2d, Op};

use crate::reference;

/// A small valid file: Conv, Relu, MaxPool, Flatten, Gemm.
fn sound() -> ModelProto {
    let ops = [
        Op::Conv2d(Conv2d::new(4, 3)),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Flatten,
        Op::Linear(Linear::new(3)),
    ];
    let graph = Graph::sequential("sound", &[2, 6, 6], ops).unwrap();
    lower(&graph, &reference::weights(&graph, 1), &Options::default()).unwrap().proto().clone()
}

type Defect = (&'static str, fn(&mut ModelProto), &'static str);

fn graph(model: &mut ModelProto) -> &mut taper_export::onnx::proto::GraphProto {
    model.graph.as_mut().unwrap()
}

fn node<'a>(model: &'a mut ModelProto, op: &str) -> &'a mut NodeProto {
    graph(model).node.iter_mut().find(|node| node.op_type == op).unwrap()
}

fn constant(model: &mut ModelProto, place: usize) -> &mut TensorProto {
    &mut graph(model).initializer[place]
}

fn attribute<'a>(model: &'a mut ModelProto, op: &str, name: &str) -> &'a mut AttributeProto {
    node(model, op).attribute.iter_mut().find(|attribute| attribute.name == name).unwrap()
}

/// The declared size of a dimension of the output.
fn set_output_size(model: &mut ModelProto, size: i64) {
    let kind = graph(model).output[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    kind.shape.as_mut().unwrap().dim[1].dim_value = Some(size);
}

/// The declared number of channels of the input.
fn set_input_size(model: &mut ModelProto, size: i64) {
    let kind = graph(model).input[0].r#type.as_mut().unwrap().tensor_type.as_mut().unwrap();
    kind.shape.as_mut().unwrap().dim[1].dim_value = Some(size);
}

fn set_type(model: &mut ModelProto, is_input: bool, code: i32) {
    let graph = graph(model);
    let value = if is_input { &mut graph.input[0] } else { &mut graph.output[0] };
    value.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = code;
}

/// What is planted, and what the message says.
const DEFECTS: &[Defect] = &[
    ("wrong output dimension", |model| set_output_size(model, 4), "[N, 4], but is float32 [N, 3]"),
    ("wrong output type", |model| set_type(model, false, 7), "int64"),
    ("wrong input type", |model| set_type(model, true, 7), "it does not take int64"),
    ("wrong channel count", |model| constant(model, 0).dims = vec![8, 1, 3, 3], "2 channels"),
    ("wrong kernel", |model| attribute(model, "Conv", "kernel_shape").ints = vec![5, 5], "`kernel_shape`"),
    (
        "window larger than its input",
        |model| attribute(model, "MaxPool", "kernel_shape").ints = vec![9, 9],
        "does not fit",
    ),
    ("wrong weight of the last layer", |model| constant(model, 2).dims = vec![16, 3], "is not"),
    ("negative size of an input", |model| set_input_size(model, -5), "[N, -5, 6, 6]"),
    ("unknown operator", |model| node(model, "Relu").op_type = "Reluu".to_owned(), "`Reluu`"),
    (
        "operator of another domain",
        |model| node(model, "Relu").domain = "com.example".to_owned(),
        "does not know",
    ),
    (
        "operator newer than the set",
        |model| node(model, "Relu").op_type = "Gelu".to_owned(),
        "operator set 20",
    ),
    ("missing initialiser", |model| drop(graph(model).initializer.remove(0)), "which is not there"),
    ("short raw data", |model| constant(model, 0).raw_data.truncate(17), "17 bytes"),
    ("no data", |model| constant(model, 0).raw_data.clear(), "0 elements"),
    ("unknown element type", |model| constant(model, 0).data_type = 99, "element type 99"),
    ("negative size", |model| constant(model, 0).dims = vec![-4, -18], "impossible"),
    ("unsorted nodes", |model| graph(model).node.swap(0, 1), "sort the nodes"),
    ("a node that reads itself", |model| node(model, "Relu").input = vec!["1".to_owned()], "sort the nodes"),
    ("duplicate value", |model| node(model, "Relu").output = vec!["0".to_owned()], "two values"),
    ("duplicate node", |model| node(model, "Relu").name = "0".to_owned(), "two nodes"),
    (
        "duplicate initialiser",
        |model| {
            let twice = constant(model, 0).clone();
            graph(model).initializer.push(twice)
        },
        "two values",
    ),
    (
        "duplicate output",
        |model| {
            let twice = graph(model).output[0].clone();
            graph(model).output.push(twice)
        },
        "two values",
    ),
    ("output that nothing makes", |model| graph(model).output[0].name = "scores".to_owned(), "`scores`"),
    ("no output", |model| graph(model).output.clear(), "no output"),
    ("empty name", |model| graph(model).input[0].name.clear(), "no name"),
    ("unknown attribute", |model| attribute(model, "Conv", "group").name = "groups".to_owned(), "`groups`"),
    (
        "attribute of the wrong type",
        |model| attribute(model, "Conv", "group").r#type = AttributeType::Ints as i32,
        "Ints",
    ),
    (
        "attribute twice",
        |model| {
            let twice = node(model, "Conv").attribute[0].clone();
            node(model, "Conv").attribute.push(twice)
        },
        "twice",
    ),
    ("missing attribute", |model| node(model, "MaxPool").attribute.clear(), "`kernel_shape` is missing"),
    ("missing input", |model| node(model, "Gemm").input.truncate(1), "reads 1 values"),
    ("too many inputs", |model| node(model, "Relu").input.push("image".to_owned()), "reads 2 values"),
    ("no output of a node", |model| node(model, "Relu").output.clear(), "0 outputs"),
    ("bad format version", |model| model.ir_version = 2, "format version 2"),
    ("format of the future", |model| model.ir_version = 99, "format version 99"),
    ("no operator set", |model| model.opset_import.clear(), "operator set 0"),
    ("operator set too old", |model| model.opset_import[0].version = 9, "operator set 9"),
    ("no graph", |model| model.graph = None, "no graph"),
    ("graph without a name", |model| graph(model).name.clear(), "no name"),
    (
        "wrong value in between",
        |model| {
            let mut info = graph(model).output[0].clone();
            info.name = "1".to_owned();
            graph(model).value_info.push(info)
        },
        "declared",
    ),
];

#[test]
fn a_sound_file_is_valid() {
    validate(&sound()).unwrap();
}

#[test]
fn every_planted_defect_is_caught() {
    let mut failures = Vec::new();
    for (name, plant, words) in DEFECTS {
        let mut model = sound();
        plant(&mut model);
        assert_ne!(model, sound(), "{name} changes nothing");
        match validate(&model) {
            Ok(()) => failures.push(format!("{name}: not caught")),
            Err(error) if error.to_string().contains(words) => {}
            Err(error) => failures.push(format!("{name}: `{error}` does not say `{words}`")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(DEFECTS.len() >= 14);
}
