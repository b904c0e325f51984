//! Files from elsewhere are read as what they mean; anything else is refused.

use prost::Message;
use taper_export::onnx::proto::{ModelProto, NodeProto};
use taper_export::onnx::{
    DataType, Dim, GraphBuilder, Node, OpsetVersion, Options, ReadError, Tensor, Value, read,
};
use taper_export::{Sample, verify};
use taper_graph::{Op, Preset};

use crate::reference;
use crate::written::{keep, lower};

/// `[N, 2, 4, 4]`.
fn image() -> [Dim; 4] {
    [Dim::Symbolic("N".to_owned()), Dim::Fixed(2), Dim::Fixed(4), Dim::Fixed(4)]
}

/// The bytes of a graph with one image input, at some operator set.
fn file(opset: i64, build: impl FnOnce(&mut GraphBuilder, Value) -> Value) -> Vec<u8> {
    let mut graph = GraphBuilder::new("main_graph", OpsetVersion::new(opset).unwrap());
    let x = graph.input("x", DataType::Float32, &image()).unwrap();
    let y = build(&mut graph, x);
    graph.output(&y, "y").unwrap();
    let file = graph.finish([]).unwrap();
    keep(&file);
    file.to_bytes()
}

/// `count` numbers that are not too alike.
fn numbers(count: usize) -> Vec<f32> {
    let mut random = reference::Random(count as u64);
    (0..count).map(|_| random.uniform(0.1, 1.0)).collect()
}

fn constant(graph: &mut GraphBuilder, name: &str, dims: &[usize]) -> Value {
    graph.constant(name, Tensor::f32(dims, &numbers(dims.iter().product()))).unwrap()
}

