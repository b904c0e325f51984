//! One training step of the reference CNN, batch 100: Taper beside the same network in candle, on Taper's layers and on
//! stock candle-nn's.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, Optimizer as _, ParamsAdamW, VarBuilder, VarMap};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use taper_benches::{BATCH, IMAGE, labels, uniform};
use taper_graph::Preset;
use taper_model::{Model, Optimizer, Trainer, TrainerSettings};

use layered::Layered;
use measure::{Counted, IMAGES};
use stock::Stock;

#[path = "common/layered.rs"]
mod layered;
#[path = "common/measure.rs"]
mod measure;
#[path = "common/stock.rs"]
mod stock;

const LEARNING_RATE: f64 = 1e-3;

/// Stock candle's network and optimiser.
struct StockTrainer {
    network: Stock,
    optimizer: AdamW,
}

impl StockTrainer {
    fn new() -> Result<Self> {
        let variables = VarMap::new();
        let network = Stock::new(&VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
        let settings = ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
        let optimizer = AdamW::new(variables.all_vars(), settings)?;
        Ok(Self { network, optimizer })
    }

    fn step(&mut self, images: &[f32], labels: &[u8]) -> Result<f32> {
        let images = Tensor::from_slice(images, (labels.len(), 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::from_slice(labels, labels.len(), &Device::Cpu)?.to_dtype(DType::U32)?;
        let loss = candle_nn::loss::cross_entropy(&self.network.forward(&images, true)?, &labels)?;
        self.optimizer.backward_step(&loss)?;
        loss.to_scalar()
    }
}

fn training(criterion: &mut Criterion<Counted>) {
    let (images, labels) = (uniform(1, BATCH * IMAGE), labels(BATCH));
    let mut group = criterion.benchmark_group("training step, batch 100");
    group.throughput(Throughput::Elements(BATCH as u64));
    group.sample_size(20).measurement_time(Duration::from_secs(8));

    let model = Model::new(Preset::Tutorial.graph().unwrap(), 1).unwrap();
    let settings = TrainerSettings { optimizer: Optimizer::adam(), label_smoothing: 0.0, seed: 1 };
    let mut trainer = Trainer::new(model, settings).unwrap();
    group.bench_function("taper", |bencher| {
        bencher.iter(|| black_box(trainer.step(&images, &labels, LEARNING_RATE).unwrap()));
    });

    let mut layered = Layered::new(LEARNING_RATE).unwrap();
    group.bench_function("candle autograd, taper's layers", |bencher| {
        bencher.iter(|| black_box(layered.step(&images, &labels).unwrap()));
    });

    let mut stock = StockTrainer::new().unwrap();
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
