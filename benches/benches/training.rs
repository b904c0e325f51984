//! One training step of the reference CNN, batch 100: Taper beside the same network in candle, on Taper's layers and on
//! stock candle-nn's.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use taper_benches::{BATCH, IMAGE, labels, uniform};
use taper_graph::Preset;
use taper_model::{Model, Trainer, TrainerSettings};

use layered::Layered;
use measure::{Counted, IMAGES};
use stock::StockTrainer;

#[path = "common/layered.rs"]
mod layered;
#[path = "common/measure.rs"]
mod measure;
#[path = "common/stock.rs"]
mod stock;
#[path = "common/weights.rs"]
mod weights;

const LEARNING_RATE: f64 = 1e-3;

fn training(criterion: &mut Criterion<Counted>) {
    let (images, labels) = (uniform(1, BATCH * IMAGE), labels(BATCH));
    let mut group = criterion.benchmark_group("training step, batch 100");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(8));

    let model = Model::new(Preset::Tutorial.graph().unwrap(), 1).unwrap();
    let weights = model.weights().unwrap();
    let settings = TrainerSettings { seed: 1, ..TrainerSettings::default() };
    let mut trainer = Trainer::new(model, settings).unwrap();
    group.bench_function("taper", |bencher| {
        bencher.iter(|| black_box(trainer.step(&images, &labels, LEARNING_RATE).unwrap()));
    });

    let mut layered = Layered::new(&weights, LEARNING_RATE).unwrap();
    group.bench_function("candle autograd, taper's layers", |bencher| {
        bencher.iter(|| black_box(layered.step(&images, &labels).unwrap()));
    });

    let mut stock = StockTrainer::new(&weights, LEARNING_RATE).unwrap();
    group.sample_size(10);
    group.bench_function("stock candle", |bencher| {
        bencher.iter(|| black_box(stock.step(&images, &labels).unwrap()));
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(IMAGES);
    targets = training
}
criterion_main!(benches);
