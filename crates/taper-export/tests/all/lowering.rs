//! Every op's ONNX form computes what the op computes.

use proptest::prelude::*;
use taper_export::onnx::{LowerError, Options, Profile};
use taper_graph::{BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op};

use crate::oracle::compare;
use crate::reference;
use crate::written::lower;

fn conv(out_channels: usize, kernel: usize) -> Conv2d {
    Conv2d::new(out_channels, kernel)
}

fn normalize(channels: usize) -> Op {
    let numbers = |start: f32| (0..channels).map(|channel| start + 0.3 * channel as f32).collect();
    Op::Normalize(Normalize { mean: numbers(-0.4), std: numbers(0.2) })
}

/// Straight graphs, at least one for every op that needs one input.
fn straight() -> Vec<(&'static str, Vec<usize>, Vec<Op>)> {
    let image = vec![4, 7, 6];
    let conv = |conv| vec![Op::Conv2d(conv)];
    vec![
        ("conv", image.clone(), conv(Conv2d::new(6, 3))),
        ("conv_pointwise", image.clone(), conv(Conv2d::new(3, 1))),
        ("conv_padded", image.clone(), conv(Conv2d::new(6, 3).padding(1).stride(2))),
        ("conv_without_bias", image.clone(), conv(Conv2d::new(6, 3).no_bias())),
        ("conv_depthwise", image.clone(), conv(Conv2d { groups: 4, ..Conv2d::new(8, 3) })),
        ("conv_dilated", image.clone(), conv(Conv2d { dilation: [2, 2], ..Conv2d::new(2, 3) })),
        (
            "conv_oblong",
            image.clone(),
            conv(Conv2d { kernel: [3, 2], padding: [2, 1], groups: 2, ..Conv2d::new(6, 3) }),
        ),
        (
            "conv_unlike_axes",
            image.clone(),
            conv(Conv2d { stride: [2, 1], dilation: [1, 2], ..Conv2d::new(6, 2) }),
        ),
        ("global_avg_pool", image.clone(), vec![Op::GlobalAvgPool]),
        ("batch_norm", image.clone(), vec![Op::BatchNorm2d(BatchNorm2d::default())]),
        ("normalize", image.clone(), vec![normalize(4)]),
        ("linear", vec![5], vec![Op::Linear(Linear::new(3))]),
        ("linear_without_bias", vec![5], vec![Op::Linear(Linear { out_features: 3, bias: false })]),
        ("relu", image.clone(), vec![Op::Relu]),
        ("gelu", image.clone(), vec![Op::Gelu]),
        ("silu", image.clone(), vec![Op::Silu]),
        ("tanh", image.clone(), vec![Op::Tanh]),
        ("sigmoid", image.clone(), vec![Op::Sigmoid]),
        ("softmax_of_features", vec![5], vec![Op::Softmax]),
        ("softmax_of_channels", image.clone(), vec![Op::Softmax]),
        ("dropout_alone", image.clone(), vec![Op::dropout(0.5)]),
        ("dropout_at_the_end", vec![5], vec![Op::Linear(Linear::new(3)), Op::dropout(0.5)]),
        ("flatten", image.clone(), vec![Op::Flatten]),
        ("flatten_of_features", vec![5], vec![Op::Flatten]),
        (
            "norm_folded",
            image.clone(),
            vec![
                Op::Conv2d(Conv2d::new(6, 3).no_bias()),
                Op::BatchNorm2d(BatchNorm2d { eps: 1e-3, momentum: 0.1 }),
                Op::Relu,
            ],
        ),
        (
            "norm_folded_into_bias",
            image,
            vec![
                Op::Conv2d(Conv2d { groups: 2, ..Conv2d::new(6, 3) }),
                Op::BatchNorm2d(BatchNorm2d::default()),
            ],
        ),
    ]
}

