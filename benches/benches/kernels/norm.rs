//! Batch norm of a group of images, forward and backward, with the ReLU that usually follows.

use taper_kernels::blocked::{Blocked, BlockedNorm};
use taper_kernels::{Aligned, BatchStatistics, Isa};

use crate::support::{Bench, IMAGES, bytes, images, signed};

pub(crate) fn batch_norm(criterion: &mut Bench) {
    let layout = Blocked::new([64, 14, 14], 0);
    let norm = BlockedNorm::new(layout, Isa::current());
    let (x, dy) = (images(1, layout), images(2, layout));
    let [mut y, mut dx] = [x.len(); 2].map(Aligned::zeros);
    let (weight, bias) = (vec![1.0; layout.channels], signed(3, layout.channels));
    let mut sums = vec![0.0; norm.sums_len()];
    let mut affine = vec![0.0; norm.affine_len()];
    let mut statistics = BatchStatistics { mean: Vec::new(), variance: Vec::new() };

    let mut group = criterion.benchmark_group("batch norm 64x14x14");
    bytes(&mut group, x.len());
    group.bench_function("sums", |bencher| {
        bencher.iter(|| norm.sums(IMAGES, x[..].into(), &mut sums).unwrap());
    });
    norm.merge([(IMAGES, &sums[..])], &mut statistics).unwrap();
    norm.affine(&statistics, [&weight, &bias], 1e-5, &mut affine).unwrap();
    bytes(&mut group, 2 * x.len());
    group.bench_function("apply, relu", |bencher| {
        bencher.iter(|| norm.apply(IMAGES, x[..].into(), &affine, None, true, (&mut y[..]).into()).unwrap());
    });
    let y = || Some(y[..].into());
    bytes(&mut group, 3 * x.len());
    group.bench_function("backward sums, relu", |bencher| {
        bencher.iter(|| {
            norm.backward_sums(IMAGES, x[..].into(), &statistics, y(), dy[..].into(), &mut sums).unwrap();
        });
    });
    let (mut dweight, mut dbias) = (weight.clone(), bias.clone());
    let mut affine = vec![0.0; norm.backward_affine_len()];
    let gradients: [&mut [f32]; 2] = [&mut dweight, &mut dbias];
    norm.backward_merge([&sums[..]], Some(IMAGES), &statistics, &weight, 1e-5, gradients, &mut affine)
        .unwrap();
    bytes(&mut group, 4 * x.len());
    group.bench_function("backward apply, relu", |bencher| {
        bencher.iter(|| {
            let (x, dy, dx) = (x[..].into(), dy[..].into(), (&mut dx[..]).into());
            norm.backward_apply(IMAGES, x, &affine, y(), dy, dx).unwrap();
        });
    });
    group.finish();
}
