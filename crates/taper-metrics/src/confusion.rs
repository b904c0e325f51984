//! Per-class scores, read off the confusion matrix.

use serde::{Deserialize, Serialize};

/// How well one class is recognised; fractions in 0…1, and 0 where the fraction would be 0 ÷ 0, as
/// scikit-learn's `precision_recall_fscore_support(zero_division=0)`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ClassScores {
    /// Of the images taken for this class, the fraction that are of it.
    pub precision: f64,
    /// Of the images of this class, the fraction taken for it.
    pub recall: f64,
    /// The harmonic mean of precision and recall.
    pub f1: f64,
    /// Number of images of this class.
    pub support: u64,
}

/// The scores of every class from a square matrix of counts, `counts[truth][prediction]`.
///
/// ```
/// let scores = taper_metrics::class_scores(&[vec![3, 1], vec![0, 0]]);
/// assert_eq!((scores[0].precision, scores[0].recall, scores[0].support), (1.0, 0.75, 4));
/// assert_eq!((scores[1].precision, scores[1].recall, scores[1].f1), (0.0, 0.0, 0.0)); // no such image
/// ```
#[must_use]
pub fn class_scores(counts: &[Vec<u64>]) -> Vec<ClassScores> {
    let of_class = |class: usize| {
        let hits = counts[class].get(class).copied().unwrap_or(0);
        let support = counts[class].iter().sum();
        let predicted = counts.iter().filter_map(|row| row.get(class)).sum::<u64>();
        ClassScores {
            precision: fraction(hits, predicted),
            recall: fraction(hits, support),
            // 2·P·R / (P + R), written so that it rounds once.
            f1: fraction(2 * hits, support + predicted),
            support,
        }
    };
    (0..counts.len()).map(of_class).collect()
}

/// `part ÷ whole`, and 0 for 0 ÷ 0.
pub(crate) fn fraction(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
