//! Pooling by itself, where no convolution takes it in.

use taper_graph::{AvgPool2d, MaxPool2d};
use taper_kernels::blocked::{Blocked, BlockedAvgPool, BlockedMaxPool};
use taper_kernels::{Aligned, Isa};

use crate::support::{Bench, IMAGES, bytes, images};

const IMAGE: [usize; 3] = [64, 28, 28];

pub(crate) fn pooling(criterion: &mut Bench) {
    max(criterion, "2x2", &MaxPool2d::new(2));
    max(criterion, "3x3 stride 2", &MaxPool2d::new(3).stride(2).padding(1));
    let input = Blocked::new(IMAGE, 0);
    let halves = BlockedAvgPool::new(&AvgPool2d::new(2), input, Isa::current()).unwrap();
    average(criterion, "2x2", &halves);
    average(criterion, "global", &BlockedAvgPool::global(input, Isa::current()).unwrap());
}

fn max(criterion: &mut Bench, name: &str, pool: &MaxPool2d) {
    let input = Blocked::new(IMAGE, 0);
    let pool = BlockedMaxPool::new(pool, input, Isa::current()).unwrap();
    let (x, dy) = (images(1, input), images(2, pool.output()));
    let (mut y, mut dx) = (Aligned::zeros(dy.len()), Aligned::zeros(x.len()));
    let mut codes = vec![0; pool.codes_len(IMAGES)];
    let mut group = criterion.benchmark_group(format!("max pool {name}, 64x28x28"));
    bytes(&mut group, x.len() + y.len());
    group.bench_function("forward", |bencher| {
        bencher.iter(|| pool.forward(IMAGES, x[..].into(), (&mut y[..]).into(), Some(&mut codes)).unwrap());
    });
    group.bench_function("backward", |bencher| {
        bencher.iter(|| pool.backward(IMAGES, &codes, dy[..].into(), (&mut dx[..]).into()).unwrap());
    });
    group.finish();
}

fn average(criterion: &mut Bench, name: &str, pool: &BlockedAvgPool) {
    let (x, dy) = (images(1, Blocked::new(IMAGE, 0)), images(2, pool.output()));
    let (mut y, mut dx) = (Aligned::zeros(dy.len()), Aligned::zeros(x.len()));
    let mut group = criterion.benchmark_group(format!("average pool {name}, 64x28x28"));
    bytes(&mut group, x.len() + y.len());
    group.bench_function("forward", |bencher| {
        bencher.iter(|| pool.forward(IMAGES, x[..].into(), (&mut y[..]).into()).unwrap());
    });
    group.bench_function("backward", |bencher| {
        bencher.iter(|| pool.backward(IMAGES, dy[..].into(), (&mut dx[..]).into()).unwrap());
    });
    group.finish();
}
