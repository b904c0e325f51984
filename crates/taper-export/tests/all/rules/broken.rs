//! Nodes that do not fit.

use taper_export::onnx::{BuildError, DataType, Node, Value};

use super::Graph;
use DataType::{Float16, Float32, Int8, Int16, Int32, Int64, UInt8, UInt32};

type Case = (&'static str, i64, fn(&mut Graph) -> Result<Value, BuildError>, &'static str);

/// An LSTM of one direction, two numbers in and three out, with one more input at `place`.
fn lstm(graph: &mut Graph, place: usize, kind: DataType, dims: &str) -> Result<Value, BuildError> {
    let (x, weight, recurrence) = (graph.f("T N 2"), graph.f("1 12 2"), graph.f("1 12 3"));
    let more = graph.x(kind, dims);
    let node = Node::new("LSTM", "lstm").inputs([&x, &weight, &recurrence]).int("hidden_size", 3);
    graph.builder.node((3..place).fold(node, |node, _| node.skip()).input(&more))
}

/// `op` of an input and a constant list.
fn with_list(graph: &mut Graph, op: &str, dims: &str, numbers: &[i64]) -> Result<Value, BuildError> {
    let (x, list) = (graph.f(dims), graph.list(numbers));
    graph.plain(op, [&x, &list])
}

fn slice(graph: &mut Graph, dims: &str, cuts: [&[i64]; 4]) -> Result<Value, BuildError> {
    let x = graph.f(dims);
    let cuts = cuts.map(|numbers| graph.list(numbers));
    graph.plain("Slice", [&x].into_iter().chain(&cuts))
}

/// A quantisation of float32 with scales and zero points of these sizes.
fn quantize(graph: &mut Graph, dims: &str, scale: &str, zero: (DataType, &str)) -> Result<Value, BuildError> {
    let (x, scale, zero) = (graph.f(dims), graph.f(scale), graph.x(zero.0, zero.1));
    graph.plain("QuantizeLinear", [&x, &scale, &zero])
}

