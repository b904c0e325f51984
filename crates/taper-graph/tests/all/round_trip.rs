//! Random graphs survive being written to a network file and read back.

use proptest::prelude::*;
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op, ValueId};

fn pair(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    [range.clone(), range]
}

fn convolutions() -> impl Strategy<Value = Op> {
    let numbers = (1..9usize, pair(1..5), pair(1..4), pair(0..3), pair(1..3), 1..4usize, any::<bool>());
    numbers.prop_map(|(out_channels, kernel, stride, padding, dilation, groups, bias)| {
        Op::Conv2d(Conv2d { out_channels, kernel, stride, padding, dilation, groups, bias })
    })
}

fn max_pools() -> impl Strategy<Value = Op> {
    let numbers = (pair(1..4), pair(1..4), pair(0..2), pair(1..3), any::<bool>());
    numbers.prop_map(|(kernel, stride, padding, dilation, ceil_mode)| {
        Op::MaxPool2d(MaxPool2d { kernel, stride, padding, dilation, ceil_mode })
    })
}

fn avg_pools() -> impl Strategy<Value = Op> {
    let numbers = (pair(1..4), pair(1..4), pair(0..2), any::<bool>(), any::<bool>());
    numbers.prop_map(|(kernel, stride, padding, ceil_mode, count_include_pad)| {
        Op::AvgPool2d(AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad })
    })
}

fn ops() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => convolutions(),
        2 => max_pools(),
        2 => avg_pools(),
        1 => (1e-12..1.0f64, 0.0..=1.0f64)
            .prop_map(|(eps, momentum)| Op::BatchNorm2d(BatchNorm2d { eps, momentum })),
        1 => (1..4usize, -1.0..1.0f32, 1e-3..2.0f32)
            .prop_map(|(n, mean, std)| Op::Normalize(Normalize { mean: vec![mean; n], std: vec![std; n] })),
        2 => (1..50usize, any::<bool>())
            .prop_map(|(out_features, bias)| Op::Linear(Linear { out_features, bias })),
        2 => (0.0..1.0f32).prop_map(Op::dropout),
        1 => Just(Op::Flatten),
        1 => Just(Op::GlobalAvgPool),
        2 => Just(Op::Add),
        2 => Just(Op::Concat),
        3 => prop::sample::select(vec![Op::Relu, Op::Gelu, Op::Silu, Op::Tanh, Op::Sigmoid, Op::Softmax]),
    ]
}

/// A graph of those of the `ops` that fit where they come. An addition or concatenation also reads the value
/// `reach` places back; every third node bears a name of its own.
fn graph(input: &[usize], ops: Vec<(Op, usize)>) -> Graph {
    let mut graph = Graph::new("random", input).unwrap();
    let mut values: Vec<ValueId> = vec![graph.input()];
    for (op, reach) in ops {
        let last = graph.output();
        let number = graph.nodes().len();
        let name = if number % 3 == 1 { format!("{}_{number}.0", op.name()) } else { number.to_string() };
        let earlier = values[values.len().saturating_sub(reach)..][0];
        let inputs = if matches!(op, Op::Add | Op::Concat) { vec![earlier, last] } else { vec![last] };
        if let Ok(value) = graph.wire(name, op, &inputs) {
            values.push(value);
        }
    }
    if graph.nodes().is_empty() {
        graph.wire("only", Op::Relu, &[graph.input()]).unwrap();
    }
    graph
}

proptest! {
    #[test]
    fn a_graph_survives_its_file(
        input in [1..5usize, 1..20, 1..20], ops in prop::collection::vec((ops(), 1..4usize), 1..16),
    ) {
        let graph = graph(&input, ops);
        prop_assert_eq!(graph.check_complete(), Ok(()));
        let text = graph.to_toml();
        let read = Graph::from_toml(&text);
        prop_assert_eq!(read.as_ref(), Ok(&graph), "{}", text);
        // Also inside another document, as a run's configuration holds it.
        let json = serde_json::to_string(&graph).unwrap();
        prop_assert_eq!(serde_json::from_str::<Graph>(&json).unwrap(), graph);
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in ".{0,200}", line in any::<prop::sample::Index>()) {
        let _ = Graph::from_toml(&text);
        // A network file with one line replaced.
        let file = taper_graph::Preset::LeNet5.toml();
        let at = line.index(file.lines().count());
        let lines: Vec<&str> = file.lines().enumerate().map(|(i, l)| if i == at { &text[..] } else { l }).collect();
        let _ = Graph::from_toml(&lines.join("\n"));
    }
}
