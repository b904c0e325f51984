//! The synthetic digits must not be too easy: a linear model has to fail on more of them than on MNIST.

use std::num::NonZeroUsize;

use taper_data::Batches;
use taper_data::synthetic::{self, Part};

const CLASSES: usize = 10;
const PIXELS: usize = 784;

/// Softmax regression, trained by stochastic gradient descent with a falling step.
struct Linear {
    weights: Vec<[f32; CLASSES]>,
    bias: [f32; CLASSES],
}

impl Linear {
    fn logits(&self, image: &[f32]) -> [f32; CLASSES] {
        let mut logits = self.bias;
        for (pixel, weights) in image.iter().zip(&self.weights).filter(|(pixel, _)| **pixel > 0.0) {
            for (logit, weight) in logits.iter_mut().zip(weights) {
                *logit += pixel * weight;
            }
        }
        logits
    }

    fn learn(&mut self, image: &[f32], label: u8, step: f32) {
        let logits = self.logits(image);
        let most = logits.iter().copied().fold(f32::MIN, f32::max);
        let exponentials = logits.map(|logit| (logit - most).exp());
        let sum: f32 = exponentials.iter().sum();
        let mut change = exponentials.map(|value| -step * value / sum);
        change[usize::from(label)] += step;
        for (class, change) in change.iter().enumerate() {
            self.bias[class] += change;
        }
        for (pixel, weights) in image.iter().zip(&mut self.weights).filter(|(pixel, _)| **pixel > 0.0) {
            for (weight, change) in weights.iter_mut().zip(&change) {
                *weight += pixel * change;
            }
        }
    }
}

#[test]
fn a_linear_model_stays_under_95_percent_and_well_over_chance() {
    let train = synthetic::digits(12_000, 0, Part::Train);
    let test = synthetic::digits(2_000, 0, Part::Test);
    let mut model = Linear { weights: vec![[0.0; CLASSES]; PIXELS], bias: [0.0; CLASSES] };
    let batch = NonZeroUsize::new(100).unwrap();
    let (mut images, mut labels) = (Vec::new(), Vec::new());
    for epoch in 0..6 {
        let step = 0.02 / (1.0 + epoch as f32);
        let mut batches = Batches::shuffled(&train, batch, 1, epoch);
        while batches.next_into(&mut images, &mut labels).unwrap() {
            for (image, &label) in images.chunks_exact(PIXELS).zip(&labels) {
                model.learn(image, label, step);
            }
        }
    }
    let mut right = 0;
    let mut batches = Batches::in_order(&test, batch);
    while batches.next_into(&mut images, &mut labels).unwrap() {
        for (image, &label) in images.chunks_exact(PIXELS).zip(&labels) {
            let logits = model.logits(image);
            let best = (0..CLASSES).max_by(|&a, &b| logits[a].total_cmp(&logits[b])).unwrap();
            right += usize::from(best == usize::from(label));
        }
    }
    let accuracy = right as f64 / test.len() as f64;
    assert!((0.80..0.94).contains(&accuracy), "{accuracy}");
}
