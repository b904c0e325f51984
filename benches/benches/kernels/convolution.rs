//! Convolutions and their gradients in full: Winograd's and direct.

use std::hint::black_box;

use taper_kernels::blocked::{Blocked, DirectConv, WinogradConv};
use taper_kernels::{Aligned, Isa};

use crate::support::{Bench, Case, Group, IMAGES, images, operations, others, reference};

pub(crate) fn dense(criterion: &mut Bench) {
    let cases = reference().map(|(case, _)| case).into_iter().chain(others());
    for case in cases {
        let mut group = criterion.benchmark_group(format!("conv2d {}", case.name));
        if let Some(kernel) = WinogradConv::new(&case.conv, case.input(), Isa::current()) {
            winograd(&mut group, &case, &kernel);
        }
        if let Some(kernel) = DirectConv::new(&case.conv, case.input(), Isa::current()) {
            direct(&mut group, &case, &kernel);
        }
        group.finish();
    }
}

/// What a convolution reads and writes.
struct Buffers {
    x: Aligned,
    dz: Aligned,
    /// The weight in the orders of the forward pass and of the gradient of the input.
    packed: [Aligned; 2],
    scratch: Aligned,
    sum: Aligned,
}

impl Buffers {
    fn new(case: &Case, gradient: Blocked, packed: [usize; 2], scratch: usize, sum: usize) -> Self {
        Self {
            x: images(1, case.input()),
            dz: images(3, gradient),
            packed: packed.map(Aligned::zeros),
            scratch: Aligned::zeros(scratch),
            sum: Aligned::zeros(sum),
        }
    }
}

/// Takes the finished planes.
fn emit(_image: usize, _block: usize, plane: &mut [f32]) {
    black_box(plane);
}

fn winograd(group: &mut Group<'_>, case: &Case, kernel: &WinogradConv) {
    let gradient = kernel.output().with_halo(kernel.gradient_halo());
    let packed = [kernel.packed_len(), kernel.backward_packed_len()];
    let scratch = kernel.scratch_len(IMAGES);
    let mut b = Buffers::new(case, gradient, packed, scratch, kernel.weight_sum_len());
    let [forward, backward] = &mut b.packed;
    kernel.pack(&case.weight(), forward).unwrap();
    kernel.pack_backward(&case.weight(), backward).unwrap();
    operations(group, case.products(kernel.output().pixels()));
    group.bench_function("winograd forward", |bencher| {
        bencher.iter(|| kernel.forward(IMAGES, &b.x, forward, &mut b.scratch, &mut emit).unwrap());
    });
    group.bench_function("winograd input gradient", |bencher| {
        bencher.iter(|| kernel.backward_input(IMAGES, &b.dz, backward, &mut b.scratch, &mut emit).unwrap());
    });
    group.bench_function("winograd weight gradient", |bencher| {
        bencher.iter(|| kernel.backward_weight(IMAGES, &b.x, &b.dz, &mut b.scratch, &mut b.sum).unwrap());
    });
}

fn direct(group: &mut Group<'_>, case: &Case, kernel: &DirectConv) {
    let gradient = kernel.output().with_halo(kernel.gradient_halo());
    let packed = [kernel.packed_len(), kernel.backward_packed_len()];
    let mut b = Buffers::new(case, gradient, packed, kernel.scratch_len(), kernel.weight_sum_len());
    let [forward, backward] = &mut b.packed;
    kernel.pack(&case.weight(), forward).unwrap();
    kernel.pack_backward(&case.weight(), backward).unwrap();
    operations(group, case.products(kernel.output().pixels()));
    group.bench_function("direct forward", |bencher| {
        bencher.iter(|| kernel.forward(IMAGES, &b.x, forward, &mut b.scratch, &mut emit).unwrap());
    });
    group.bench_function("direct input gradient", |bencher| {
        bencher.iter(|| kernel.backward_input(IMAGES, &b.dz, backward, &mut b.scratch, &mut emit).unwrap());
    });
    group.bench_function("direct weight gradient", |bencher| {
        bencher.iter(|| kernel.backward_weight(IMAGES, &b.x, &b.dz, &mut b.sum).unwrap());
    });
}