const CASES: &[Case] = &[
    ("LSTM, short bias", 17, |g| lstm(g, 3, Float32, "1 3"), "its bias is [1, 3] and should be [1, 24]"),
    ("LSTM, bias of another type", 17, |g| lstm(g, 3, Float16, "1 24"), "float16"),
    ("LSTM, lengths of another count", 17, |g| lstm(g, 4, Int32, "N 2"), "list of lengths"),
    ("LSTM, lengths in int64", 17, |g| lstm(g, 4, Int64, "N"), "its input 4 is int64"),
    ("LSTM, state of another size", 17, |g| lstm(g, 5, Float32, "1 N 4"), "first state"),
    ("LSTM, state of another rank", 17, |g| lstm(g, 6, Float32, "N 3"), "first state of the cell"),
    ("LSTM, peephole of another size", 17, |g| lstm(g, 7, Float32, "1 12"), "peephole"),
    (
        "GRU, unknown direction",
        17,
        |g| {
            let (x, w, r) = (g.f("T N 2"), g.f("1 9 2"), g.f("1 9 3"));
            g.node("GRU", [&x, &w, &r], |node| node.text("direction", "bidirectionall"))
        },
        "`bidirectionall`",
    ),
    (
        "GRU, gates of an LSTM",
        17,
        |g| {
            let (x, w, r) = (g.f("T N 2"), g.f("1 12 2"), g.f("1 12 3"));
            g.plain("GRU", [&x, &w, &r])
        },
        "should be [1, 9, 2]",
    ),
    (
        "Resize, neither scales nor sizes",
        17,
        |g| {
            let x = g.f("1 1 2 2");
            g.plain("Resize", [&x])
        },
        "scales or sizes",
    ),
    (
        "Resize, scales and sizes",
        17,
        |g| {
            let (x, scales, sizes) = (g.f("1 1 2 2"), g.floats(&[1.0; 4]), g.list(&[1, 1, 2, 2]));
            g.builder.node(Node::new("Resize", "resize").input(&x).skip().inputs([&scales, &sizes]))
        },
        "not both",
    ),
    (
        "Resize, a scale too few",
        17,
        |g| {
            let (x, scales) = (g.f("1 1 2 2"), g.floats(&[1.0; 3]));
            g.builder.node(Node::new("Resize", "resize").input(&x).skip().input(&scales))
        },
        "3 scales or sizes for 4 axes",
    ),
    (
        "Resize, scale 0",
        17,
        |g| {
            let (x, scales) = (g.f("1 1 2 2"), g.floats(&[1.0, 1.0, 0.0, f32::NAN]));
            g.builder.node(Node::new("Resize", "resize").input(&x).skip().input(&scales))
        },
        "one of its scales is 0",
    ),
    (
        "Resize, a policy of its own",
        18,
        |g| {
            let (x, sizes) = (g.f("1 1 2 2"), g.list(&[1, 1, 2, 2]));
            let node = Node::new("Resize", "resize").input(&x).skip().skip().input(&sizes);
            g.builder.node(node.text("keep_aspect_ratio_policy", "larger"))
        },
        "give one of stretch, not_larger, not_smaller",
    ),
    ("Slice, fewer ends than starts", 17, |g| slice(g, "4 4", [&[0, 0], &[1], &[0, 1], &[1, 1]]), "2 starts"),
    ("Slice, an axis too many", 17, |g| slice(g, "4", [&[0], &[1], &[1], &[1]]), "its axis 1"),
    ("Slice, an axis twice", 17, |g| slice(g, "4 4", [&[0, 0], &[1, 1], &[0, -2], &[1, 1]]), "twice"),
    ("Slice, step 0", 17, |g| slice(g, "4", [&[0], &[1], &[0], &[0]]), "0"),
    ("Gather, place 7 of 3", 17, |g| with_list(g, "Gather", "3 2", &[0, 7]), "place 7 of 3"),
    ("Gather, place -4 of 3", 17, |g| with_list(g, "Gather", "3 2", &[-4]), "place -4 of 3"),
    ("GatherElements, more places", 17, |g| with_list(g, "GatherElements", "3 2", &[0]), "do not fit"),
    ("Reshape, other elements", 17, |g| with_list(g, "Reshape", "N 6", &[0, 5]), "elements"),
    ("Reshape, no whole size", 17, |g| with_list(g, "Reshape", "2 6", &[5, -1]), "elements"),
    ("Reshape, two open sizes", 17, |g| with_list(g, "Reshape", "N 6", &[-1, -1]), "more than one"),
    ("Reshape, negative size", 17, |g| with_list(g, "Reshape", "N 6", &[-3, -2]), "[-3, -2]"),
    ("Expand, sizes that do not fit", 17, |g| with_list(g, "Expand", "2 3", &[2, 4]), "do not fit"),
    ("Tile, negative repeats", 17, |g| with_list(g, "Tile", "2 3", &[2, -1]), "[4, -3]"),
    ("Pad, more cut off than there is", 17, |g| with_list(g, "Pad", "2", &[-2, -1]), "[-1]"),
    ("Unsqueeze, an axis twice", 17, |g| with_list(g, "Unsqueeze", "2", &[0, 0]), "twice"),
    ("Squeeze, size 2", 17, |g| with_list(g, "Squeeze", "2 1", &[0]), "which is 2"),
    ("ReduceSum, an axis that is not there", 17, |g| with_list(g, "ReduceSum", "2 1", &[2]), "its axis 2"),
    ("ReduceMax, axes as an input too early", 17, |g| with_list(g, "ReduceMax", "2 1", &[0]), "write `axes`"),
    ("TopK, more than there are", 17, |g| with_list(g, "TopK", "N 4", &[5]), "takes 5 of 4"),
    ("Split, parts that are not the whole", 17, |g| with_list(g, "Split", "4", &[3]), "splits 4"),
    ("GatherND, too many axes", 17, |g| with_list(g, "GatherND", "4", &[0, 1]), "do not fit"),
    (
        "Split, no sizes",
        18,
        |g| {
            let x = g.f("4");
            g.plain("Split", [&x])
        },
        "`num_outputs`",
    ),
    (
        "ScatterElements, fewer updates",
        17,
        |g| {
            let (x, places, updates) = (g.f("3"), g.list(&[0, 1]), g.f("1"));
            g.plain("ScatterElements", [&x, &places, &updates])
        },
        "updates",
    ),
    (
        "GroupNormalization, a scale for each group of 21",
        21,
        |g| {
            let (x, scale, bias) = (g.f("N 4 5"), g.f("2"), g.f("2"));
            g.node("GroupNormalization", [&x, &scale, &bias], |node| node.int("num_groups", 2))
        },
        "for 4 channels",
    ),
    (
        "GroupNormalization, a rest",
        18,
        |g| {
            let (x, scale, bias) = (g.f("N 5 5"), g.f("2"), g.f("2"));
            g.node("GroupNormalization", [&x, &scale, &bias], |node| node.int("num_groups", 2))
        },
        "not divisible",
    ),
    (
        "QuantizeLinear, scales for another axis",
        17,
        |g| quantize(g, "3 4", "3", (UInt8, "3")),
        "should be [4]",
    ),
    ("QuantizeLinear, one zero point", 17, |g| quantize(g, "3 4", "4", (UInt8, "")), "zero points"),
    ("QuantizeLinear, to int32", 17, |g| quantize(g, "3 4", "", (Int32, "")), "int32"),
    ("QuantizeLinear, to int16 too early", 20, |g| quantize(g, "3 4", "", (Int16, "")), "int16"),
    (
        "QuantizeLinear, scales along an axis too early",
        12,
        |g| quantize(g, "3 4", "4", (UInt8, "4")),
        "scales",
    ),
    (
        "QuantizeLinear, blocks",
        21,
        |g| {
            let (x, scale) = (g.f("3 5"), g.f("3 2"));
            g.node("QuantizeLinear", [&x, &scale], |node| node.int("axis", 1).int("block_size", 2))
        },
        "should be [3, 3]",
    ),
    (
        "QuantizeLinear, two types",
        21,
        |g| {
            let (x, scale, zero) = (g.f("3"), g.f(""), g.x(Int8, ""));
            g.node("QuantizeLinear", [&x, &scale, &zero], |node| node.int("output_dtype", 2))
        },
        "says uint8",
    ),
    (
        "DequantizeLinear, zero point of another type",
        17,
        |g| {
            let (x, scale, zero) = (g.x(Int8, "3"), g.f(""), g.x(UInt8, ""));
            g.plain("DequantizeLinear", [&x, &scale, &zero])
        },
        "uint8",
    ),
    (
        "QLinearMatMul, scale in int8",
        17,
        |g| {
            let (x, scale) = (g.x(Int8, "2 3"), g.x(Int8, ""));
            g.plain("QLinearMatMul", [&x, &scale, &scale, &x, &scale, &scale, &scale, &scale])
        },
        "its input 1 is int8",
    ),
    (
        "Pow of uint32",
        17,
        |g| {
            let x = g.x(UInt32, "3");
            g.plain("Pow", [&x, &x])
        },
        "uint32",
    ),
    (
        "CumSum of float16 too early",
        13,
        |g| {
            let (x, axis) = (g.x(Float16, "3"), g.x(Int64, ""));
            g.plain("CumSum", [&x, &axis])
        },
        "float16",
    ),
    (
        "ReduceMax of int16",
        17,
        |g| {
            let x = g.x(Int16, "3");
            g.plain("ReduceMax", [&x])
        },
        "int16",
    ),
    (
        "BatchNormalization in training",
        17,
        |g| {
            let (x, c) = (g.f("N 3"), g.f("3"));
            g.node("BatchNormalization", [&x, &c, &c, &c, &c], |node| node.int("training_mode", 1))
        },
        "training mode",
    ),
    (
        "Conv, no group",
        17,
        |g| {
            let (x, w) = (g.f("N 3 8 8"), g.f("4 3 3 3"));
            g.node("Conv", [&x, &w], |node| node.int("group", 0))
        },
        "`group` is 0",
    ),
    (
        "Range, step 0",
        17,
        |g| {
            let values = [0, 3, 0].map(|number| {
                g.builder.node(Node::new("Constant", "number").int("value_int", number)).unwrap()
            });
            g.plain("Range", &values)
        },
        "its step is 0",
    ),
];

#[test]
fn every_broken_node_is_refused() {
    let mut failures = Vec::new();
    for (name, opset, build, words) in CASES {
        let mut graph = Graph::new(*opset);
        match build(&mut graph) {
            Ok(value) => failures.push(format!("{name}: taken, as [{}]", super::text(&value))),
            Err(error) if error.to_string().contains(words) => {}
            Err(error) => failures.push(format!("{name}: `{error}` does not say `{words}`")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
