//! The gradients of the reference CNN's convolutions from the 14 % of their outputs that pass one on.

use taper_benches::uniform;
use taper_kernels::blocked::{Blocked, Epilogue, SparseConv, SparseLists};
use taper_kernels::{Aligned, DropoutKey, Isa};

use crate::support::{Bench, Case, IMAGES, aligned, bytes, images, operations, reference};

/// Gradients that pass, as a share of the convolution's outputs.
const DENSITY: f64 = 0.14;

pub(crate) fn sparse(criterion: &mut Bench) {
    for (case, pool) in reference() {
        let [_, height, width] = case.image;
        let output = Blocked::new([case.conv.out_channels, height, width], 0);
        let epilogue = Epilogue::new(output, true, Some(&pool), Some(0.3), 0, Isa::current()).unwrap();
        let conv = SparseConv::new(&case.conv, case.input(), &epilogue, Isa::current()).unwrap();
        let codes = codes(&epilogue, output, &conv);
        gradients(criterion, &case, &conv, &codes);
    }
}

/// The codes of a training pass over values as often positive as negative, thinned to [`DENSITY`].
fn codes(epilogue: &Epilogue, output: Blocked, conv: &SparseConv) -> Vec<u8> {
    const NO_GRADIENT: u8 = 255;
    let key = DropoutKey { seed: 1, step: 1, layer: 1 };
    let (mut planes, mut y) = (images(5, output), Aligned::zeros(epilogue.output().plane()));
    let mut codes = vec![0; epilogue.codes_len(IMAGES)];
    for (image, planes) in planes.chunks_exact_mut(output.image()).enumerate() {
        let codes_len = epilogue.codes_len(1);
        for (block, plane) in planes.chunks_exact_mut(output.plane()).enumerate() {
            let len = epilogue.output().pixels() * 8;
            let codes = &mut codes[image * codes_len + block * len..][..len];
            epilogue.forward(plane, None, &mut y, Some(codes), block, Some((key, image))).unwrap();
        }
    }
    let outputs = (IMAGES * output.channels * output.pixels()) as f64;
    let keep = DENSITY * outputs / conv.count(IMAGES, &codes).unwrap() as f64;
    let chances = uniform(6, codes.len());
    for (code, chance) in codes.iter_mut().zip(chances) {
        if f64::from(chance) >= keep {
            *code = NO_GRADIENT;
        }
    }
    codes
}

fn gradients(criterion: &mut Bench, case: &Case, conv: &SparseConv, codes: &[u8]) {
    let x = images(1, case.input());
    let dy = aligned(3, codes.len());
    // Nobody asks for the gradient of the network's own input.
    let first_layer = case.image[0] == 1;
    let mut lists = SparseLists::new(conv, IMAGES, !first_layer).unwrap();
    let mut dbias = vec![0.0; case.conv.out_channels.next_multiple_of(8)];
    let mut sum = Aligned::zeros(conv.weight_sum_len());
    let mut packed = Aligned::zeros(conv.backward_packed_len());
    conv.pack_backward(&case.weight(), &mut packed).unwrap();
    let mut dx = Aligned::zeros(case.input().with_halo(0).elements(IMAGES));

    let mut group = criterion.benchmark_group(format!("sparse conv2d {}, 14 %", case.name));
    bytes(&mut group, codes.len() / 4 + dy.len());
    group.bench_function("lists", |bencher| {
        bencher.iter(|| conv.fill(IMAGES, codes, &dy, &mut lists, &mut dbias).unwrap());
    });
    let entries = conv.fill(IMAGES, codes, &dy, &mut lists, &mut dbias).unwrap();
    // Each gradient meets the weights of its output channel.
    operations(&mut group, entries * case.weight_len() / case.conv.out_channels);
    group.bench_function("weight gradient", |bencher| {
        bencher.iter(|| conv.backward_weight(IMAGES, &x, &mut lists, true, &mut sum).unwrap());
    });
    if !first_layer {
        group.bench_function("input gradient", |bencher| {
            bencher.iter(|| conv.backward_input(IMAGES, &lists, &packed, &mut dx).unwrap());
        });
    }
    group.finish();
}
