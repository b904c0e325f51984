//! int8 of graphs that no network of Taper's has, beside the float32 file in rten.

use rten::Model;
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OnnxModel, OpsetVersion, Value};
use taper_export::quantize::{Method, calibrate, quantize};
use taper_export::{Sample, onnx, verify};

use super::graph_of;
use crate::written::keep;

/// Images that a graph is calibrated and compared on.
const COUNT: usize = 40;

/// A graph with weights that need no thought.
struct Net {
    builder: GraphBuilder,
    seed: usize,
}

/// Numbers between -1 and 1 without a pattern that matters here.
fn numbers(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| (((place + 1) * (37 + seed) * 2_654_435) % 1009) as f32 / 504.5 - 1.0).collect()
}

impl Net {
    fn x(&mut self, sizes: &[usize]) -> Value {
        let sizes = sizes.iter().map(|&size| Dim::Fixed(size));
        let dims: Vec<Dim> = std::iter::once(Dim::Symbolic("N".to_owned())).chain(sizes).collect();
        self.builder.input("x", DataType::Float32, &dims).unwrap()
    }

    fn weight(&mut self, name: &str, dims: &[usize]) -> Value {
        self.seed += 1;
        let numbers = numbers(dims.iter().product(), self.seed);
        self.builder.constant(name, onnx::Tensor::f32(dims, &numbers)).unwrap()
    }

    fn node(&mut self, op: &str, name: &str, inputs: &[&Value], with: impl FnOnce(Node) -> Node) -> Value {
        let node = Node::new(op, name).inputs(inputs.iter().copied());
        self.builder.node(with(node)).unwrap()
    }

    fn plain(&mut self, op: &str, name: &str, inputs: &[&Value]) -> Value {
        self.node(op, name, inputs, |node| node)
    }

    /// A convolution with a kernel of 3×3 that keeps height and width. rten wants all settings written.
    fn conv(&mut self, name: &str, x: &Value, [to, from, groups]: [usize; 3]) -> Value {
        let weight = self.weight(&format!("{name}.weight"), &[to, from / groups, 3, 3]);
        let bias = self.weight(&format!("{name}.bias"), &[to]);
        self.node("Conv", name, &[x, &weight, &bias], |node| {
            node.int("group", groups as i64)
                .ints("pads", [1, 1, 1, 1])
                .ints("strides", [1, 1])
                .ints("dilations", [1, 1])
        })
    }
}

/// A graph from `x` to the last value, and the values that become bytes.
struct Case {
    name: &'static str,
    graph: fn(&mut Net) -> Value,
    bytes: &'static [&'static str],
}

const CASES: &[Case] = &[
    Case {
        name: "MatMul",
        graph: |net| {
            let x = net.x(&[6]);
            let (first, second) = (net.weight("first", &[6, 8]), net.weight("second", &[8, 4]));
            let a = net.plain("MatMul", "a", &[&x, &first]);
            let r = net.plain("Relu", "r", &[&a]);
            net.plain("MatMul", "b", &[&r, &second])
        },
        bytes: &["x", "r"],
    },
    Case {
        name: "Gemm with inputs first",
        graph: |net| {
            let x = net.x(&[6]);
            let (first, bias, second) =
                (net.weight("first", &[6, 8]), net.weight("bias", &[8]), net.weight("second", &[8, 4]));
            let a = net.node("Gemm", "a", &[&x, &first, &bias], |node| node.int("transB", 0));
            let r = net.plain("Relu", "r", &[&a]);
            net.plain("Gemm", "b", &[&r, &second])
        },
        bytes: &["x", "r"],
    },
    Case {
        name: "a bias of one number",
        graph: |net| {
            let x = net.x(&[6]);
            let (weight, bias) = (net.weight("weight", &[8, 6]), net.weight("bias", &[1]));
            net.node("Gemm", "a", &[&x, &weight, &bias], |node| node.int("transB", 1))
        },
        bytes: &["x"],
    },
    Case {
        name: "a weight of two layers",
        graph: |net| {
            let (x, weight) = (net.x(&[6]), net.weight("weight", &[6, 6]));
            let a = net.plain("MatMul", "a", &[&x, &weight]);
            let t = net.plain("Tanh", "t", &[&a]);
            net.plain("MatMul", "b", &[&t, &weight])
        },
        bytes: &["x", "t"],
    },
    Case {
        name: "Concat",
        graph: |net| {
            let x = net.x(&[3, 6, 6]);
            let (a, b) = (net.conv("a", &x, [4, 3, 1]), net.conv("b", &x, [2, 3, 1]));
            let r = net.plain("Relu", "r", &[&a]);
            let joined = net.node("Concat", "joined", &[&r, &b], |node| node.int("axis", 1));
            net.conv("c", &joined, [2, 6, 1])
        },
        bytes: &["x", "b", "r", "joined"],
    },
    Case {
        name: "a sum that its ReLU alone reads",
        graph: |net| {
            let x = net.x(&[3, 6, 6]);
            let a = net.conv("a", &x, [3, 3, 1]);
            let sum = net.plain("Add", "sum", &[&a, &x]);
            let r = net.plain("Relu", "r", &[&sum]);
            net.conv("b", &r, [3, 3, 1])
        },
        bytes: &["x", "a", "r"],
    },
    Case {
        name: "a sum that others read too",
        graph: |net| {
            let x = net.x(&[3, 6, 6]);
            let a = net.conv("a", &x, [3, 3, 1]);
            let sum = net.plain("Add", "sum", &[&a, &x]);
            let r = net.plain("Relu", "r", &[&sum]);
            let b = net.conv("b", &r, [3, 3, 1]);
            net.plain("Add", "out", &[&b, &sum])
        },
        bytes: &["x", "r"],
    },
    Case {
        name: "pools with padding",
        graph: |net| {
            let x = net.x(&[3, 7, 7]);
            let pool = |node: Node| {
                node.ints("kernel_shape", [3, 3]).ints("strides", [2, 2]).ints("pads", [1, 1, 1, 1])
            };
            let most = net.node("MaxPool", "most", &[&x], pool);
            let a = net.conv("a", &most, [4, 3, 1]);
            let r = net.plain("Relu", "r", &[&a]);
            let mean = net.node("AveragePool", "mean", &[&r], |node| pool(node).int("count_include_pad", 1));
            net.conv("b", &mean, [2, 4, 1])
        },
        bytes: &["x", "most", "r", "mean"],
    },
    Case {
        name: "groups",
        graph: |net| {
            let x = net.x(&[6, 5, 5]);
            let a = net.conv("a", &x, [6, 6, 6]);
            let r = net.plain("Relu", "r", &[&a]);
            net.conv("b", &r, [4, 6, 2])
        },
        bytes: &["x", "r"],
    },
    Case {
        name: "names that int8 would give",
        graph: |net| {
            let x = net.x(&[6]);
            let first = net.weight("first", &[6, 6]);
            let other = net.weight("first.scale", &[6]);
            let a = net.plain("MatMul", "a", &[&x, &first]);
            let r = net.plain("Relu", "r", &[&a]);
            let scaled = net.plain("Mul", "r.scale", &[&r, &other]);
            let shifted = net.plain("Sub", "x.dequantized", &[&scaled, &other]);
            let second = net.weight("second", &[6, 6]);
            let b = net.plain("MatMul", "b", &[&r, &second]);
            net.plain("Add", "out", &[&b, &shifted])
        },
        bytes: &["x", "r"],
    },
];

