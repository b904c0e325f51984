//! Shipping the reference CNN: ONNX and safetensors, written and read.
#![allow(clippy::unwrap_used, missing_docs)]

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use taper_benches::{BATCH, IMAGE, uniform};
use taper_export::{DatasetInfo, Metadata, Sample, export, onnx, safetensors, verify};
use taper_graph::{Graph, Preset, Weights};
use taper_model::Model;

/// The network, its weights, and what an exported file says about it.
struct Network {
    graph: Graph,
    weights: Weights,
    metadata: Metadata,
    options: onnx::Options,
}

impl Network {
    fn of(model: &Model) -> Self {
        let graph = model.graph().clone();
        let names = (0..10).map(|digit| digit.to_string()).collect();
        let metadata = Metadata::new(graph.clone(), DatasetInfo::default(), names);
        let options = onnx::Options::default().metadata(metadata.clone());
        Self { graph, weights: model.weights().unwrap(), metadata, options }
    }
}

fn onnx_files(criterion: &mut Criterion, model: &Model) {
    let network = Network::of(model);
    let lower = || onnx::lower(&network.graph, &network.weights, &network.options).unwrap();
    let bytes = lower().to_bytes();
    let images = uniform(1, BATCH * IMAGE);
    let logits = model.inference().unwrap().logits(&images).unwrap();
    let sample = Sample { count: BATCH, images: &images, logits: &logits };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");

    let mut group = criterion.benchmark_group("onnx");
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function("lower", |bencher| bencher.iter_with_large_drop(lower));
    group.bench_function("serialize", |bencher| {
        bencher.iter_batched(lower, |model| black_box(model.to_bytes()), BatchSize::LargeInput);
    });
    group.bench_function("inspect", |bencher| bencher.iter(|| onnx::inspect(&bytes).unwrap()));
    group.sample_size(20);
    group.bench_function("verify on 100 images", |bencher| {
        bencher.iter(|| verify(&bytes, &sample, taper_export::TOLERANCE).unwrap());
    });
    group.bench_function("export, verified on 100 images", |bencher| {
        let Network { graph, weights, options, .. } = &network;
        bencher.iter(|| export(&path, graph, weights, options, &sample).unwrap());
    });
    group.finish();
}

fn safetensors_files(criterion: &mut Criterion, model: &Model) {
    let Network { weights, metadata, .. } = Network::of(model);
    let bytes = safetensors::to_bytes(&weights, &metadata).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    safetensors::save(&path, &weights, &metadata).unwrap();

    let mut group = criterion.benchmark_group("safetensors");
    group.throughput(Throughput::Bytes(bytes.len() as u64)).sample_size(20);
    group.bench_function("serialize", |bencher| {
        bencher.iter_with_large_drop(|| safetensors::to_bytes(&weights, &metadata).unwrap());
    });
    group.bench_function("save", |bencher| {
        bencher.iter(|| safetensors::save(&path, &weights, &metadata).unwrap());
    });
    group.bench_function("load", |bencher| {
        bencher.iter_with_large_drop(|| safetensors::load_network(&path).unwrap());
    });
    group.finish();
}

fn exporting(criterion: &mut Criterion) {
    let model = Model::new(Preset::Tutorial.graph().unwrap(), 1).unwrap();
    onnx_files(criterion, &model);
    safetensors_files(criterion, &model);
}

criterion_group!(benches, exporting);
criterion_main!(benches);
