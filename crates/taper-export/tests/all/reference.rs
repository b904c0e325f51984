//! The forward pass by the definitions, in f64 and without any cleverness, and seeded weights to run it on.

use std::collections::BTreeMap;

use taper_graph::{Array, AvgPool2d, BatchNorm2d, Conv2d, Graph, MaxPool2d, Node, Op, Weights, Window};

/// SplitMix64 (Steele et al. 2014).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// Uniform in `[low, high)`.
    pub(crate) fn uniform(&mut self, low: f64, high: f64) -> f32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64;
        (low + unit * (high - low)) as f32
    }
}

/// Random weights of a trained network's size.
pub(crate) fn weights(graph: &Graph, seed: u64) -> Weights {
    let mut random = Random(seed);
    let arrays = graph.params().map(|named| {
        let bound = match named.param.shape[1..].iter().product::<usize>() {
            1 => 0.5,
            fan_in => 1.5 / (fan_in as f64).sqrt(),
        };
        let (low, high) = if named.param.name == "running_var" { (0.3, 2.0) } else { (-bound, bound) };
        let data = (0..named.param.elements()).map(|_| random.uniform(low, high)).collect();
        (named.name, Array { shape: named.param.shape.clone(), data })
    });
    Weights::new(graph, arrays.collect::<BTreeMap<_, _>>()).unwrap()
}

/// Random inputs for a batch of `count`.
pub(crate) fn images(graph: &Graph, count: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed ^ 0x5eed);
    (0..count * graph.input_shape().elements()).map(|_| random.uniform(-1.0, 1.0)).collect()
}

/// What `graph` computes in evaluation.
pub(crate) fn forward(graph: &Graph, weights: &Weights, images: &[f32]) -> Vec<f64> {
    let count = images.len() / graph.input_shape().elements();
    let mut values = vec![images.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>()];
    for node in graph.nodes() {
        let inputs: Vec<&[f64]> = node.inputs.iter().map(|id| &values[id.index()][..]).collect();
        let item = graph.shape(node.inputs[0]).item();
        values.push(run(graph, node, weights, &inputs, &item, count));
    }
    values.pop().unwrap()
}

fn run(
    graph: &Graph,
    node: &Node,
    weights: &Weights,
    inputs: &[&[f64]],
    item: &[usize],
    count: usize,
) -> Vec<f64> {
    let x = inputs[0];
    let param = |name: &str| weights.get(&format!("{}.{name}", node.name)).map(|array| &array.data[..]);
    let each = |f: fn(f64) -> f64| x.iter().map(|&x| f(x)).collect();
    match &node.op {
        Op::Conv2d(op) => conv(op, x, item, node, param("weight").unwrap(), param("bias"), count),
        Op::MaxPool2d(op) => max_pool(op, x, item, node, count),
        Op::AvgPool2d(op) => avg_pool(op, x, item, node, count),
        Op::GlobalAvgPool => {
            let area = item[1] * item[2];
            x.chunks(area).map(|channel| channel.iter().sum::<f64>() / area as f64).collect()
        }
        Op::BatchNorm2d(op) => batch_norm(op, x, item, |name| param(name).unwrap()),
        Op::Normalize(op) => {
            let area = item[1] * item[2];
            let channel = |place: usize| place / area % item[0];
            let numbers = x.iter().enumerate();
            let normal = |(place, x): (usize, &f64)| {
                (x - f64::from(op.mean[channel(place)])) / f64::from(op.std[channel(place)])
            };
            numbers.map(normal).collect()
        }
        Op::Linear(_) => linear(x, item[0], param("weight").unwrap(), param("bias")),
        Op::Relu => each(|x| x.max(0.0)),
        Op::Gelu => each(|x| x * 0.5 * (1.0 + erf(x / std::f64::consts::SQRT_2))),
        Op::Silu => each(|x| x / (1.0 + (-x).exp())),
        Op::Tanh => each(f64::tanh),
        Op::Sigmoid => each(|x| 1.0 / (1.0 + (-x).exp())),
        Op::Softmax => softmax(x, item),
        Op::Dropout(_) | Op::Flatten => x.to_vec(),
        Op::Add => x.iter().zip(inputs[1]).map(|(a, b)| a + b).collect(),
        Op::Concat => {
            let elements: Vec<usize> = node.inputs.iter().map(|&id| graph.shape(id).elements()).collect();
            let images = (0..count).flat_map(|n| {
                let parts = inputs.iter().zip(&elements);
                parts.flat_map(move |(input, &size)| input[n * size..][..size].iter().copied())
            });
            images.collect()
        }
    }
}

/// The taps of one window inside an input of `size`, with their numbers.
fn taps(window: Window, position: usize, size: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let place = move |tap: usize| {
        let place = (position * window.stride + tap * window.dilation) as i64 - window.padding as i64;
        (0..size as i64).contains(&place).then_some((tap, place as usize))
    };
    (0..window.kernel).filter_map(place)
}

