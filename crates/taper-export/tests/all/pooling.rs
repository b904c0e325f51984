//! Pools agree for every kernel, stride, padding, dilation and rounding, although no two runtimes round alike.

use proptest::prelude::*;
use taper_graph::{AvgPool2d, Graph, MaxPool2d, Op};

use crate::oracle::compare;

/// Cases in which ONNX's formula, its implementations and PyTorch are known to part ways.
fn cases() -> Vec<(&'static str, [usize; 3], Op)> {
    let max = |kernel: usize, stride, padding, ceil_mode| {
        Op::MaxPool2d(MaxPool2d { ceil_mode, ..MaxPool2d::new(kernel).stride(stride).padding(padding) })
    };
    let avg = |kernel: usize, stride: usize, padding: usize, ceil_mode, count_include_pad| {
        let (stride, padding) = ([stride; 2], [padding; 2]);
        Op::AvgPool2d(AvgPool2d { stride, padding, ceil_mode, count_include_pad, ..AvgPool2d::new(kernel) })
    };
    let dilated = |kernel: usize, dilation: usize, padding, ceil_mode| {
        let pool = MaxPool2d::new(kernel).stride(2).padding(padding);
        Op::MaxPool2d(MaxPool2d { dilation: [dilation; 2], ceil_mode, ..pool })
    };
    vec![
        ("max_plain", [5, 6, 7], max(2, 2, 0, false)),
        ("max_padded", [3, 7, 7], max(2, 2, 1, false)),
        ("max_overlapping", [3, 7, 8], max(3, 2, 1, false)),
        ("max_ceil", [2, 7, 6], max(2, 2, 0, true)),
        ("max_ceil_padded", [2, 6, 5], max(3, 2, 1, true)),
        // The last window would start in the right padding, and is dropped.
        ("max_ceil_dropped", [2, 3, 3], max(2, 3, 1, true)),
        ("max_ceil_incomplete", [2, 2, 2], max(3, 2, 0, true)),
        ("max_dilated", [2, 9, 9], dilated(3, 2, 0, false)),
        ("max_dilated_padded", [2, 9, 8], dilated(2, 3, 1, false)),
        ("max_dilated_ceil", [2, 8, 9], dilated(3, 2, 1, true)),
        ("avg_plain", [5, 6, 7], avg(2, 2, 0, false, true)),
        ("avg_padded", [2, 7, 7], avg(3, 2, 1, false, false)),
        ("avg_padded_counted", [2, 7, 7], avg(3, 2, 1, false, true)),
        ("avg_ceil", [2, 7, 6], avg(2, 2, 0, true, false)),
        ("avg_ceil_counted", [2, 7, 6], avg(2, 2, 0, true, true)),
        ("avg_ceil_padded", [2, 6, 6], avg(3, 2, 1, true, false)),
        ("avg_ceil_padded_counted", [2, 6, 7], avg(3, 2, 1, true, true)),
        ("avg_ceil_dropped", [2, 3, 3], avg(2, 3, 1, true, true)),
        ("avg_ceil_incomplete", [2, 2, 2], avg(3, 2, 0, true, true)),
    ]
}

#[test]
fn pools_agree_where_rounding_is_disputed() {
    let mut failures = Vec::new();
    for (name, input, op) in cases() {
        let graph = Graph::sequential(name, &input, [op]).unwrap();
        if let Err(error) = compare(&graph, 3, 2) {
            failures.push(format!("{name}: {error}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// One axis of a pool that PyTorch would take, too: kernel, dilation below `dilations`, padding of at most half the kernel, and an
/// input that the window fits into.
fn axis(dilations: usize) -> impl Strategy<Value = [usize; 4]> {
    (1..5usize, 1..dilations, 0..4usize, 0..7usize).prop_map(|(kernel, dilation, padding, more)| {
        let padding = padding % (kernel / 2 + 1);
        let window = dilation * (kernel - 1) + 1;
        [kernel, dilation, padding, window.saturating_sub(2 * padding).max(1) + more]
    })
}

/// The two axes, number by number.
fn pairs([height, width]: [[usize; 4]; 2]) -> [[usize; 2]; 4] {
    std::array::from_fn(|i| [height[i], width[i]])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_max_pool_agrees(
        axes in [axis(3), axis(3)],
        stride in [1..5usize, 1..5],
        ceil_mode in any::<bool>(),
        channels in 1..7usize,
        seed in any::<u64>(),
    ) {
        let [kernel, dilation, padding, size] = pairs(axes);
        let pool = MaxPool2d { kernel, stride, padding, dilation, ceil_mode };
        let graph = Graph::sequential("max_pool", &[channels, size[0], size[1]], [Op::MaxPool2d(pool)]).unwrap();
        match compare(&graph, 2, seed) {
            Ok(agreement) => prop_assert!(agreement.candle.is_some()),
            // A window without any tap inside the input is the one thing that has no form.
            Err(error) => {
                let empty_window = dilation != [1, 1] && error.contains("has no tap inside the input");
                prop_assert!(empty_window, "{error}");
            }
        }
    }

    #[test]
    fn any_average_pool_agrees(
        axes in [axis(2), axis(2)],
        stride in [1..5usize, 1..5],
        (ceil_mode, count_include_pad) in any::<(bool, bool)>(),
        channels in 1..7usize,
        seed in any::<u64>(),
    ) {
        let [kernel, _, padding, size] = pairs(axes);
        let pool = AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad };
        let graph = Graph::sequential("avg_pool", &[channels, size[0], size[1]], [Op::AvgPool2d(pool)]).unwrap();
        let agreement = compare(&graph, 2, seed);
        prop_assert!(agreement.is_ok(), "{}", agreement.err().unwrap_or_default());
    }
}