/// Files in spellings that Taper does not write, with the ops they are read as.
fn foreign() -> Vec<(&'static str, Vec<u8>, &'static [&'static str])> {
    let flat = |graph: &mut GraphBuilder, x: &Value, target: &[i64]| {
        let shape = graph.constant("shape", Tensor::i64(target)).unwrap();
        graph.node(Node::new("Reshape", "/Reshape").inputs([x, &shape])).unwrap()
    };
    let gemm = file(17, |graph, x| {
        let x = flat(graph, &x, &[-1, 32]);
        let (weight, bias) = (constant(graph, "fc.weight", &[32, 3]), constant(graph, "b", &[1]));
        let node = Node::new("Gemm", "/fc/Gemm").inputs([&x, &weight, &bias]);
        graph.node(node.float("alpha", 0.5).float("beta", 2.0)).unwrap()
    });
    let norm = file(12, |graph, x| {
        let weight = constant(graph, "conv.weight", &[3, 2, 1, 1]);
        let x = graph
            .node(
                Node::new("Conv", "/conv/Conv")
                    .inputs([&x, &weight])
                    .ints("dilations", [1, 1])
                    .ints("strides", [1, 1])
                    .ints("pads", [0; 4]),
            )
            .unwrap();
        let params = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"];
        let params = params.map(|name| constant(graph, name, &[3]));
        let node = Node::new("BatchNormalization", "/bn/BN").input(&x).inputs(&params).float("momentum", 0.9);
        let x = graph.node(node).unwrap();
        let node = Node::new("ReduceMean", "mean").input(&x).ints("axes", [3, 2]).int("keepdims", 0);
        graph.node(node).unwrap()
    });
    let gelu = file(20, |graph, x| {
        let x = graph.node(Node::new("Gelu", "gelu").input(&x)).unwrap();
        let x = graph.node(Node::new("Identity", "same").input(&x)).unwrap();
        let x = flat(graph, &x, &[0, -1]);
        graph.node(Node::new("Softmax", "softmax").input(&x).int("axis", -1)).unwrap()
    });
    let pools = file(17, |graph, x| {
        // Padding at the end alone, as TensorFlow's `SAME`: what rounding up needs.
        let pool =
            Node::new("MaxPool", "same").input(&x).ints("kernel_shape", [3, 3]).ints("strides", [2, 2]);
        let x = graph.node(pool.ints("pads", [0, 0, 1, 1])).unwrap();
        let pool =
            Node::new("AveragePool", "mean").input(&x).ints("kernel_shape", [2, 2]).ints("strides", [1, 1]);
        let x = graph.node(pool.int("ceil_mode", 1)).unwrap();
        let unused = graph.node(Node::new("Exp", "nobody reads it").input(&x)).unwrap();
        assert_eq!(unused.name(), "nobody reads it");
        graph.node(Node::new("Relu", "relu").input(&x)).unwrap()
    });
    let silu = file(17, |graph, x| {
        // The sigmoid is read by another node as well.
        let sigmoid = graph.node(Node::new("Sigmoid", "sigmoid").input(&x)).unwrap();
        let silu = graph.node(Node::new("Mul", "silu").inputs([&sigmoid, &x])).unwrap();
        let both = graph.node(Node::new("Add", "sum").inputs([&silu, &sigmoid])).unwrap();
        graph.node(Node::new("Concat", "all").inputs([&both, &x]).int("axis", -3)).unwrap()
    });
    vec![
        ("gemm", gemm, &["flatten", "linear"]),
        ("norm", norm, &["conv2d", "batch_norm2d", "global_avg_pool", "flatten"]),
        ("gelu", gelu, &["gelu", "flatten", "softmax"]),
        ("pools", pools, &["max_pool2d", "avg_pool2d", "relu"]),
        ("silu", silu, &["sigmoid", "silu", "add", "concat"]),
    ]
}

#[test]
fn files_from_elsewhere_mean_the_same() {
    for (what, bytes, ops) in foreign() {
        let file = read(&bytes).unwrap_or_else(|error| panic!("{what}: {error}"));
        let found: Vec<&str> = file.graph.nodes().iter().map(|node| node.op.name()).collect();
        assert_eq!(found, ops, "{what}");
        assert!(file.graph.nodes().iter().all(|node| !node.name.contains('/')), "{what}");
        let images = reference::images(&file.graph, 8, 1);
        let logits = reference::forward(&file.graph, &file.weights, &images);
        let logits: Vec<f32> = logits.into_iter().map(|logit| logit as f32).collect();
        let sample = Sample { count: 8, images: &images, logits: &logits };
        // rten runs the file as it came.
        verify(&bytes, &sample, 1e-4).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
}

/// rten, as it is built here, runs no dropout.
#[test]
fn dropout_comes_back_from_files_that_keep_it() {
    let bytes = file(17, |graph, x| {
        let quarter = graph.constant("quarter", Tensor::f32(&[], &[0.25])).unwrap();
        let x = graph.node(Node::new("Dropout", "drop").inputs([&x, &quarter])).unwrap();
        graph.node(Node::new("Relu", "relu").input(&x)).unwrap()
    });
    let graph = read(&bytes).unwrap().graph;
    let ops: Vec<&Op> = graph.nodes().iter().map(|node| &node.op).collect();
    assert_eq!(ops, [&Op::dropout(0.25), &Op::Relu]);
}

/// The node of that name in a file, to be spoilt.
fn spoilt(bytes: &[u8], name: &str, spoil: impl FnOnce(&mut NodeProto)) -> Vec<u8> {
    let mut model = ModelProto::decode(bytes).unwrap();
    let nodes = &mut model.graph.as_mut().unwrap().node;
    spoil(nodes.iter_mut().find(|node| node.name == name).unwrap());
    model.encode_to_vec()
}

#[test]
fn what_has_no_form_is_named_with_the_node() {
    let lenet = Preset::LeNet5.graph().unwrap();
    let good = lower(&lenet, &reference::weights(&lenet, 0), &Options::default()).unwrap().to_bytes();
    let conv = |spoil: fn(&mut NodeProto)| spoilt(&good, "conv1", spoil);
    let ints = |node: &mut NodeProto, name: &str, values: &[i64]| {
        let attribute = node.attribute.iter_mut().find(|attribute| attribute.name == name).unwrap();
        attribute.ints = values.to_vec();
    };
    let in_graph = |change: fn(&mut taper_export::onnx::proto::GraphProto)| {
        let mut model = ModelProto::decode(&good[..]).unwrap();
        change(model.graph.as_mut().unwrap());
        model.encode_to_vec()
    };
    let cases: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("unknown op", conv(|node| node.op_type = "Einsum".into()), &["node `conv1` (Einsum)", "no such op"]),
        (
            "int8",
            conv(|node| node.op_type = "QuantizeLinear".into()),
            &["`conv1` (QuantizeLinear)", "float32 file"],
        ),
        (
            "a class",
            conv(|node| node.op_type = "ArgMax".into()),
            &["`conv1` (ArgMax)", "ends with the logits"],
        ),
        ("a cast", conv(|node| node.op_type = "Cast".into()), &["`conv1` (Cast)", "without float16"]),
        (
            "other domain",
            conv(|node| node.domain = "com.x".into()),
            &["`conv1` (com.x.Conv)", "standard set"],
        ),
        (
            "uneven pads",
            spoilt(&good, "conv1", |node| ints(node, "pads", &[0, 0, 1, 1])),
            &["node `conv1` (Conv)", "pad both sides alike"],
        ),
        (
            "one dimension",
            spoilt(&good, "conv1", |node| ints(node, "strides", &[1])),
            &["`strides` are [1]", "two dimensions"],
        ),
        (
            "unknown setting",
            conv(|node| node.attribute[0].name = "fused".into()),
            &["node `conv1`", "setting `fused` is not read"],
        ),
        (
            "weight computed",
            conv(|node| node.input[1] = "image".into()),
            &["node `conv1`", "`image` is no constant"],
        ),
        (
            "unknown value",
            conv(|node| node.input[0] = "x".into()),
            &["`conv1` (Conv) reads `x`", "earlier node"],
        ),
        (
            "half weights",
            in_graph(|graph| {
                let weight = &mut graph.initializer[0];
                weight.data_type = DataType::Float16.code();
                weight.raw_data.truncate(weight.raw_data.len() / 2);
            }),
            &["constant `conv1.weight`, which node `conv1` reads", "float16"],
        ),
        (
            "weights elsewhere",
            in_graph(|graph| graph.initializer[0].external_data.push(Default::default())),
            &["constant `conv1.weight`", "another file"],
        ),
        (
            "short weight",
            in_graph(|graph| graph.initializer[0].raw_data.truncate(8)),
            &["`conv1.weight`", "8 bytes"],
        ),
        ("two inputs", in_graph(|graph| graph.input.push(graph.input[0].clone())), &["has 2 inputs"]),
        ("no output", in_graph(|graph| graph.output.clear()), &["has 0 outputs", "one output"]),
        ("unmade output", in_graph(|graph| graph.output[0].name = "y".into()), &["`y`, which no node makes"]),
        ("unsorted", in_graph(|graph| graph.node.reverse()), &["reads", "earlier node"]),
        ("no file", b"hello".to_vec(), &["this is no ONNX file"]),
    ];
    for (what, bytes, parts) in cases {
        let error = read(&bytes).expect_err(what).to_string();
        for part in parts {
            assert!(error.contains(part), "{what}: {error}");
        }
    }
    let error =
        read(&file(17, |graph, x| graph.node(Node::new("Exp", "exp").input(&x)).unwrap())).unwrap_err();
    assert!(
        matches!(&error, ReadError::Unsupported { node, op, .. } if node == "exp" && op == "Exp"),
        "{error:?}"
    );
}
