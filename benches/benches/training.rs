//! One training step of the reference CNN, batch 100: Taper beside the same network in candle, on Taper's layers and on
//! stock candle-nn's.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;
use std::time::Duration;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{AdamW, Conv2d, Conv2dConfig, Dropout, Linear, Module, Optimizer as _, ParamsAdamW};
use candle_nn::{VarBuilder, VarMap};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use taper_benches::{BATCH, IMAGE, labels, uniform};
use taper_graph::Preset;
use taper_model::{Model, Optimizer, Trainer, TrainerSettings};

use layered::Layered;

#[path = "common/layered.rs"]
mod layered;

const LEARNING_RATE: f64 = 1e-3;

/// The reference CNN as a candle user would write it.
struct Stock {
    convolutions: [Conv2d; 3],
    fc1: Linear,
    fc2: Linear,
    dropout: Dropout,
    optimizer: AdamW,
}

impl Stock {
    fn new() -> Result<Self> {
        let variables = VarMap::new();
        let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
        let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let conv = |from, to, name| candle_nn::conv2d(from, to, 3, padded, vb.pp(name));
        let convolutions = [conv(1, 32, "layer1.0")?, conv(32, 64, "layer2.0")?, conv(64, 128, "layer3.0")?];
        let fc1 = candle_nn::linear(2048, 625, vb.pp("fc1"))?;
        let fc2 = candle_nn::linear(625, 10, vb.pp("fc2"))?;
        let settings = ParamsAdamW { lr: LEARNING_RATE, weight_decay: 0.0, ..ParamsAdamW::default() };
        let optimizer = AdamW::new(variables.all_vars(), settings)?;
        Ok(Self { convolutions, fc1, fc2, dropout: Dropout::new(0.3), optimizer })
    }

    fn forward(&self, images: &Tensor) -> Result<Tensor> {
        let mut x = images.clone();
        for (layer, conv) in self.convolutions.iter().enumerate() {
            x = conv.forward(&x)?.relu()?;
            if layer == 2 {
                // candle's max-pool cannot pad; after a ReLU, zeros do.
                x = x.pad_with_zeros(2, 1, 1)?.pad_with_zeros(3, 1, 1)?;
            }
            x = self.dropout.forward(&x.max_pool2d(2)?, true)?;
        }
        let x = self.fc1.forward(&x.flatten_from(1)?)?.relu()?;
        self.fc2.forward(&self.dropout.forward(&x, true)?)
    }

    fn step(&mut self, images: &[f32], labels: &[u8]) -> Result<f32> {
        let images = Tensor::from_slice(images, (labels.len(), 1, 28, 28), &Device::Cpu)?;
        let labels = Tensor::from_slice(labels, labels.len(), &Device::Cpu)?.to_dtype(DType::U32)?;
        let loss = candle_nn::loss::cross_entropy(&self.forward(&images)?, &labels)?;
        self.optimizer.backward_step(&loss)?;
        loss.to_scalar()
    }
}

fn training(criterion: &mut Criterion) {
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

    let mut stock = Stock::new().unwrap();
    group.sample_size(10);
    group.bench_function("stock candle", |bencher| {
        bencher.iter(|| black_box(stock.step(&images, &labels).unwrap()));
    });
    group.finish();
}

criterion_group!(benches, training);
criterion_main!(benches);
