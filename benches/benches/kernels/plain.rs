//! Convolution of plain `[N, C, H, W]` images through a matrix product, for what the blocked kernels do not take.

use taper_kernels::{ConvGeometry, ConvGradients, conv2d, conv2d_backward};

use crate::support::{Bench, IMAGES, operations, reference, signed};

pub(crate) fn plain(criterion: &mut Bench) {
    let [_, (case, _), _] = reference();
    let g = ConvGeometry::new(&case.conv, IMAGES, case.image).unwrap();
    let (x, weight, dy) = (signed(1, g.input_len()), case.weight(), signed(3, g.output_len()));
    let (mut y, mut dx) = (vec![0.0; g.output_len()], vec![0.0; g.input_len()]);
    let mut dweight = vec![0.0; g.weight_len()];
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();

    let mut group = criterion.benchmark_group(format!("plain conv2d {}", case.name));
    let products = case.products(g.output[0] * g.output[1]);
    operations(&mut group, products);
    group.bench_function("forward", |bencher| {
        pool.install(|| bencher.iter(|| conv2d(&g, &x, &weight, None, &mut y).unwrap()));
    });
    operations(&mut group, 2 * products);
    group.bench_function("both gradients", |bencher| {
        pool.install(|| {
            bencher.iter(|| {
                let gradients = ConvGradients { x: Some(&mut dx), weight: &mut dweight, bias: None };
                conv2d_backward(&g, &x, &weight, &dy, gradients).unwrap();
            });
        });
    });
    group.finish();
}
