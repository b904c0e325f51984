//! The reference CNN, trained for a few steps, on 1,000 test images at batch 1, 7 and 1,000: rten and candle-onnx must
//! answer as candle does.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use candle_onnx::onnx::ModelProto;
use prost::Message;
use rten_tensor::prelude::*;
use taper_data::synthetic::{Part, digits};
use taper_data::{Dataset, extend_unit};
use taper_export::onnx::{Options, Profile};
use taper_graph::Preset;
use taper_model::{Model, Trainer, TrainerSettings};

use crate::written::lower;

const IMAGES: usize = 1000;
const PIXELS: usize = 28 * 28;

fn unit(data: &Dataset) -> Vec<f32> {
    let mut pixels = Vec::new();
    extend_unit(&mut pixels, &data.images.pixels().unwrap());
    pixels
}

fn trained() -> Model {
    let settings = TrainerSettings { seed: 1, ..TrainerSettings::default() };
    let mut trainer =
        Trainer::new(Model::new(Preset::Tutorial.graph().unwrap(), 1).unwrap(), settings).unwrap();
    let data = digits(3000, 1, Part::Train);
    for (images, labels) in unit(&data).chunks(50 * PIXELS).zip(data.labels.chunks(50)) {
        trainer.step(images, labels, 1e-3).unwrap();
    }
    trainer.into_model().unwrap()
}

/// Asks `answer` for the logits of all images, `batch` at a time, and gives the greatest difference.
fn greatest_difference(
    images: &[f32],
    expected: &[f32],
    batch: usize,
    answer: impl Fn(Vec<usize>, &[f32]) -> Vec<f32>,
) -> f64 {
    let found = images.chunks(batch * PIXELS).flat_map(|images| {
        let count = images.len() / PIXELS;
        answer(vec![count, 1, 28, 28], images)
    });
    let found: Vec<f32> = found.collect();
    assert_eq!(found.len(), expected.len());
    let differences = found.iter().zip(expected).map(|(f, e)| f64::from(f - e).abs());
    // `f64::max` would drop a NaN.
    differences.fold(0.0, |most, d| if d.is_nan() { f64::INFINITY } else { most.max(d) })
}

#[test]
fn rten_and_candle_onnx_answer_as_candle_does_at_every_batch_size() {
    let model = trained();
    let images = unit(&digits(IMAGES, 1, Part::Test));
    let expected: Vec<f32> =
        images.chunks(100 * PIXELS).flat_map(|images| model.logits(images).unwrap()).collect();
    // A network that learned nothing would answer almost the same to every image.
    let spread = expected.iter().fold(0.0f32, |most, logit| most.max(logit.abs()));
    assert!(spread > 2.0, "no logit is above {spread}");

    let weights = model.weights().unwrap();
    let bytes =
        |profile| lower(model.graph(), &weights, &Options::default().profile(profile)).unwrap().to_bytes();
    let rten = rten::Model::load(bytes(Profile::Portable)).unwrap();
    let in_rten = |shape: Vec<usize>, images: &[f32]| {
        let input = rten_tensor::Tensor::from_data(&shape, images.to_vec());
        let output: rten_tensor::Tensor<f32> = rten.run_one(input.into(), None).unwrap().try_into().unwrap();
        output.to_vec()
    };
    let proto = ModelProto::decode(&bytes(Profile::Candle)[..]).unwrap();
    let in_candle_onnx = |shape: Vec<usize>, images: &[f32]| {
        let input = Tensor::from_slice(images, shape, &Device::Cpu).unwrap();
        let mut outputs =
            candle_onnx::simple_eval(&proto, HashMap::from([("image".to_owned(), input)])).unwrap();
        outputs.remove("logits").unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap()
    };
    for batch in [1, 7, IMAGES] {
        let rten = greatest_difference(&images, &expected, batch, in_rten);
        let candle = greatest_difference(&images, &expected, batch, in_candle_onnx);
        assert!(rten <= 1e-4 && candle <= 1e-4, "at batch {batch}: rten {rten:e}, candle-onnx {candle:e}");
    }
}