/// `f(n, channel, y, x)` at every output position.
fn positions(node: &Node, count: usize, mut f: impl FnMut(usize, usize, usize, usize) -> f64) -> Vec<f64> {
    let [channels, height, width] = node.shape.image().unwrap();
    let mut y = Vec::with_capacity(count * channels * height * width);
    for n in 0..count {
        for channel in 0..channels {
            for row in 0..height {
                y.extend((0..width).map(|column| f(n, channel, row, column)));
            }
        }
    }
    y
}

fn conv(
    op: &Conv2d,
    x: &[f64],
    item: &[usize],
    node: &Node,
    weight: &[f32],
    bias: Option<&[f32]>,
    count: usize,
) -> Vec<f64> {
    let [rows, columns] = op.windows();
    let (in_group, out_group) = (item[0] / op.groups, op.out_channels / op.groups);
    positions(node, count, |n, channel, row, column| {
        let mut sum = bias.map_or(0.0, |bias| f64::from(bias[channel]));
        for c in 0..in_group {
            let plane = (n * item[0] + channel / out_group * in_group + c) * item[1] * item[2];
            let filter = (channel * in_group + c) * op.kernel[0] * op.kernel[1];
            for (i, y) in taps(rows, row, item[1]) {
                for (j, z) in taps(columns, column, item[2]) {
                    sum += x[plane + y * item[2] + z] * f64::from(weight[filter + i * op.kernel[1] + j]);
                }
            }
        }
        sum
    })
}

fn max_pool(op: &MaxPool2d, x: &[f64], item: &[usize], node: &Node, count: usize) -> Vec<f64> {
    let [rows, columns] = op.windows();
    positions(node, count, |n, channel, row, column| {
        let plane = (n * item[0] + channel) * item[1] * item[2];
        let mut greatest = f64::NEG_INFINITY;
        for (_, y) in taps(rows, row, item[1]) {
            for (_, z) in taps(columns, column, item[2]) {
                greatest = greatest.max(x[plane + y * item[2] + z]);
            }
        }
        greatest
    })
}

fn avg_pool(op: &AvgPool2d, x: &[f64], item: &[usize], node: &Node, count: usize) -> Vec<f64> {
    let [rows, columns] = op.windows();
    // PyTorch's divisor: what of the window lies in the input and the padding on both sides.
    let extent = |window: Window, position: usize, size: usize| {
        let start = position * window.stride;
        (start + window.kernel).min(size + 2 * window.padding) - start
    };
    positions(node, count, |n, channel, row, column| {
        let plane = (n * item[0] + channel) * item[1] * item[2];
        let (mut sum, mut inside) = (0.0, 0);
        for (_, y) in taps(rows, row, item[1]) {
            for (_, z) in taps(columns, column, item[2]) {
                sum += x[plane + y * item[2] + z];
                inside += 1;
            }
        }
        let padded = extent(rows, row, item[1]) * extent(columns, column, item[2]);
        sum / (if op.count_include_pad { padded } else { inside }) as f64
    })
}

fn batch_norm<'a>(
    op: &BatchNorm2d,
    x: &[f64],
    item: &[usize],
    param: impl Fn(&str) -> &'a [f32],
) -> Vec<f64> {
    let area = item[1] * item[2];
    let normed = |(index, x): (usize, &f64)| {
        let channel = index / area % item[0];
        let of = |name: &str| f64::from(param(name)[channel]);
        (x - of("running_mean")) / (of("running_var") + op.eps).sqrt() * of("weight") + of("bias")
    };
    x.iter().enumerate().map(normed).collect()
}

fn linear(x: &[f64], features: usize, weight: &[f32], bias: Option<&[f32]>) -> Vec<f64> {
    let outputs = weight.len() / features;
    let output = |x: &[f64], k: usize| {
        let products = x.iter().zip(&weight[k * features..]).map(|(x, &w)| x * f64::from(w));
        products.sum::<f64>() + bias.map_or(0.0, |bias| f64::from(bias[k]))
    };
    x.chunks(features).flat_map(|x| (0..outputs).map(|k| output(x, k)).collect::<Vec<_>>()).collect()
}

fn softmax(x: &[f64], item: &[usize]) -> Vec<f64> {
    let area: usize = item[1..].iter().product();
    let sum = |index: usize| -> f64 {
        let image = &x[index / (item[0] * area) * item[0] * area..];
        (0..item[0]).map(|channel| image[channel * area + index % area].exp()).sum()
    };
    x.iter().enumerate().map(|(index, x)| x.exp() / sum(index)).collect()
}

/// The error function by its Maclaurin series, good to 1e-9 for |x| < 5.
fn erf(x: f64) -> f64 {
    let (mut term, mut sum) = (x, x);
    for n in 1..150 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * 2.0 / std::f64::consts::PI.sqrt()
}
