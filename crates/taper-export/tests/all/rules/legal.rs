//! Nodes and files that are unusual but valid, with the shapes that follow.

use taper_export::onnx::proto::{ModelProto, TensorProto};
use taper_export::onnx::{BuildError, DataType, Node, Tensor, Value, validate};

use super::{Graph, text};
use crate::written::keep;
use DataType::{BFloat16, Float16, Float32, Int64};

type Case = (&'static str, i64, fn(&mut Graph) -> Result<Value, BuildError>, &'static str);

fn slice(graph: &mut Graph, dims: &str, cuts: [i64; 4]) -> Result<Value, BuildError> {
    let x = graph.f(dims);
    let cuts = cuts.map(|number| graph.list(&[number]));
    graph.plain("Slice", [&x].into_iter().chain(&cuts))
}

fn max_pool(graph: &mut Graph, dims: &str, kernel: usize, stride: usize) -> Result<Value, BuildError> {
    let x = graph.f(dims);
    let with = |node: Node| node.ints("kernel_shape", [kernel; 2]).ints("strides", [stride; 2]);
    graph.node("MaxPool", [&x], |node| with(node).int("ceil_mode", 1))
}

fn upsample(graph: &mut Graph, with: impl FnOnce(Node) -> Node) -> Result<Value, BuildError> {
    let (x, weight) = (graph.f("N 4 H 7"), graph.f("4 2 3 3"));
    graph.node("ConvTranspose", [&x, &weight], with)
}

const CASES: &[Case] = &[
    ("MaxPool, a last window beyond the input", 22, |g| max_pool(g, "1 1 2 2", 1, 2), "1 1 1 1"),
    ("MaxPool, a last window that some count", 17, |g| max_pool(g, "1 1 2 3", 1, 2), "1 1 maxpool.2 2"),
    ("MaxPool, a last window that begins within", 17, |g| max_pool(g, "1 1 4 4", 3, 2), "1 1 2 2"),
    ("MaxPool, named sizes, never beyond", 17, |g| max_pool(g, "N 1 H 5", 3, 2), "N 1 floor(H/2) 2"),
    ("MaxPool, named sizes, perhaps beyond", 22, |g| max_pool(g, "N 1 H 5", 1, 3), "N 1 maxpool.2 2"),
    ("Slice backwards from beyond the end", 17, |g| slice(g, "6", [1 << 31, 2, 0, -1]), "3"),
    ("Slice backwards over the whole", 17, |g| slice(g, "N", [-1, i64::MIN, 0, -1]), "N"),
    ("Slice backwards in steps", 17, |g| slice(g, "6", [-1, i64::MIN, 0, -4]), "2"),
    ("Slice behind the end", 17, |g| slice(g, "6", [7, 9, 0, 1]), "0"),
    (
        "BatchNormalization of float16 with float32 statistics",
        15,
        |g| {
            let (x, c, s) = (g.x(Float16, "N 3 4"), g.x(Float16, "3"), g.f("3"));
            g.plain("BatchNormalization", [&x, &c, &c, &s, &s])
        },
        "N 3 4",
    ),
    (
        "LSTM without `hidden_size`",
        17,
        |g| {
            let (x, w, r) = (g.f("T N 2"), g.f("2 12 2"), g.f("2 12 3"));
            g.node("LSTM", [&x, &w, &r], |node| node.text("direction", "bidirectional"))
        },
        "T 2 N 3",
    ),
    (
        "RNN, batch first",
        17,
        |g| {
            let (x, w, r) = (g.f("N T 2"), g.f("1 3 2"), g.f("1 3 3"));
            g.node("RNN", [&x, &w, &r], |node| node.int("layout", 1))
        },
        "N T 1 3",
    ),
    ("ConvTranspose, output_shape", 17, |g| upsample(g, |node| node.ints("output_shape", [9, 9])), "N 2 9 9"),
    (
        "ConvTranspose, padded by the runtime",
        17,
        |g| upsample(g, |node| node.text("auto_pad", "SAME_UPPER").ints("strides", [2, 2])),
        "N 2 2*H 14",
    ),
    (
        "ConvTranspose, never padded",
        17,
        |g| upsample(g, |node| node.text("auto_pad", "VALID")),
        "N 2 H + 2 9",
    ),
    (
        "Relu of bfloat16",
        13,
        |g| {
            let x = g.x(BFloat16, "N 3");
            g.plain("Relu", [&x])
        },
        "N 3",
    ),
    (
        "ReduceSum over axes given when it runs",
        17,
        |g| {
            let (x, axes) = (g.f("N 3 4"), g.x(Int64, "2"));
            g.node("ReduceSum", [&x, &axes], |node| node.int("keepdims", 0))
        },
        "reducesum.0",
    ),
    (
        "Unsqueeze at axes given when it runs",
        17,
        |g| {
            let (x, axes) = (g.f("N 3"), g.x(Int64, "1"));
            g.plain("Unsqueeze", [&x, &axes])
        },
        "unsqueeze.0 unsqueeze.1 unsqueeze.2",
    ),
    (
        "Resize, rounded one way or the other",
        17,
        |g| {
            let (x, scales) = (g.f("1 1 10 10"), g.floats(&[1.0, 1.0, 0.7, 0.75]));
            g.builder.node(Node::new("Resize", "resize").input(&x).skip().input(&scales))
        },
        "1 1 resize.2 7",
    ),
    (
        "Resize that keeps proportions",
        18,
        |g| {
            let (x, sizes) = (g.f("N C 10 20"), g.list(&[7, 8]));
            let node =
                Node::new("Resize", "resize").input(&x).skip().skip().input(&sizes).ints("axes", [2, 3]);
            g.builder.node(node.text("keep_aspect_ratio_policy", "not_larger"))
        },
        "N C 4 8",
    ),
    (
        "Split into uneven parts",
        18,
        |g| {
            let x = g.f("7 2");
            let parts =
                g.builder.node_with_outputs(Node::new("Split", "part").input(&x).int("num_outputs", 3), 3)?;
            let sizes: Vec<String> = parts.iter().map(text).collect();
            assert_eq!(sizes, ["3 2", "3 2", "1 2"]);
            Ok(parts[0].clone())
        },
        "3 2",
    ),
    (
        "DequantizeLinear of blocks",
        21,
        |g| {
            let (x, scale) = (g.x(DataType::Int8, "3 5"), g.x(Float16, "3 3"));
            g.node("DequantizeLinear", [&x, &scale], |node| node.int("axis", -1).int("block_size", 2))
        },
        "3 5",
    ),
    (
        "Shape from an axis in int32",
        17,
        |g| {
            let axes = Tensor::raw(DataType::Int32, &[1], 1i32.to_le_bytes().to_vec());
            let (x, axes) = (g.f("N 3 4"), g.builder.constant("axes", axes).unwrap());
            let (start, end) = (g.list(&[1]), g.list(&[2]));
            let cast = |g: &mut Graph, value| g.node("Cast", [value], |node| node.int("to", 6)).unwrap();
            let (start, end) = (cast(g, &start), cast(g, &end));
            g.plain("Slice", [&x, &start, &end, &axes])
        },
        "N 1 4",
    ),
];

