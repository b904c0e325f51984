//! Small cases worked out by hand.

use taper_metrics::{
    Evaluation, Evaluator, MetricsError, ReliabilityBin, Throughput, argmax, expected_calibration_error,
    softmax,
};

fn evaluate(classes: usize, logits: &[f32], labels: &[u8]) -> Evaluation {
    let mut evaluator = Evaluator::new(classes);
    evaluator.update(logits, labels).unwrap();
    evaluator.finish().unwrap()
}

#[test]
fn three_images_by_hand() {
    let ln = |x: f32| x.ln();
    // Probabilities 1/2 1/4 1/4, 1/8 1/8 3/4, 1/4 1/2 1/4.
    let logits = [ln(2.0), 0.0, 0.0, 0.0, 0.0, ln(6.0), 0.0, ln(2.0), 0.0];
    let result = evaluate(3, &logits, &[0, 1, 1]);
    assert_eq!(result.images, 3);
    assert_eq!(result.correct(), 2);
    assert_eq!(result.accuracy, 2.0 / 3.0);
    assert_eq!(result.confusion_matrix, [vec![1, 0, 0], vec![0, 1, 1], vec![0, 0, 0]]);
    let loss = (2f64.ln() + 8f64.ln() + 2f64.ln()) / 3.0;
    assert!((result.loss - loss).abs() < 1e-7, "{} {loss}", result.loss);
    // 1/2 falls in bin 8 of 15 with both right answers, 3/4 in bin 12 with a wrong one.
    let ece = 2.0 / 3.0 * 0.5 + 1.0 / 3.0 * 0.75;
    assert!((result.ece - ece).abs() < 1e-7, "{} {ece}", result.ece);
    let [a, b, c] = [0, 1, 2].map(|class| result.per_class[class]);
    assert_eq!((a.precision, a.recall, a.f1, a.support), (1.0, 1.0, 1.0, 1));
    assert_eq!((b.precision, b.recall, b.f1, b.support), (1.0, 0.5, 2.0 / 3.0, 2));
    assert_eq!((c.precision, c.recall, c.f1, c.support), (0.0, 0.0, 0.0, 0));
}

#[test]
fn label_smoothing_spreads_the_target() {
    // Probabilities 1/2, 1/4, 1/4 and a target of 0.8, 0.1, 0.1.
    let mut evaluator = Evaluator::new(3).with_label_smoothing(0.3);
    evaluator.update(&[2f32.ln(), 0.0, 0.0], &[0_u8]).unwrap();
    let result = evaluator.finish().unwrap();
    let loss = 0.8 * 2f64.ln() + 0.2 * 4f64.ln();
    assert!((result.loss - loss).abs() < 1e-7, "{} {loss}", result.loss);
    assert_eq!(result.accuracy, 1.0);
}

#[test]
fn the_first_of_equal_logits_is_the_prediction() {
    assert_eq!(argmax(&[1.0, 3.0, 3.0]), Some(1));
    assert_eq!(argmax(&[f32::NAN, -1.0, f32::NAN]), Some(1));
    assert_eq!(argmax(&[f32::NEG_INFINITY]), Some(0));
    assert_eq!(argmax(&[f32::NAN]), None);
    assert_eq!(argmax(&[]), None);
    let result = evaluate(3, &[5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0, 5.0], &[0, 1, 2]);
    assert_eq!(result.rank_counts, [1, 1, 1]);
    assert_eq!(result.accuracy, 1.0 / 3.0);
    assert_eq!(result.top2_accuracy, 2.0 / 3.0);
    assert_eq!(result.confusion_matrix, [[1, 0, 0], [1, 0, 0], [1, 0, 0]]);
}

#[test]
fn top_k_grows_to_one() {
    let result = evaluate(4, &[4.0, 3.0, 2.0, 1.0, 4.0, 3.0, 2.0, 1.0], &[3, 1]);
    let by_k: Vec<f64> = (0..6).map(|k| result.top_k_accuracy(k)).collect();
    assert_eq!(by_k, [0.0, 0.0, 0.5, 0.5, 1.0, 1.0]);
    // With one class everything is right; there is no second guess to make.
    let single = evaluate(1, &[-3.0], &[0]);
    assert_eq!((single.accuracy, single.top2_accuracy, single.loss), (1.0, 1.0, 0.0));
}

