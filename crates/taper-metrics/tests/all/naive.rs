//! The evaluator against definitions written as plainly as can be.

use proptest::prelude::*;
use taper_metrics::{Evaluator, argmax, softmax};

/// Logits `[N, K]` (few distinct values, so that ties happen) and labels `[N]`.
fn predictions() -> impl Strategy<Value = (usize, Vec<f32>, Vec<u8>)> {
    (1usize..12, 1usize..40).prop_flat_map(|(classes, images)| {
        let logit = prop_oneof![-30f32..30.0, (-3i8..4).prop_map(f32::from)];
        let logits = prop::collection::vec(logit, classes * images);
        let labels = prop::collection::vec(0..classes as u8, images);
        (Just(classes), logits, labels)
    })
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * (1.0 + b.abs())
}

proptest! {
    #[test]
    fn scores_match_their_definitions((classes, logits, labels) in predictions()) {
        let mut evaluator = Evaluator::new(classes);
        evaluator.update(&logits, &labels).unwrap();
        let result = evaluator.finish().unwrap();
        let rows: Vec<&[f32]> = logits.chunks(classes).collect();
        let truth: Vec<usize> = labels.iter().map(|&label| usize::from(label)).collect();
        let images = labels.len() as f64;

        let losses = rows.iter().zip(&truth).map(|(row, &label)| {
            let sum: f64 = row.iter().map(|&z| f64::from(z).exp()).sum();
            -(f64::from(row[label]).exp() / sum).ln()
        });
        let loss = losses.sum::<f64>() / images;
        prop_assert!(close(result.loss, loss), "{} {loss}", result.loss);

        // A stable sort by falling logit keeps the lower class first among equals.
        let orders: Vec<Vec<usize>> = rows.iter().map(|row| {
            let mut order: Vec<usize> = (0..classes).collect();
            order.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            order
        }).collect();
        for k in 0..=classes {
            let hits = orders.iter().zip(&truth).filter(|(order, label)| order[..k].contains(label)).count();
            prop_assert_eq!(result.top_k_accuracy(k), hits as f64 / images);
        }
        prop_assert_eq!(result.top_k_accuracy(1), result.accuracy);
        prop_assert_eq!(result.top_k_accuracy(2), result.top2_accuracy);

        let predicted: Vec<usize> = orders.iter().map(|order| order[0]).collect();
        let both = |t: usize, p: usize| truth.iter().zip(&predicted).filter(|&(&a, &b)| (a, b) == (t, p)).count();
        for class in 0..classes {
            for other in 0..classes {
                prop_assert_eq!(result.confusion_matrix[class][other], both(class, other) as u64);
            }
            let scores = result.per_class[class];
            let support = truth.iter().filter(|&&label| label == class).count();
            let taken = predicted.iter().filter(|&&label| label == class).count();
            let [hits, support, taken] = [both(class, class), support, taken].map(|count| count as f64);
            let precision = if taken == 0.0 { 0.0 } else { hits / taken };
            let recall = if support == 0.0 { 0.0 } else { hits / support };
            let sum = precision + recall;
            prop_assert_eq!((scores.precision, scores.recall, scores.support as f64), (precision, recall, support));
            let f1 = if sum == 0.0 { 0.0 } else { 2.0 * precision * recall / sum };
            prop_assert!(close(scores.f1, f1), "{} {}", scores.f1, f1);
        }
    }

    #[test]
    fn calibration_matches_its_definition((classes, logits, labels) in predictions()) {
        let mut evaluator = Evaluator::new(classes);
        evaluator.update(&logits, &labels).unwrap();
        let result = evaluator.finish().unwrap();
        let answers: Vec<(f64, f64)> = logits.chunks(classes).zip(&labels).map(|(row, &label)| {
            let confidence = softmax(row).into_iter().fold(0.0, f64::max);
            let right = argmax(row) == Some(usize::from(label));
            (confidence, f64::from(u8::from(right)))
        }).collect();
        let mut expected = 0.0;
        for bin in 0..15 {
            let (low, high) = (f64::from(bin) / 15.0, f64::from(bin + 1) / 15.0);
            let inside: Vec<_> = answers.iter().filter(|(c, _)| *c > low && *c <= high).collect();
            let gap: f64 = inside.iter().map(|(confidence, right)| right - confidence).sum();
            expected += gap.abs() / answers.len() as f64;
        }
        prop_assert!(close(result.ece, expected), "{} {expected}", result.ece);
        prop_assert_eq!(result.reliability.iter().map(|bin| bin.images).sum::<u64>(), result.images);
    }

    #[test]
    fn batches_make_no_difference((classes, logits, labels) in predictions(), batch in 1usize..9) {
        let mut whole = Evaluator::new(classes);
        whole.update(&logits, &labels).unwrap();
        let mut parts = Evaluator::new(classes);
        for (rows, few) in logits.chunks(classes * batch).zip(labels.chunks(batch)) {
            parts.update(rows, few).unwrap();
        }
        prop_assert_eq!(parts.images(), labels.len());
        prop_assert_eq!(parts.finish(), whole.finish());
    }

    #[test]
    fn any_input_is_scored_or_refused(
        classes in 0usize..5,
        logits in prop::collection::vec(any::<f32>(), 0..30),
        labels in prop::collection::vec(any::<u8>(), 0..8),
    ) {
        let mut evaluator = Evaluator::new(classes);
        let before = evaluator.images();
        match evaluator.update(&logits, &labels) {
            Ok(()) => prop_assert_eq!(evaluator.images(), before + labels.len()),
            Err(_) => prop_assert_eq!(evaluator.images(), before),
        }
    }

    #[test]
    fn probabilities_sum_to_one(logits in prop::collection::vec(-500f32..500.0, 1..20)) {
        let probabilities = softmax(&logits);
        prop_assert!(close(probabilities.iter().sum(), 1.0));
        prop_assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)));
    }
}
