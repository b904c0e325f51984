//! The kernels on the sizes of the reference CNN, batch 100. Throughput is in floating-point operations where products
//! dominate (an "element" is one operation, two for a multiply-add), in elements elsewhere.
#![allow(clippy::unwrap_used, missing_docs)]

use criterion::{
    BenchmarkGroup, Criterion, Throughput, criterion_group, criterion_main, measurement::WallTime,
};
use taper_benches::{BATCH, uniform};
use taper_graph::{Activation, Conv2d, MaxPool2d};
use taper_kernels::{
    ConvGeometry, ConvGradients, DropoutKey, LinearGeometry, Moments, Optimizer, PoolGeometry, activate,
    conv2d, conv2d_backward, dropout, linear, linear_backward_input, linear_backward_params, max_pool2d,
    max_pool2d_backward,
};

/// Name, input `[C, H, W]` and output channels of the three convolutions, each 3×3 with padding 1.
const CONVOLUTIONS: [(&str, [usize; 3], usize); 3] = [
    ("1x28x28 to 32", [1, 28, 28], 32),
    ("32x14x14 to 64", [32, 14, 14], 64),
    ("64x7x7 to 128", [64, 7, 7], 128),
];

/// A group whose throughput counts the operations of `macs` multiply-adds.
fn flops(group: &mut BenchmarkGroup<'_, WallTime>, macs: usize) {
    group.throughput(Throughput::Elements(2 * macs as u64));
}

fn convolutions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("conv2d");
    group.sample_size(20);
    for (name, image, out_channels) in CONVOLUTIONS {
        let g = ConvGeometry::new(&Conv2d::new(out_channels, 3).padding(1), BATCH, image).unwrap();
        let (x, weight) = (uniform(1, g.input_len()), uniform(2, g.weight_len()));
        let (bias, dy) = (uniform(3, out_channels), uniform(4, g.output_len()));
        let (mut y, mut dx) = (vec![0.0; g.output_len()], vec![0.0; g.input_len()]);
        let (mut dweight, mut dbias) = (vec![0.0; g.weight_len()], vec![0.0; out_channels]);
        let macs = g.output_len() * image[0] * 9;
        flops(&mut group, macs);
        group.bench_function(format!("forward {name}"), |bencher| {
            bencher.iter(|| conv2d(&g, &x, &weight, Some(&bias), &mut y).unwrap());
        });
        flops(&mut group, macs);
        group.bench_function(format!("backward without input {name}"), |bencher| {
            bencher.iter(|| {
                let gradients = ConvGradients { x: None, weight: &mut dweight, bias: Some(&mut dbias) };
                conv2d_backward(&g, &x, &weight, &dy, gradients).unwrap();
            });
        });
        flops(&mut group, 2 * macs);
        group.bench_function(format!("backward {name}"), |bencher| {
            bencher.iter(|| {
                let gradients =
                    ConvGradients { x: Some(&mut dx), weight: &mut dweight, bias: Some(&mut dbias) };
                conv2d_backward(&g, &x, &weight, &dy, gradients).unwrap();
            });
        });
    }
    group.finish();
}

fn linear_layers(criterion: &mut Criterion) {
    let g = LinearGeometry { batch: BATCH, in_features: 2048, out_features: 625 };
    let (x, weight) = (uniform(1, g.input_len()), uniform(2, g.weight_len()));
    let (bias, dy) = (uniform(3, g.out_features), uniform(4, g.output_len()));
    let (mut y, mut dx) = (vec![0.0; g.output_len()], vec![0.0; g.input_len()]);
    let (mut dweight, mut dbias) = (vec![0.0; g.weight_len()], vec![0.0; g.out_features]);
    let mut group = criterion.benchmark_group("linear 2048 to 625");
    flops(&mut group, BATCH * g.weight_len());
    group.bench_function("forward", |bencher| {
        bencher.iter(|| linear(g, &x, &weight, Some(&bias), &mut y).unwrap());
    });
    group.bench_function("backward input", |bencher| {
        bencher.iter(|| linear_backward_input(g, &weight, &dy, &mut dx).unwrap());
    });
    group.bench_function("backward parameters", |bencher| {
        bencher.iter(|| linear_backward_params(g, &x, &dy, &mut dweight, Some(&mut dbias)).unwrap());
    });
    group.finish();
}

fn max_pooling(criterion: &mut Criterion) {
    let g = PoolGeometry::max(&MaxPool2d::new(2), BATCH, [32, 28, 28]).unwrap();
    let (x, dy) = (uniform(1, g.input_len()), uniform(2, g.output_len()));
    let (mut y, mut indices) = (vec![0.0; g.output_len()], vec![0; g.output_len()]);
    let mut dx = vec![0.0; g.input_len()];
    let mut group = criterion.benchmark_group("max_pool2d 2x2, 32x28x28");
    group.throughput(Throughput::Elements(g.input_len() as u64));
    group.bench_function("forward", |bencher| {
        bencher.iter(|| max_pool2d(&g, &x, &mut y, &mut indices).unwrap());
    });
    group.bench_function("backward", |bencher| {
        bencher.iter(|| max_pool2d_backward(&g, &indices, &dy, &mut dx).unwrap());
    });
    group.finish();
}

fn element_wise(criterion: &mut Criterion) {
    let x = uniform(1, BATCH * 32 * 28 * 28);
    let mut y = vec![0.0; x.len()];
    let mut group = criterion.benchmark_group("element-wise, 32x28x28");
    group.throughput(Throughput::Elements(x.len() as u64));
    for function in Activation::ALL {
        group.bench_function(format!("{function:?}").to_lowercase(), |bencher| {
            bencher.iter(|| activate(function, &x, &mut y).unwrap());
        });
    }
    let key = DropoutKey { seed: 1, step: 1, layer: 1 };
    group.bench_function("dropout", |bencher| bencher.iter(|| dropout(key, 0.3, &x, &mut y).unwrap()));
    group.finish();
}

fn optimizers(criterion: &mut Criterion) {
    const PARAMETERS: usize = 1_379_557;
    let gradient = uniform(1, PARAMETERS);
    let mut group = criterion.benchmark_group("optimizer step, 1,379,557 parameters");
    group.throughput(Throughput::Elements(PARAMETERS as u64));
    for (name, optimizer) in [("sgd with momentum", Optimizer::sgd(0.9)), ("adam", Optimizer::adam())] {
        let (mut parameter, mut moments) = (uniform(2, PARAMETERS), Moments::default());
        group.bench_function(name, |bencher| {
            bencher.iter(|| optimizer.step(&mut parameter, &gradient, &mut moments, 1e-3).unwrap());
        });
    }
    group.finish();
}

criterion_group!(benches, convolutions, linear_layers, max_pooling, element_wise, optimizers);
criterion_main!(benches);
