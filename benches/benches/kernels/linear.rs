//! The first fully connected layer of the reference CNN, on inputs and gradients of which 35 % are not zero, as behind ReLU and
//! dropout, and on dense ones.

use taper_benches::{BATCH, uniform};
use taper_kernels::blocked::{Blocked, BlockedLinear, LinearLists};
use taper_kernels::{Aligned, Isa};

use crate::support::{Bench, Group, images_of, operations, signed};

const INPUTS: usize = 2048;
const OUTPUTS: usize = 625;
/// Images that the layer is given at a time: half a batch, as in a training step on two threads.
const CHUNK: usize = BATCH.div_ceil(2);

pub(crate) fn linear(criterion: &mut Bench) {
    let image = Blocked::new([128, 4, 4], 0);
    let layer = BlockedLinear::of_image(image, OUTPUTS, Isa::current());
    for (name, share) in [("35 % not zero", 0.35), ("dense", 1.0)] {
        let x = images_of(image, &thinned(1, BATCH * INPUTS, share));
        let dy = images_of(Blocked::new([OUTPUTS, 1, 1], 0), &thinned(5, BATCH * OUTPUTS, share));
        let mut group = criterion.benchmark_group(format!("linear {INPUTS} to {OUTPUTS}, {name}"));
        passes(&mut group, &layer, &x, &dy);
        weight_gradient(&mut group, &layer, &x, &dy);
        group.finish();
    }
}

/// Values of which about `share` are not zero.
fn thinned(seed: u64, len: usize, share: f32) -> Vec<f32> {
    let kept = uniform(seed ^ 64, len).into_iter().map(|chance| f32::from(u8::from(chance < share)));
    signed(seed, len).into_iter().zip(kept).map(|(value, kept)| value * kept).collect()
}

fn nonzero(values: &[f32]) -> usize {
    values.iter().filter(|value| **value != 0.0).count()
}

/// Forward and gradient of the input of one chunk.
fn passes(group: &mut Group<'_>, layer: &BlockedLinear, x: &[f32], dy: &[f32]) {
    let mut weight = Aligned::zeros(layer.weight_len());
    layer.pack(&signed(2, INPUTS * OUTPUTS), &mut weight).unwrap();
    let mut forward_weight = Aligned::zeros(layer.weight_len());
    layer.pack_forward(0..layer.blocks(), &weight, &mut forward_weight).unwrap();
    let bias = signed(4, OUTPUTS);
    let (x, dy) = (&x[..CHUNK * layer.in_stride()], &dy[..CHUNK * layer.out_stride()]);
    let mut scratch = Aligned::zeros(layer.scratch_len(CHUNK));
    let (mut y, mut dx) = (Aligned::zeros(dy.len()), Aligned::zeros(x.len()));
    operations(group, nonzero(x) * OUTPUTS);
    group.bench_function(format!("forward, {CHUNK} images"), |bencher| {
        let (bias, y) = (Some(&bias[..]), &mut y);
        bencher.iter(|| layer.forward(CHUNK, x, &forward_weight, bias, &mut scratch, y).unwrap());
    });
    group.bench_function(format!("forward on weights to be turned, {CHUNK} images"), |bencher| {
        let (bias, y) = (Some(&bias[..]), &mut y);
        bencher.iter(|| layer.forward_turning(CHUNK, x, &weight, bias, &mut scratch, y).unwrap());
    });
    operations(group, nonzero(dy) * INPUTS);
    group.bench_function(format!("input gradient, {CHUNK} images"), |bencher| {
        bencher.iter(|| layer.backward_input(CHUNK, dy, &weight, &mut scratch, &mut dx).unwrap());
    });
}

/// Of the whole batch, a block of inputs after the other.
fn weight_gradient(group: &mut Group<'_>, layer: &BlockedLinear, x: &[f32], dy: &[f32]) {
    let (mut lists, mut gradient) = (LinearLists::default(), Aligned::zeros(layer.weight_len()));
    operations(group, nonzero(dy) * INPUTS);
    group.bench_function(format!("weight gradient, {BATCH} images"), |bencher| {
        bencher.iter(|| {
            layer.list(&[dy], &mut lists).unwrap();
            for (block, gradient) in gradient.chunks_mut(layer.block_len()).enumerate() {
                layer.backward_weight_blocks(block..block + 1, &[x], &lists, gradient).unwrap();
            }
        });
    });
}
