//! A file that is read and written again is the same; files from elsewhere mean the same; anything else is refused.

use proptest::prelude::*;
use prost::Message;
use taper_export::onnx::proto::{ModelProto, NodeProto};
use taper_export::onnx::{
    DataType, Dim, GraphBuilder, Node, OpsetVersion, Options, Profile, ReadError, Tensor, Value, lower, read,
};
use taper_export::{DatasetInfo, Metadata, Sample, verify};
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Op, Preset, ValueId};

use crate::reference;

/// Whether the bytes of a file of Taper's come back when it is read and written again.
pub(crate) fn round_trip(bytes: &[u8]) -> Result<(), String> {
    let file = read(bytes).map_err(|error| format!("read: {error}"))?;
    let again =
        lower(&file.graph, &file.weights, &file.options).map_err(|error| format!("again: {error}"))?;
    if again.to_bytes() == bytes {
        return Ok(());
    }
    let before = ModelProto::decode(bytes).unwrap();
    let nodes = |model: &ModelProto| format!("{:?}", model.graph.as_ref().unwrap().node);
    Err(format!("read and written again, {} becomes {}", nodes(&before), nodes(again.proto())))
}

fn metadata(graph: &Graph) -> Metadata {
    let dataset =
        DatasetInfo { name: "mnist".into(), sha256: "440f".into(), source: "ylecun/mnist@main".into() };
    let class_names = ["zero", "\"one\"", "zwei ä"].map(str::to_owned).to_vec();
    Metadata { accuracy: Some(0.990_000_000_1), ..Metadata::new(graph.clone(), dataset, class_names) }
}

#[test]
fn presets_come_back_with_names_and_metadata() {
    for graph in Preset::ALL.map(|preset| preset.graph().unwrap()) {
        let weights = reference::weights(&graph, 4);
        for profile in [Profile::Portable, Profile::Candle] {
            for with_metadata in [false, true] {
                let mut options = Options::default().profile(profile);
                options.input = "x".to_owned();
                options.output = "fc1".to_owned(); // also the name of a layer
                if with_metadata {
                    options = options.metadata(metadata(&graph));
                }
                let bytes = lower(&graph, &weights, &options).unwrap().to_bytes();
                round_trip(&bytes).unwrap();
                let file = read(&bytes).unwrap();
                assert_eq!((file.options.input.as_str(), file.options.output.as_str()), ("x", "fc1"));
                // The graph in the metadata is the one that was read, without the layers that leave no trace.
                let expected = options.metadata.map(|known| Metadata { graph: file.graph.clone(), ..known });
                assert_eq!(file.options.metadata, expected);
            }
        }
    }
}

#[test]
fn the_reference_network_is_the_same_but_for_dropout() {
    let graph = Preset::Tutorial.graph().unwrap();
    let weights = reference::weights(&graph, 0);
    let file = read(&lower(&graph, &weights, &Options::default()).unwrap().to_bytes()).unwrap();
    assert_eq!(file.weights, weights);
    let ops = |graph: &Graph| {
        let layers = graph.nodes().iter().filter(|node| !matches!(node.op, Op::Dropout(_)));
        layers.map(|node| (node.name.clone(), node.op.clone())).collect::<Vec<_>>()
    };
    assert_eq!(ops(&file.graph), ops(&graph));
    assert_eq!(file.graph.name(), "tutorial");
}

/// One layer of a random graph: what it is, which values it reads, and whether its name is one that clashes.
type Choice = (u8, u8, u8, u8);

/// A graph of image layers and then features, from choices of which those that do not fit are left out.
fn random_graph(size: usize, channels: usize, choices: &[Choice]) -> Graph {
    let mut graph = Graph::new("random", &[channels, size, size]).unwrap();
    let mut values = vec![graph.input()];
    for (number, &(kind, first, second, setting)) in choices.iter().enumerate() {
        let pick = |choice: u8| values[values.len() - 1 - usize::from(choice) % values.len().min(3)];
        let (x, y) = (pick(first), pick(second));
        let name = match setting % 7 {
            0 => format!("block{}.{number}.logits", number / 3),
            1 => format!("layer{number}.weight"),
            2 => format!("{number}.erf"),
            _ => format!("layer{number}"),
        };
        if let Ok(value) = wire(&mut graph, &name, kind, usize::from(setting), x, y) {
            values.push(value);
        }
    }
    join_loose_ends(graph)
}