#[test]
fn huge_logits_do_not_overflow() {
    let result = evaluate(2, &[3e38, -3e38, 1e4, 0.0], &[0, 1]);
    assert_eq!(result.loss, 5000.0);
    assert_eq!(softmax(&[3e38, -3e38]), [1.0, 0.0]);
    assert!(softmax(&[1.0, f32::NAN]).iter().all(|p| p.is_nan()));
    assert!(softmax(&[]).is_empty());
}

#[test]
fn bad_batches_are_errors_and_leave_the_evaluator_as_it_was() {
    let mut evaluator = Evaluator::new(2);
    evaluator.update(&[0.0, 1.0], &[1u8]).unwrap();
    let nan = evaluator.update(&[0.0, 1.0, 0.0, f32::NAN], &[0u8, 0]).unwrap_err();
    assert!(matches!(nan, MetricsError::NotFinite { image: 2, class: 1, value } if value.is_nan()), "{nan}");
    let infinite = evaluator.update(&[f32::INFINITY, 1.0], &[0u8]).unwrap_err();
    assert!(infinite.to_string().contains("lower learning rate"), "{infinite}");
    let label = evaluator.update(&[0.0; 4], &[0u8, 2]).unwrap_err();
    assert_eq!(label, MetricsError::Label { image: 2, label: 2, classes: 2 });
    let length = evaluator.update(&[0.0; 3], &[0u8, 1]).unwrap_err();
    assert_eq!(length, MetricsError::Length { logits: 3, labels: 2, classes: 2 });
    evaluator.update::<u8>(&[], &[]).unwrap();
    let result = evaluator.finish().unwrap();
    assert_eq!((result.images, result.accuracy), (1, 1.0));
}

#[test]
fn nothing_to_evaluate_is_an_error() {
    assert_eq!(Evaluator::new(10).finish(), Err(MetricsError::NoImages));
    assert_eq!(
        Evaluator::new(0).update(&[], &[0u8]).unwrap_err(),
        MetricsError::Label { image: 0, label: 0, classes: 0 }
    );
}

#[test]
fn a_bin_owns_its_upper_end() {
    // Softmax of two equal logits is exactly 1/2: bin 8, (7/15, 8/15]. Of one logit it is exactly 1.
    let half = evaluate(2, &[1.0, 1.0], &[0]);
    let filled: Vec<usize> = (0..15).filter(|&bin| half.reliability[bin].images > 0).collect();
    assert_eq!(filled, [7]);
    assert_eq!(evaluate(1, &[1.0], &[0]).reliability[14].images, 1);
    // Exactly 1/5 = 3/15 belongs to the third bin, not to the fourth.
    assert_eq!(evaluate(5, &[0.0; 5], &[0]).reliability[2].images, 1);
}

#[test]
fn calibration_of_known_bins() {
    let bin = |images, confidence, accuracy| ReliabilityBin {
        lower: 0.0,
        upper: 1.0,
        images,
        confidence,
        accuracy,
    };
    let bins = [bin(1, 0.5, 1.0), bin(3, 0.75, 0.5), bin(0, 0.0, 0.0)];
    assert_eq!(expected_calibration_error(&bins), 0.3125);
    assert_eq!(expected_calibration_error(&[]), 0.0);
}

#[test]
fn throughput_never_divides_by_zero() {
    let rate = |images, seconds| Throughput { images, seconds }.images_per_second();
    assert_eq!(rate(100, 0.5), 200.0);
    for seconds in [0.0, -1.0, f64::NAN] {
        assert_eq!(rate(100, seconds), 0.0);
    }
    assert_eq!(rate(u64::MAX, 5e-324), 0.0);
    let parts = [Throughput { images: 10, seconds: 1.0 }, Throughput { images: 30, seconds: 3.0 }];
    assert_eq!(parts.into_iter().sum::<Throughput>(), Throughput { images: 40, seconds: 4.0 });
}

#[test]
fn an_evaluation_survives_json() {
    let result = evaluate(3, &[0.1, 0.2, 0.3, 0.9, 0.5, 0.7], &[2, 1]);
    let json = serde_json::to_value(&result).unwrap();
    for key in ["accuracy", "loss", "top2_accuracy", "ece", "confusion_matrix", "per_class"] {
        assert!(json.get(key).is_some(), "{key} in {json}");
    }
    assert_eq!(serde_json::from_value::<Evaluation>(json).unwrap(), result);
}
