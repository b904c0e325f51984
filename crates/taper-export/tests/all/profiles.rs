//! What each profile takes and refuses, and that what the one for candle takes runs in candle-onnx.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor};
use candle_onnx::onnx::ModelProto;
use prost::Message;
use taper_export::Normalization;
use taper_export::onnx::{
    Feature, Head, Layout, LowerError, OpsetVersion, Options, Pixels, Precision, Profile, lower,
};
use taper_graph::{AvgPool2d, Conv2d, Graph, Linear, Op, Weights};

use crate::reference;

fn network() -> (Graph, Weights) {
    let ops = [Op::Conv2d(Conv2d::new(4, 3)), Op::Relu, Op::Flatten, Op::Linear(Linear::new(5))];
    let graph = Graph::sequential("profiled", &[2, 6, 6], ops).unwrap();
    let weights = reference::weights(&graph, 5);
    (graph, weights)
}

fn pixels() -> Pixels {
    Pixels { layout: Layout::Nhwc, normalization: Normalization::default() }
}

/// What can be asked for, and the feature that a file then has.
fn cases() -> Vec<(Option<Feature>, Options)> {
    let options = Options::default;
    vec![
        (None, options()),
        (Some(Feature::HalfWeights), options().precision(Precision::Float16Weights)),
        (Some(Feature::Half), options().precision(Precision::Float16)),
        (Some(Feature::Bytes), options().pixels(pixels())),
        (Some(Feature::Softmax), options().head(Head::Softmax)),
        (Some(Feature::ArgMax), options().head(Head::ArgMax)),
    ]
}

#[test]
fn a_profile_refuses_exactly_what_the_table_says() {
    let (graph, weights) = network();
    let mut failures = Vec::new();
    for profile in Profile::ALL {
        for (feature, options) in cases() {
            let made = lower(&graph, &weights, &options.profile(profile).opset(profile.opset()));
            let lacks = feature.and_then(|feature| profile.lacks(feature));
            let is_right = match (&made, lacks) {
                (Ok(_), None) => true,
                (Err(LowerError::Profile(error)), Some(reason)) => {
                    error.reason == reason && error.to_string().contains(profile.name())
                }
                _ => false,
            };
            if !is_right {
                failures.push(format!("{profile}, {feature:?}: {:?}", made.map(|_| "made")));
            }
        }
        for opset in 12..=22 {
            let options = Options::default().profile(profile).opset(OpsetVersion::new(opset).unwrap());
            let [oldest, newest] = profile.opsets();
            if lower(&graph, &weights, &options).is_ok() != (oldest..=newest).contains(&opset) {
                failures.push(format!("{profile}, operator set {opset}"));
            }
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn without_a_profile_the_file_is_for_onnx_runtime_where_it_is_not_portable() {
    let (graph, weights) = network();
    for (feature, options) in cases() {
        let model = lower(&graph, &weights, &options).unwrap();
        let (profile, reason) = Profile::of(model.proto());
        let lacks = feature.and_then(|feature| Profile::Portable.lacks(feature));
        assert_eq!(profile == Profile::Portable, lacks.is_none(), "{feature:?}");
        assert_eq!(reason.map(|reason| reason.reason).as_deref(), lacks, "{feature:?}");
    }
    let newest = Options::default().opset(OpsetVersion::new(22).unwrap());
    let (profile, reason) = Profile::of(lower(&graph, &weights, &newest).unwrap().proto());
    assert_eq!(profile, Profile::OnnxRuntime);
    assert!(reason.unwrap().to_string().contains("choose an operator set from 12 to 17"));
}

#[test]
fn what_candle_pads_not_is_refused_by_name() {
    let pool = Op::AvgPool2d(AvgPool2d { padding: [1, 1], ..AvgPool2d::new(3) });
    let graph = Graph::sequential("pool", &[1, 6, 6], [pool]).unwrap();
    let weights = reference::weights(&graph, 0);
    let error = lower(&graph, &weights, &Options::for_profile(Profile::Candle)).unwrap_err().to_string();
    assert!(error.contains("`candle`") && error.contains("no average pool"), "{error}");
}

#[test]
fn what_the_profile_for_candle_takes_runs_there() {
    let (graph, weights) = network();
    let bytes: Vec<u8> = (0..3 * 72).map(|place| (place * 7919 % 256) as u8).collect();
    let input = Tensor::from_vec(bytes, (3, 6, 6, 2), &Device::Cpu).unwrap();
    let float = input.permute((0, 3, 1, 2)).unwrap().to_dtype(DType::F32).unwrap();
    let float = (float / 255.0).unwrap().contiguous().unwrap();
    let images: Vec<f32> = float.flatten_all().unwrap().to_vec1().unwrap();
    let logits = reference::forward(&graph, &weights, &images);
    for (feature, options) in cases() {
        let Ok(model) = lower(&graph, &weights, &options.profile(Profile::Candle)) else { continue };
        let model = ModelProto::decode(&model.to_bytes()[..]).unwrap();
        let input = match feature {
            Some(Feature::Bytes) => input.clone(),
            Some(Feature::Half) => float.to_dtype(DType::F16).unwrap(),
            _ => float.clone(),
        };
        let outputs = candle_onnx::simple_eval(&model, HashMap::from([("image".to_owned(), input)]));
        let outputs = outputs.unwrap_or_else(|error| panic!("{feature:?}: {error}"));
        let found = outputs["logits"].flatten_all().unwrap().to_dtype(DType::F64).unwrap();
        let found: Vec<f64> = found.to_vec1().unwrap();
        let expected: Vec<f64> = logits.chunks(5).flat_map(|row| answer(feature, row)).collect();
        let worst = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        let tolerance =
            if matches!(feature, Some(Feature::Half | Feature::HalfWeights)) { 2e-2 } else { 1e-4 };
        assert!(found.len() == expected.len() && worst < tolerance, "{feature:?}: {worst}");
    }
}

/// What a file answers where the network answers `logits`.
fn answer(feature: Option<Feature>, logits: &[f64]) -> Vec<f64> {
    match feature {
        Some(Feature::Softmax) => {
            let sum: f64 = logits.iter().map(|x| x.exp()).sum();
            logits.iter().map(|x| x.exp() / sum).collect()
        }
        Some(Feature::ArgMax) => {
            let best = (0..logits.len()).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            vec![best as f64]
        }
        _ => logits.to_vec(),
    }
}

#[test]
fn a_recorded_model_is_refused_likewise() {
    use taper_export::flow::{Export, Flow, Layer};

    struct Norm(candle_nn::LayerNorm);
    impl Layer for Norm {
        fn forward<F: Flow>(&self, xs: &F) -> candle_core::Result<F> {
            xs.apply(&self.0)?.gelu_erf()
        }
    }

    let ones = Tensor::ones(4, DType::F32, &Device::Cpu).unwrap();
    let model = Norm(candle_nn::LayerNorm::new(ones.clone(), ones.zeros_like().unwrap(), 1e-5));
    let sample = Tensor::arange(0f32, 12f32, &Device::Cpu).unwrap().reshape((3, 4)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("norm.onnx");
    let export = Export::new("norm").input("x", &sample, &[(0, "N")]);
    let exported = export.clone().write(&path, &model).unwrap();
    assert_eq!(exported.profile, Profile::OnnxRuntime);
    assert_eq!(exported.not_portable.unwrap().reason, "its runtimes have no LayerNormalization");
    let half = export.precision(Precision::Float16).profile(Profile::Candle);
    let error = half.write(&path, &model).unwrap_err().to_string();
    assert!(error.contains("`candle` does not take float16"), "{error}");
}
