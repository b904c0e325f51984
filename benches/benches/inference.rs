//! Logits of the reference CNN for batches of 1, 100 and 1,000 images.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use taper_benches::{IMAGE, uniform};
use taper_graph::Preset;
use taper_model::Model;

fn inference(criterion: &mut Criterion) {
    let model = Model::new(Preset::Tutorial.graph().unwrap(), 1).unwrap().inference().unwrap();
    let mut group = criterion.benchmark_group("inference");
    for batch in [1, 100, 1000] {
        let images = uniform(1, batch * IMAGE);
        group.throughput(Throughput::Elements(batch as u64));
        group.sample_size(if batch == 1 { 100 } else { 20 });
        group.bench_function(BenchmarkId::new("batch", batch), |bencher| {
            bencher.iter(|| black_box(model.logits(&images).unwrap()));
        });
    }
    group.finish();
}

criterion_group!(benches, inference);
criterion_main!(benches);
