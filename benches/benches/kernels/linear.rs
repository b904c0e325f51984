//! The first fully connected layer of the reference CNN, on inputs of which 35 % are not zero, as behind ReLU and dropout,
//! and on dense ones.

use taper_benches::{BATCH, uniform};
use taper_kernels::blocked::{Blocked, BlockedLinear};
use taper_kernels::{Aligned, Isa};

use crate::support::{Bench, Group, images_of, operations, signed};

const INPUTS: usize = 2048;
const OUTPUTS: usize = 625;
/// Images that the layer is given at a time: an eighth of a batch, as in a training step.
const CHUNK: usize = BATCH.div_ceil(8);

pub(crate) fn linear(criterion: &mut Bench) {
    let image = Blocked::new([128, 4, 4], 0);
    let layer = BlockedLinear::of_image(image, OUTPUTS, Isa::current());
    for (name, share) in [("35 % not zero", 0.35), ("dense", 1.0)] {
        let mut values = signed(1, BATCH * INPUTS);
        for (value, chance) in values.iter_mut().zip(uniform(3, BATCH * INPUTS)) {
            *value *= f32::from(u8::from(chance < share));
        }
        let products = values.iter().filter(|value| **value != 0.0).count() * OUTPUTS;
        let x = images_of(image, &values);
        let mut group = criterion.benchmark_group(format!("linear {INPUTS} to {OUTPUTS}, {name}"));
        passes(&mut group, &layer, &x, products);
        weight_gradient(&mut group, &layer, &x, products);
        group.finish();
    }
}

/// Forward and gradient of the input of one chunk; `products` are those of the batch.
fn passes(group: &mut Group<'_>, layer: &BlockedLinear, x: &[f32], products: usize) {
    let mut weight = Aligned::zeros(layer.weight_len());
    layer.pack(&signed(2, INPUTS * OUTPUTS), &mut weight).unwrap();
    let bias = signed(4, OUTPUTS);
    let x = &x[..CHUNK * layer.in_stride()];
    let dy = gradient(CHUNK);
    let mut scratch = Aligned::zeros(layer.scratch_len(CHUNK));
    let mut y = Aligned::zeros(dy.len());
    let mut dx = Aligned::zeros(x.len());
    operations(group, products * CHUNK / BATCH);
    group.bench_function(format!("forward, {CHUNK} images"), |bencher| {
        bencher.iter(|| layer.forward(CHUNK, x, &weight, Some(&bias), &mut scratch, &mut y).unwrap());
    });
    group.bench_function(format!("input gradient, {CHUNK} images"), |bencher| {
        let dx = &mut dx;
        bencher.iter(|| layer.backward_input(CHUNK, &dy, &weight, Some(x), &mut scratch, dx).unwrap());
    });
}

/// Of the whole batch, a block of inputs after the other.
fn weight_gradient(group: &mut Group<'_>, layer: &BlockedLinear, x: &[f32], products: usize) {
    let dy = gradient(BATCH);
    let x: Vec<&[f32]> = x.chunks(CHUNK * layer.in_stride()).collect();
    let dy: Vec<&[f32]> = dy.chunks(CHUNK * layer.out_stride()).collect();
    let mut gradient = Aligned::zeros(layer.weight_len());
    operations(group, products);
    group.bench_function(format!("weight gradient, {BATCH} images"), |bencher| {
        bencher.iter(|| {
            for (block, gradient) in gradient.chunks_mut(layer.block_len()).enumerate() {
                layer.backward_weight_blocks(block..block + 1, &x, &dy, gradient).unwrap();
            }
        });
    });
}

/// A gradient of the output.
fn gradient(images: usize) -> Aligned {
    images_of(Blocked::new([OUTPUTS, 1, 1], 0), &signed(5, images * OUTPUTS))
}
