//! Clipped gradients and the moving average of the weights, beside their definitions on plain lists.

use std::collections::BTreeMap;

use taper_graph::{BatchNorm2d, Conv2d, Dropout, Graph, Linear, MaxPool2d, Op};
use taper_model::{Model, Optimizer, Trainer, TrainerSettings};

fn graph() -> Graph {
    let ops = [
        Op::Conv2d(Conv2d::new(5, 3)),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Dropout(Dropout { p: 0.25 }),
        Op::Flatten,
        Op::Linear(Linear::new(4)),
    ];
    Graph::sequential("extras", &[2, 8, 8], ops).unwrap()
}

fn trainer(clip_norm: Option<f64>, ema_decay: Option<f64>) -> Trainer {
    let optimizer = Optimizer::sgd(0.0);
    let settings = TrainerSettings { optimizer, seed: 1, clip_norm, ema_decay, ..TrainerSettings::default() };
    Trainer::new(Model::new(graph(), 1).unwrap(), settings).unwrap()
}

fn batch(number: usize) -> (Vec<f32>, Vec<u8>) {
    let images = (0..9 * 128).map(|place| ((place * 37 + number * 11) % 97) as f32 / 97.0).collect();
    (images, (0..9).map(|image| ((image + number) % 4) as u8).collect())
}

fn weights(model: &Model) -> BTreeMap<String, Vec<f32>> {
    model.weights().unwrap().iter().map(|(name, array)| (name.to_owned(), array.data.clone())).collect()
}

#[test]
fn gradients_are_clipped_by_their_norm_taken_together() {
    let (images, labels) = batch(0);
    let gradients = trainer(None, None).gradients(&images, &labels).unwrap().parameters;
    let squares = gradients.iter().flat_map(|(_, array)| &array.data).map(|&g| f64::from(g).powi(2));
    let norm = squares.sum::<f64>().sqrt();
    for most in [norm / 3.0, 3.0 * norm] {
        let scale = (most / norm).min(1.0);
        let mut clipped = trainer(Some(most), None);
        let before = weights(clipped.model().unwrap());
        clipped.step(&images, &labels, 0.5).unwrap();
        let after = weights(clipped.model().unwrap());
        for (name, array) in &gradients {
            for ((before, after), gradient) in before[name].iter().zip(&after[name]).zip(&array.data) {
                let expected = f64::from(*before) - 0.5 * scale * f64::from(*gradient);
                assert!((f64::from(*after) - expected).abs() < 1e-6, "{name}: {after} is not {expected}");
            }
        }
    }
}

#[test]
fn the_average_follows_the_weights_by_its_decay_and_leaves_them_alone() {
    let decay = 0.3;
    let (mut averaging, mut plain) = (trainer(None, Some(decay)), trainer(None, None));
    let mut expected = weights(plain.model().unwrap());
    for number in 0..5 {
        let (images, labels) = batch(number);
        averaging.step(&images, &labels, 0.2).unwrap();
        plain.step(&images, &labels, 0.2).unwrap();
        let current = weights(plain.model().unwrap());
        assert_eq!(weights(averaging.model().unwrap()), current);
        let count = number as f64 + 1.0;
        let share = 1.0 - decay.min((1.0 + count) / (10.0 + count));
        for (name, average) in &mut expected {
            // Running statistics are means already.
            let is_statistic = name.contains("running");
            for (average, &value) in average.iter_mut().zip(&current[name]) {
                let share = if is_statistic { 1.0 } else { share };
                *average += (share * f64::from(value - *average)) as f32;
            }
        }
        for (name, average) in weights(averaging.averaged_model().unwrap()) {
            for (found, expected) in average.iter().zip(&expected[&name]) {
                assert!((found - expected).abs() < 1e-6, "{name} after step {count}: {found}, {expected}");
            }
        }
    }
    let averages = weights(averaging.averaged_model().unwrap());
    assert_ne!(averages, weights(plain.averaged_model().unwrap()), "without one it is the model itself");
    assert_eq!(weights(&averaging.into_model().unwrap()), averages);
}
