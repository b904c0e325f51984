//! Logits of the reference CNN for batches of 1, 100 and 1,000 images: Taper beside rten, which runs the exported ONNX
//! file, and stock candle-nn layers, all with the same weights.
//!
//! rten has its own threads: as many as cores, or as `RTEN_NUM_THREADS` says.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use candle_core::{Device, Tensor};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use rten_tensor::prelude::*;
use rten_tensor::{Tensor as RtenTensor, TensorView};
use taper_benches::{IMAGE, uniform};
use taper_export::onnx;
use taper_graph::Preset;
use taper_model::Model;

use measure::{Counted, IMAGES};
use stock::Stock;

#[path = "common/measure.rs"]
mod measure;
#[path = "common/stock.rs"]
mod stock;
#[path = "common/weights.rs"]
mod weights;

const BATCHES: [usize; 3] = [1, 100, 1000];

/// The exported file, as rten runs it.
fn rten_logits(model: &rten::Model, images: &[f32]) -> Vec<f32> {
    let images = TensorView::from_data(&[images.len() / IMAGE, 1, 28, 28], images);
    let logits: RtenTensor<f32> = model.run_one(images.as_dyn().into(), None).unwrap().try_into().unwrap();
    logits.to_vec()
}

fn stock_logits(network: &Stock, images: &[f32]) -> candle_core::Result<Vec<f32>> {
    let images = Tensor::from_slice(images, (images.len() / IMAGE, 1, 28, 28), &Device::Cpu)?;
    network.forward(&images, false)?.flatten_all()?.to_vec1()
}

/// Only what gives the same answer is worth timing.
fn assert_close(found: &[f32], expected: &[f32]) {
    let difference = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found.len() == expected.len() && difference < 1e-4, "the logits differ by {difference}");
}

fn inference(criterion: &mut Criterion<Counted>) {
    let graph = Preset::Tutorial.graph().unwrap();
    let model = Model::new(graph.clone(), 1).unwrap();
    let weights = model.weights().unwrap();
    let taper = model.inference().unwrap();
    let file = onnx::lower(&graph, &weights, &onnx::Options::default()).unwrap().to_bytes();
    let rten = rten::ModelOptions::with_all_ops().prepack_weights(true).load(file).unwrap();
    let stock = Stock::fixed(&weights).unwrap();

    let images = uniform(1, 7 * IMAGE);
    let expected = taper.logits(&images).unwrap();
    assert_close(&rten_logits(&rten, &images), &expected);
    assert_close(&stock_logits(&stock, &images).unwrap(), &expected);

    let mut group = criterion.benchmark_group("inference");
    for batch in BATCHES {
        let images = uniform(1, batch * IMAGE);
        group.throughput(Throughput::Elements(batch as u64));
        group.sample_size(if batch == 1 { 100 } else { 20 });
        group.bench_function(BenchmarkId::new("taper, batch", batch), |bencher| {
            bencher.iter(|| black_box(taper.logits(&images).unwrap()));
        });
        group.bench_function(BenchmarkId::new("rten, batch", batch), |bencher| {
            bencher.iter(|| black_box(rten_logits(&rten, &images)));
        });
        group.sample_size(if batch == 1 { 100 } else { 10 });
        group.bench_function(BenchmarkId::new("stock candle, batch", batch), |bencher| {
            bencher.iter(|| black_box(stock_logits(&stock, &images).unwrap()));
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().with_measurement(IMAGES);
    targets = inference
}
criterion_main!(benches);