/// The sizes of `COUNT` images that a file takes.
fn shape(file: &OnnxModel) -> Vec<usize> {
    let declared = graph_of(file).input[0].r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
    let sizes = declared.shape.as_ref().unwrap().dim.iter().skip(1);
    let sizes = sizes.map(|dim| usize::try_from(dim.dim_value.unwrap()).unwrap());
    std::iter::once(COUNT).chain(sizes).collect()
}

/// What a file answers in rten.
fn answers(file: &OnnxModel, images: &[f32]) -> Vec<f32> {
    let model = Model::load(file.to_bytes()).unwrap();
    let images = Tensor::from_data(&shape(file), images.to_vec());
    let output: Tensor<f32> = model.run_one(images.into(), None).unwrap().try_into().unwrap();
    output.to_vec()
}

/// What is wrong with a case, if anything.
fn check(case: &Case) -> Result<(), String> {
    let builder = GraphBuilder::new("forms", OpsetVersion::default());
    let mut net = Net { builder, seed: 0 };
    let last = (case.graph)(&mut net);
    net.builder.output(&last, "y").unwrap();
    let float = net.builder.finish([]).unwrap();
    let images = numbers(shape(&float).iter().product(), 5);
    let ranges = calibrate(&float, &images, COUNT, Method::MinMax).map_err(|error| error.to_string())?;
    let int8 = quantize(&float, &ranges).map_err(|error| error.to_string())?;
    keep(&int8);
    let nodes = &graph_of(&int8).node;
    let bytes = nodes.iter().filter(|node| node.op_type == "QuantizeLinear");
    let bytes: Vec<&str> = bytes.map(|node| node.input[0].as_str()).collect();
    if bytes != case.bytes {
        return Err(format!("bytes are {bytes:?}"));
    }
    for node in nodes.iter().filter(|node| matches!(&node.op_type[..], "Conv" | "Gemm" | "MatMul")) {
        let is_made = |input: &String| {
            nodes.iter().any(|node| node.op_type == "DequantizeLinear" && node.output[0] == *input)
        };
        if let Some(input) = node.input.iter().find(|input| !is_made(input)) {
            return Err(format!("`{}` reads `{input}`, which is not int8", node.name));
        }
    }
    let expected = answers(&float, &images);
    let greatest = expected.iter().fold(0.0f32, |most, number| most.max(number.abs()));
    let sample = Sample { count: COUNT, images: &images, logits: &expected };
    let found = verify(&int8.to_bytes(), &sample, 0.06 * f64::from(greatest));
    match found.map_err(|error| error.to_string())?.max_abs_diff {
        0.0 => Err("nothing is rounded".to_owned()),
        _ => Ok(()),
    }
}

#[test]
fn graphs_of_every_form_answer_nearly_the_same() {
    let outcomes = CASES.iter().map(|case| (case.name, check(case)));
    let failures: Vec<String> =
        outcomes.filter_map(|(name, outcome)| Some(format!("{name}: {}", outcome.err()?))).collect();
    assert!(failures.is_empty(), "{} of {}:\n{}", failures.len(), CASES.len(), failures.join("\n"));
}
