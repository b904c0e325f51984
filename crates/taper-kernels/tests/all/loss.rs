use proptest::prelude::*;
use taper_kernels::{KernelError, cross_entropy, cross_entropy_rows, softmax, softmax_backward};

use crate::support::{assert_close, random, wide};

/// Mean smoothed cross-entropy in f64, from its definition.
fn definition(classes: usize, logits: &[f64], labels: &[u8], smoothing: f64) -> f64 {
    let row_loss = |(row, &label): (&[f64], &u8)| -> f64 {
        let sum: f64 = row.iter().map(|logit| logit.exp()).sum();
        let target = |class| {
            smoothing / classes as f64 + if class == usize::from(label) { 1.0 - smoothing } else { 0.0 }
        };
        row.iter().enumerate().map(|(class, logit)| -target(class) * (logit - sum.ln())).sum()
    };
    logits.chunks(classes).zip(labels).map(row_loss).sum::<f64>() / labels.len() as f64
}

proptest! {
    #[test]
    fn cross_entropy_matches_its_definition_and_finite_differences(
        classes in 1..12usize, batch in 1..6usize, seed: u32, smoothing in 0.0..0.5f64,
    ) {
        let logits: Vec<f32> = random(seed, classes * batch).iter().map(|v| v * 5.0).collect();
        let labels: Vec<u8> = random(seed ^ 1, batch).iter().map(|v| ((v + 1.0) * 500.0) as u8 % classes as u8).collect();
        let mut gradient = vec![f32::NAN; logits.len()];
        let loss = cross_entropy(classes, &logits, &labels, smoothing, &mut gradient).unwrap();
        let logits = wide(&logits);
        prop_assert!((loss.mean - definition(classes, &logits, &labels, smoothing)).abs() < 1e-12);
        for at in 0..logits.len() {
            let moved = |step: f64| {
                let mut logits = logits.clone();
                logits[at] += step;
                definition(classes, &logits, &labels, smoothing)
            };
            let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            prop_assert!((f64::from(gradient[at]) - slope).abs() < 1e-7, "{} against {}", gradient[at], slope);
        }
    }

    #[test]
    fn softmax_matches_its_definition(
        outer in 1..4usize, classes in 1..9usize, inner in 1..5usize, seed: u32,
    ) {
        let sizes = [outer, classes, inner];
        let (x, dy) = (random(seed, outer * classes * inner), random(seed ^ 1, outer * classes * inner));
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        softmax(sizes, &x, &mut y).unwrap();
        softmax_backward(sizes, &y, &dy, &mut dx).unwrap();
        let (mut expected_y, mut expected_dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        for start in (0..outer).flat_map(|block| (0..inner).map(move |i| block * classes * inner + i)) {
            let lane: Vec<usize> = (0..classes).map(|class| start + class * inner).collect();
            let sum: f64 = lane.iter().map(|&at| f64::from(x[at]).exp()).sum();
            lane.iter().for_each(|&at| expected_y[at] = f64::from(x[at]).exp() / sum);
            // The Jacobian written out: dyᵢ/dxⱼ = yᵢ (δᵢⱼ − yⱼ).
            for &j in &lane {
                for &i in &lane {
                    let delta = if i == j { 1.0 } else { 0.0 };
                    expected_dx[j] += f64::from(dy[i]) * expected_y[i] * (delta - expected_y[j]);
                }
            }
        }
        assert_close("y", &y, &expected_y)?;
        let worst = dx.iter().zip(&expected_dx).map(|(f, e)| (f64::from(*f) - e).abs()).fold(0.0, f64::max);
        prop_assert!(worst < 1e-6, "gradient off by {}", worst);
    }
}

#[test]
fn huge_logits_do_not_overflow() {
    let mut gradient = [0.0; 3];
    let loss = cross_entropy(3, &[1e30, 0.0, -1e30], &[0], 0.0, &mut gradient).unwrap();
    assert_eq!((loss.mean, loss.correct, gradient), (0.0, 1, [0.0; 3]));
}

#[test]
fn a_label_outside_the_classes_is_refused() {
    let error = cross_entropy(2, &[0.0; 4], &[1, 2], 0.0, &mut [0.0; 4]).unwrap_err();
    assert_eq!(error, KernelError::Label { item: 1, label: 2, classes: 2 });
}

#[test]
fn groups_of_rows_add_up_to_the_batch() {
    let (logits, labels) = (random(1, 7 * 10), [3, 1, 4, 1, 5, 9, 2]);
    let mut whole = vec![f32::NAN; logits.len()];
    let loss = cross_entropy(10, &logits, &labels, 0.1, &mut whole).unwrap();
    let (mut total, mut correct) = (0.0, 0);
    for group in [0..3, 3..7] {
        let rows = logits[group.start * 10..group.end * 10].chunks(10);
        let padded: Vec<f32> = rows.flat_map(|row| row.iter().copied().chain([f32::NAN; 6])).collect();
        let mut gradient = vec![f32::NAN; padded.len()];
        let labels = &labels[group.clone()];
        let (sum, right) = cross_entropy_rows([10, 16], &padded, labels, 0.1, 7, &mut gradient).unwrap();
        (total, correct) = (total + sum, correct + right);
        for (found, expected) in gradient.chunks(16).zip(whole[group.start * 10..].chunks(10)) {
            assert_eq!((&found[..10], &found[10..]), (expected, &[0.0; 6][..]));
        }
    }
    assert!((total / 7.0 - loss.mean).abs() < 1e-12);
    assert_eq!(correct, loss.correct);
    assert!(cross_entropy_rows([10, 8], &[0.0; 8], &[1], 0.0, 1, &mut [0.0; 8]).is_err());
}