#[test]
fn unusual_forms_are_taken() {
    let mut failures = Vec::new();
    for (name, opset, build, wanted) in CASES {
        let mut graph = Graph::new(*opset);
        let outcome = build(&mut graph).and_then(|value| {
            graph.builder.output(&value, "out")?;
            keep(&graph.builder.finish([])?);
            Ok(text(&value))
        });
        match outcome {
            Ok(found) if found == *wanted => {}
            Ok(found) => failures.push(format!("{name}: [{found}], not [{wanted}]")),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

fn with_constant(opset: i64, tensor: TensorProto) -> ModelProto {
    let mut graph = Graph::new(opset);
    let constant = graph.builder.constant("c", Tensor::f32(&[], &[1.0])).unwrap();
    graph.builder.output(&constant, "out").unwrap();
    let mut model = graph.builder.finish([]).unwrap().proto().clone();
    let declared = model.graph.as_mut().unwrap();
    declared.initializer = vec![TensorProto { name: "c".to_owned(), ..tensor }];
    declared.output[0].r#type.as_mut().unwrap().tensor_type = None;
    model
}

#[test]
fn a_constant_may_lie_in_the_list_of_its_type() {
    let tensor =
        |kind: DataType| TensorProto { data_type: kind.code(), dims: vec![2], ..TensorProto::default() };
    let sound = [
        TensorProto { uint64_data: vec![1, 2], ..tensor(DataType::UInt64) },
        TensorProto { uint64_data: vec![1, 2], ..tensor(DataType::UInt32) },
        TensorProto { int32_data: vec![1, 2], ..tensor(DataType::BFloat16) },
        TensorProto { string_data: vec![b"a".to_vec(), b"b".to_vec()], ..tensor(DataType::Text) },
    ];
    for tensor in sound {
        validate(&with_constant(13, tensor)).unwrap();
    }
    let broken = [
        TensorProto { int64_data: vec![1, 2], ..tensor(DataType::UInt64) },
        TensorProto { float_data: vec![1.0, 2.0], ..tensor(Float16) },
        TensorProto { float_data: vec![1.0], double_data: vec![2.0], ..tensor(Float32) },
        TensorProto { string_data: vec![b"a".to_vec()], ..tensor(DataType::Text) },
    ];
    for tensor in broken {
        let error = validate(&with_constant(13, tensor)).unwrap_err().to_string();
        assert!(error.contains("elements"), "{error}");
    }
}

#[test]
fn constants_of_files_keep_their_elements() {
    let tensor =
        |kind: DataType| TensorProto { data_type: kind.code(), dims: vec![2], ..TensorProto::default() };
    let cases = [
        (TensorProto { float_data: vec![1.0, -2.0], ..tensor(Float32) }, vec![0, 0, 128, 63, 0, 0, 0, 192]),
        (TensorProto { int32_data: vec![-1, 258], ..tensor(DataType::Int16) }, vec![255, 255, 2, 1]),
        (TensorProto { uint64_data: vec![1, 2], ..tensor(DataType::UInt32) }, vec![1, 0, 0, 0, 2, 0, 0, 0]),
        (TensorProto { raw_data: vec![7, 8], ..tensor(DataType::UInt8) }, vec![7, 8]),
    ];
    for (proto, raw) in cases {
        let found = Tensor::from_proto(&proto).unwrap();
        assert_eq!(found, Tensor::raw(DataType::from_code(proto.data_type).unwrap(), &[2], raw));
    }
    let text = TensorProto { string_data: vec![Vec::new(), Vec::new()], ..tensor(DataType::Text) };
    assert!(Tensor::from_proto(&text).is_err());
}

#[test]
fn older_formats_are_read() {
    // As PyTorch 1.7 writes operator set 12.
    let mut model =
        with_constant(12, TensorProto { data_type: 1, float_data: vec![1.0], ..TensorProto::default() });
    model.ir_version = 6;
    validate(&model).unwrap();
}