fn wire(
    graph: &mut Graph,
    name: &str,
    kind: u8,
    setting: usize,
    x: ValueId,
    y: ValueId,
) -> Result<ValueId, taper_graph::GraphError> {
    let (small, odd, flag) = (1 + setting % 3, setting / 3 % 2, setting % 2 == 0);
    let stride = [1 + setting / 2 % 2, 1 + setting / 4 % 2];
    let op = match kind % 18 {
        0 | 1 => Op::Conv2d(Conv2d {
            stride,
            padding: [odd, 1],
            bias: flag,
            ..Conv2d::new(2 + setting % 3, small)
        }),
        2 => Op::Conv2d(Conv2d { dilation: [1 + odd, 1], ..Conv2d::new(small, 2) }),
        3 | 4 => {
            Op::BatchNorm2d(BatchNorm2d { eps: if flag { 1e-3 } else { 1e-5 }, ..BatchNorm2d::default() })
        }
        5 => Op::MaxPool2d(MaxPool2d {
            ceil_mode: flag,
            padding: [odd, 0],
            stride,
            ..MaxPool2d::new(1 + small)
        }),
        6 => Op::MaxPool2d(MaxPool2d {
            ceil_mode: flag,
            dilation: [1 + odd, 2],
            stride,
            ..MaxPool2d::new(small)
        }),
        7 => Op::AvgPool2d(AvgPool2d {
            ceil_mode: flag,
            count_include_pad: odd == 0,
            padding: [odd, 1],
            stride,
            ..AvgPool2d::new(1 + small)
        }),
        8 => Op::GlobalAvgPool,
        9 => Op::Relu,
        10 => Op::Gelu,
        11 => Op::Silu,
        12 => [Op::Tanh, Op::Sigmoid, Op::Softmax][setting % 3].clone(),
        13 | 14 => Op::dropout(0.5),
        15 => return graph.wire(name, if flag { Op::Add } else { Op::Concat }, &[x, y]),
        16 => Op::Flatten,
        _ => Op::Linear(Linear { out_features: 1 + setting % 4, bias: flag }),
    };
    graph.wire(name, op, &[x])
}

/// Values that nothing reads are flattened and joined, so that the graph is complete.
fn join_loose_ends(mut graph: Graph) -> Graph {
    let read: Vec<ValueId> = graph.nodes().iter().flat_map(|node| node.inputs.clone()).collect();
    let mut ends = Vec::new();
    let mut value = graph.input();
    // Identifiers come from wiring alone; those of a copy are the same.
    let mut copy = Graph::new(graph.name(), &graph.input_shape().item()).unwrap();
    for node in graph.nodes() {
        value = copy.wire(&node.name, node.op.clone(), &node.inputs).unwrap();
        if !read.contains(&value) {
            ends.push(value);
        }
    }
    if ends.len() > 1 {
        let flat = ends
            .iter()
            .enumerate()
            .map(|(number, &end)| graph.wire(format!("end{number}"), Op::Flatten, &[end]).unwrap());
        let flat: Vec<ValueId> = flat.collect();
        graph.wire("ends", Op::Concat, &flat).unwrap();
    } else if value == graph.input() {
        graph.wire("only", Op::dropout(0.1), &[value]).unwrap();
    }
    graph
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_graph_comes_back_byte_for_byte(
        size in 1..12usize,
        channels in 1..4usize,
        choices in prop::collection::vec(any::<Choice>(), 1..14),
        seed in any::<u64>(),
    ) {
        let graph = random_graph(size, channels, &choices);
        let weights = reference::weights(&graph, seed);
        for profile in [Profile::Portable, Profile::Candle] {
            let options = Options::default().profile(profile);
            let Ok(model) = lower(&graph, &weights, &options) else { continue };
            let outcome = round_trip(&model.to_bytes());
            prop_assert!(outcome.is_ok(), "{profile}: {}\n{}", outcome.unwrap_err(), graph.to_toml());
        }
    }

    #[test]
    fn any_damage_is_read_or_refused(place in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let ops = [Op::Conv2d(Conv2d::new(2, 2)), Op::Gelu, Op::MaxPool2d(MaxPool2d { dilation: [2, 2], ..MaxPool2d::new(2) }), Op::Flatten, Op::Linear(Linear::new(2))];
        let graph = Graph::sequential("tiny", &[1, 5, 5], ops).unwrap();
        let mut bytes = lower(&graph, &reference::weights(&graph, 0), &Options::default()).unwrap().to_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        let _ = read(&bytes).map_err(|error| error.to_string());
    }
}

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
    graph.finish([]).unwrap().to_bytes()
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
        let half = graph.constant("half", Tensor::f32(&[], &[0.25])).unwrap();
        let x = graph.node(Node::new("Dropout", "drop").inputs([&x, &half])).unwrap();
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
        ("gelu", gelu, &["gelu", "dropout", "flatten", "softmax"]),
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
