//! Feeding and loading: drawing shuffled batches, reading IDX files, and drawing synthetic digits.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::num::NonZeroUsize;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use taper_benches::BATCH;
use taper_data::synthetic::{self, Part};
use taper_data::{Batches, Dataset, idx};

use measure::{Counted, IMAGES};

#[path = "common/measure.rs"]
mod measure;

/// Images of the dataset: as many as MNIST's test set.
const COUNT: usize = 10_000;

/// Passes over the dataset, from bytes to floats in 0…1.
fn batches(criterion: &mut Criterion<Counted>, data: &Dataset) {
    let batch = NonZeroUsize::new(BATCH).unwrap();
    let mut group = criterion.benchmark_group("batches of 100 from 10,000");
    group.throughput(Throughput::Elements(COUNT as u64));
    group.bench_function("shuffle", |bencher| {
        let mut epoch = 0;
        bencher.iter(|| {
            epoch += 1;
            black_box(Batches::shuffled(data, batch, 1, epoch).count())
        });
    });
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for (name, all) in [
        ("draw all, shuffled", Batches::shuffled(data, batch, 1, 1)),
        ("draw all, in order", Batches::in_order(data, batch)),
    ] {
        group.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut batches = all.clone();
                while batches.next_into(&mut images, &mut labels).unwrap() {
                    black_box(&images);
                }
            });
        });
    }
    group.finish();
}

/// From files in the system's cache, plain and compressed.
fn idx_files(criterion: &mut Criterion<Counted>, data: &Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("idx, 10,000 images");
    group.throughput(Throughput::Elements(COUNT as u64)).sample_size(20);
    for (name, file) in [("read", "images"), ("read .gz", "images.gz")] {
        let path = folder.path().join(file);
        idx::write_images(&path, &data.images).unwrap();
        group.bench_function(name, |bencher| bencher.iter(|| idx::read_images(&path).unwrap()));
    }
    let path = folder.path().join("labels");
    idx::write_labels(&path, &data.labels).unwrap();
    group.bench_function("read labels", |bencher| bencher.iter(|| idx::read_labels(&path).unwrap()));
    group.finish();
}

fn drawing(criterion: &mut Criterion<Counted>) {
    const DRAWN: usize = 1000;
    let mut group = criterion.benchmark_group("synthetic, 1,000 digits");
    group.throughput(Throughput::Elements(DRAWN as u64)).sample_size(20);
    group.bench_function("draw", |bencher| bencher.iter(|| synthetic::digits(DRAWN, 1, Part::Train)));
    group.finish();
}

fn data(criterion: &mut Criterion<Counted>) {
    let data = synthetic::digits(COUNT, 1, Part::Test);
    batches(criterion, &data);
    idx_files(criterion, &data);
    drawing(criterion);
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(IMAGES);
    targets = data
}
criterion_main!(benches);
