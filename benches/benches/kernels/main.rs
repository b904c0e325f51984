//! Every kernel of the engine, on one thread and on the sizes of the reference CNN and a few others.
//!
//! Throughput is in floating-point operations a second where products dominate, to be compared with the benchmark `fma
//! peak` of the same run, and in bytes read and written elsewhere. The operations are those that the definition asks
//! for, two for each multiply-add, without those on gradients or inputs that are known to be zero: Winograd's
//! convolution, which makes fewer, may pass the peak. Convolutions work on a group of five images, as in a training
//! step. `TAPER_ISA` chooses the instruction set.
#![allow(clippy::unwrap_used, missing_docs)]

mod convolution;
mod elementwise;
mod fused;
mod layout;
mod linear;
mod norm;
mod optimizer;
mod plain;
mod pool;
mod sparse;
mod support;

#[path = "../common/measure.rs"]
mod measure;

use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use taper_kernels::{Isa, fma_peak};

use measure::OPERATIONS;

/// What no kernel can pass.
fn peak(criterion: &mut support::Bench) {
    const ROUNDS: u32 = 10_000;
    let isa = Isa::current();
    let mut group = criterion.benchmark_group("fma peak");
    group.throughput(Throughput::Elements(fma_peak(isa, ROUNDS).0));
    group.bench_function(isa.name(), |bencher| bencher.iter(|| fma_peak(isa, ROUNDS)));
    group.finish();
}

/// Kernels take microseconds: a hundred of them in a few minutes.
fn config() -> support::Bench {
    let criterion = Criterion::default().sample_size(30).with_measurement(OPERATIONS);
    criterion.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2))
}

criterion_group! {
    name = benches;
    config = config();
    targets =
        peak,
        convolution::dense,
        fused::fused,
        sparse::sparse,
        linear::linear,
        plain::plain,
        norm::batch_norm,
        pool::pooling,
        elementwise::elementwise,
        elementwise::rows,
        optimizer::optimizers,
        layout::layout
}
criterion_main!(benches);
