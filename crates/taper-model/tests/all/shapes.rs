//! Inferred shapes against what the running layer returns.

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use taper_graph::{AvgPool2d, Conv2d, Graph, MaxPool2d, Op};
use taper_model::{Mode, Model};

fn pair(range: std::ops::Range<usize>) -> [std::ops::Range<usize>; 2] {
    [range.clone(), range]
}

/// Random windowed ops; most fit the image, and those that do not must be refused when they are wired.
fn ops() -> impl Strategy<Value = Op> {
    let settings = (pair(1..6), pair(1..5), pair(0..3), pair(1..4), any::<bool>(), any::<bool>());
    (settings, 0..3usize, 1..3usize).prop_map(|(settings, kind, groups)| {
        let (kernel, stride, padding, dilation, ceil_mode, flag) = settings;
        match kind {
            0 => {
                Op::Conv2d(Conv2d { out_channels: 4, kernel, stride, padding, dilation, groups, bias: flag })
            }
            1 => Op::MaxPool2d(MaxPool2d { kernel, stride, padding, dilation, ceil_mode }),
            _ => Op::AvgPool2d(AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad: flag }),
        }
    })
}

proptest! {
    // Half of what is drawn does not fit.
    #![proptest_config(ProptestConfig { max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn the_running_layer_returns_the_inferred_shape(op in ops(), batch in 1..3usize, [h, w] in pair(1..15)) {
        let mut graph = Graph::new("case", &[2, h, w]).unwrap();
        let input = graph.input();
        prop_assume!(graph.wire("node", op, &[input]).is_ok());
        let inferred = graph.output_shape().with_batch(batch);
        let model = Model::new(graph, 0).unwrap();
        let x = Tensor::ones((batch, 2, h, w), candle_core::DType::F32, &Device::Cpu).unwrap();
        let y = model.forward(&x, Mode::Eval).unwrap();
        prop_assert_eq!(y.dims(), inferred);
    }
}
