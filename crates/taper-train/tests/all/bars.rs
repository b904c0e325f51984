//! A dataset small enough to be learnt in a second: bars in four directions, with noise.

use taper_data::{Dataset, Images};
use taper_graph::{Conv2d, Graph, Linear, MaxPool2d, Op};
use taper_model::Model;
use taper_train::FitConfig;

const SIDE: usize = 8;

/// Whether pixel (row, column) is on the bar of direction `class`, shifted by `shift`.
fn on_bar(class: usize, row: usize, column: usize, shift: usize) -> bool {
    match class {
        0 => row == 2 + shift,
        1 => column == 2 + shift,
        2 => row + 2 == column + shift,
        _ => row + column == 5 + shift,
    }
}

/// `count` noisy bars of 8×8 pixels; `seed` decides the noise.
pub(crate) fn bars(count: usize, seed: u64) -> Dataset {
    // A linear congruential generator (Knuth's MMIX) is random enough for noise.
    let mut state = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut random = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for image in 0..count {
        let class = image % 4;
        let shift = random(4) as usize;
        for pixel in 0..SIDE * SIDE {
            let base = if on_bar(class, pixel / SIDE, pixel % SIDE, shift) { 150 } else { 0 };
            pixels.push(base + random(100) as u8);
        }
        labels.push(class as u8);
    }
    let images = Images::new(count, 1, SIDE, SIDE, pixels).unwrap();
    let names = ["horizontal", "vertical", "falling", "rising"].map(str::to_owned).to_vec();
    Dataset::new(images, labels, names).unwrap()
}

/// Convolution, ReLU, max-pool, linear, and dropout when `p` is not 0.
pub(crate) fn graph(p: f32) -> Graph {
    let mut ops = vec![
        Op::Conv2d(Conv2d::new(8, 3).padding(1)),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Flatten,
    ];
    if p > 0.0 {
        ops.push(Op::dropout(p));
    }
    ops.push(Op::Linear(Linear::new(4)));
    Graph::sequential("bars", &[1, SIDE, SIDE], ops).unwrap()
}

pub(crate) fn model(p: f32) -> Model {
    Model::new(graph(p), 1).unwrap()
}

/// Settings that learn the bars within a few epochs.
pub(crate) fn config(epochs: usize) -> FitConfig {
    FitConfig { epochs, batch_size: 32, learning_rate: 5e-3, ..FitConfig::default() }
}
