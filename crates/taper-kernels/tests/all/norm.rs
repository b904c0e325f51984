use proptest::prelude::*;
use taper_kernels::{BatchNormGeometry, batch_norm_backward, batch_norm_eval, batch_norm_train};

use crate::support::{random, wide};

const EPS: f64 = 1e-5;

/// Batch norm in f64 with the batch's own statistics, from its definition.
fn definition(g: BatchNormGeometry, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    for channel in 0..g.channels {
        let lane: Vec<usize> = (0..x.len()).filter(|at| at / g.pixels % g.channels == channel).collect();
        let count = lane.len() as f64;
        let mean = lane.iter().map(|&at| x[at]).sum::<f64>() / count;
        let variance = lane.iter().map(|&at| (x[at] - mean).powi(2)).sum::<f64>() / count;
        for at in lane {
            y[at] = (x[at] - mean) / (variance + EPS).sqrt() * weight[channel] + bias[channel];
        }
    }
    y
}

proptest! {
    #[test]
    fn training_matches_the_definition_and_finite_differences(
        batch in 2..5usize, channels in 1..4usize, pixels in 2..7usize, seed: u32,
    ) {
        let g = BatchNormGeometry { batch, channels, pixels };
        let len = batch * channels * pixels;
        let (x, dy) = (random(seed, len), random(seed ^ 1, len));
        let (weight, bias) = (random(seed ^ 2, channels), random(seed ^ 3, channels));
        let mut y = vec![f32::NAN; len];
        let statistics = batch_norm_train(g, &x, [&weight, &bias], EPS, &mut y).unwrap();
        let mut dx = vec![f32::NAN; len];
        let [dweight, dbias] = batch_norm_backward(g, &x, &weight, &statistics, EPS, &dy, &mut dx).unwrap();

        let inputs = [wide(&x), wide(&weight), wide(&bias)];
        let run = |inputs: &[Vec<f64>; 3]| definition(g, &inputs[0], &inputs[1], &inputs[2]);
        let loss = |inputs: &[Vec<f64>; 3]| -> f64 { run(inputs).iter().zip(&dy).map(|(y, dy)| y * f64::from(*dy)).sum() };
        for (found, expected) in y.iter().zip(run(&inputs)) {
            prop_assert!((f64::from(*found) - expected).abs() < 1e-5, "{} against {}", found, expected);
        }
        for (which, found) in [&dx, &dweight, &dbias].into_iter().enumerate() {
            for (at, &found) in found.iter().enumerate() {
                let moved = |step: f64| {
                    let mut inputs = inputs.clone();
                    inputs[which][at] += step;
                    loss(&inputs)
                };
                let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
                prop_assert!((f64::from(found) - slope).abs() < 1e-3 * slope.abs().max(0.1), "{} against {}", found, slope);
            }
        }
    }
}

#[test]
fn evaluation_uses_the_running_statistics() {
    let g = BatchNormGeometry { batch: 1, channels: 2, pixels: 2 };
    let mut y = [0.0; 4];
    let parameters: [&[f32]; 4] = [&[2.0, 1.0], &[0.5, 0.0], &[1.0, 0.0], &[4.0, 1.0]];
    batch_norm_eval(g, &[1.0, 3.0, -1.0, 0.0], parameters, 0.0, &mut y).unwrap();
    assert_eq!(y, [0.5, 2.5, -1.0, 0.0]);
}