#[test]
fn every_op_agrees_in_rten_and_candle() {
    let mut failures = Vec::new();
    let (mut in_candle, mut in_all) = (0, 0);
    let straight =
        straight().into_iter().map(|(name, input, ops)| Graph::sequential(name, &input, ops).unwrap());
    for graph in straight.chain([joined(), shared_conv()]) {
        match compare(&graph, 9, 1) {
            Ok(agreement) => {
                in_all += 1;
                in_candle += usize::from(agreement.candle.is_some());
            }
            Err(error) => failures.push(format!("{}: {error}", graph.name())),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    // Only `conv_unlike_axes` is beyond candle.
    assert_eq!((in_all, in_candle), (28, 27));
}

/// A sum and a join of three values, one of them read twice, with names that invite clashes.
fn joined() -> Graph {
    let mut graph = Graph::new("joined", &[3, 5, 5]).unwrap();
    let x = graph.input();
    let a = graph.wire("logits", Op::Conv2d(conv(4, 3).padding(1)), &[x]).unwrap();
    let b = graph.wire("image", Op::Conv2d(conv(4, 1)), &[x]).unwrap();
    let sum = graph.wire("logits.weight", Op::Add, &[a, b]).unwrap();
    let twice = graph.wire("image.bias", Op::Add, &[sum, sum]).unwrap();
    let gelu = graph.wire("gelu", Op::Gelu, &[twice]).unwrap();
    let clash = graph.wire("gelu.half", Op::Relu, &[gelu]).unwrap();
    graph.wire("joined", Op::Concat, &[x, clash, sum]).unwrap();
    graph
}

/// A convolution whose output is read by a norm and by another node, so that the norm must not be folded.
fn shared_conv() -> Graph {
    let mut graph = Graph::new("shared_conv", &[3, 5, 5]).unwrap();
    let x = graph.input();
    let a = graph.wire("conv", Op::Conv2d(conv(4, 3)), &[x]).unwrap();
    let b = graph.wire("norm", Op::BatchNorm2d(BatchNorm2d::default()), &[a]).unwrap();
    graph.wire("sum", Op::Add, &[a, b]).unwrap();
    graph
}

fn op_types(graph: &Graph) -> Vec<String> {
    let model = lower(graph, &reference::weights(graph, 0), &Options::default()).unwrap();
    let nodes = &model.proto().graph.as_ref().unwrap().node;
    nodes.iter().map(|node| node.op_type.clone()).collect()
}

#[test]
fn a_norm_is_folded_only_into_a_convolution_that_nothing_else_reads() {
    let norm = || Op::BatchNorm2d(BatchNorm2d::default());
    let folded = Graph::sequential("folded", &[2, 4, 4], [Op::Conv2d(conv(3, 3)), norm(), Op::Relu]).unwrap();
    assert_eq!(op_types(&folded), ["Conv", "Relu"]);
    assert_eq!(op_types(&shared_conv()), ["Conv", "BatchNormalization", "Add"]);
    let behind = Graph::sequential("behind", &[2, 4, 4], [Op::Conv2d(conv(3, 3)), Op::Relu, norm()]).unwrap();
    assert_eq!(op_types(&behind), ["Conv", "Relu", "BatchNormalization"]);
}

#[test]
fn names_are_the_layers_and_the_weights() {
    let graph = taper_graph::Preset::Tutorial.graph().unwrap();
    let model = lower(&graph, &reference::weights(&graph, 0), &Options::default()).unwrap();
    let proto = model.proto().graph.as_ref().unwrap();
    let constants: Vec<&str> = proto.initializer.iter().map(|constant| constant.name.as_str()).collect();
    assert_eq!(constants, graph.params().map(|named| named.name).collect::<Vec<_>>());
    let nodes: Vec<&str> = proto.node.iter().map(|node| node.name.as_str()).collect();
    let layers = graph.nodes().iter().filter(|layer| !matches!(layer.op, Op::Dropout(_)));
    assert_eq!(nodes, layers.map(|layer| layer.name.as_str()).collect::<Vec<_>>());
    assert!(proto.value_info.is_empty());
}

#[test]
fn weights_of_another_graph_are_refused() {
    let graph = |name, features| Graph::sequential(name, &[3], [Op::Linear(Linear::new(features))]).unwrap();
    let weights = reference::weights(&graph("one", 2), 0);
    let error = lower(&graph("other", 4), &weights, &Options::default()).unwrap_err();
    let expected = "these are not the weights of the network `other`: 0.weight is [2, 3] and should be [4, 3]; \
                    0.bias is [2] and should be [4]";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_incomplete_graph_is_refused() {
    let empty = Graph::new("empty", &[3]).unwrap();
    let weights = reference::weights(&empty, 0);
    let error = lower(&empty, &weights, &Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "graph `empty` has no layers; add at least one");
}

#[test]
fn what_a_profile_lacks_is_refused_with_a_reason() {
    // Both taps fall on the padding, above and below the one row.
    let pool = MaxPool2d { dilation: [2, 1], padding: [1, 0], ..MaxPool2d::new(2) };
    let graph = Graph::sequential("dilated", &[1, 1, 4], [Op::MaxPool2d(pool)]).unwrap();
    let error = lower(&graph, &reference::weights(&graph, 0), &Options::default()).unwrap_err();
    assert!(matches!(error, LowerError::Unsupported { profile: Profile::Portable, .. }));
    let text = error.to_string();
    assert!(text.contains("node `0` (max_pool2d)") && text.contains("use a smaller padding"), "{text}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_convolution_agrees(
        (groups, per_group, out_per_group) in (1..4usize, 1..4usize, 1..4usize),
        kernel in [1..5usize, 1..5],
        stride in [1..4usize, 1..4],
        padding in [0..4usize, 0..4],
        dilation in [1..3usize, 1..3],
        size in [1..10usize, 1..10],
        alike in any::<bool>(),
        bias in any::<bool>(),
        seed in any::<u64>(),
    ) {
        // candle has one stride and one dilation for both axes.
        let axes = |pair: [usize; 2]| if alike { [pair[0]; 2] } else { pair };
        let (stride, dilation) = (axes(stride), axes(dilation));
        let out_channels = groups * out_per_group;
        let conv = Conv2d { out_channels, kernel, stride, padding, dilation, groups, bias };
        let input = [groups * per_group, size[0], size[1]];
        let graph = Graph::sequential("conv", &input, [Op::Conv2d(conv)]);
        prop_assume!(graph.is_ok());
        let agreement = compare(&graph.unwrap(), 2, seed);
        prop_assert!(agreement.is_ok(), "{}", agreement.err().unwrap_or_default());
    }
}
