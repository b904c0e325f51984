//! [`Evaluation`]: what is known about a classifier after it has seen a labelled set.

use serde::{Deserialize, Serialize};

use crate::calibration::ReliabilityBin;
use crate::confusion::{ClassScores, fraction};

/// The scores of a classifier on a set of labelled images; see [`Evaluator`](crate::Evaluator).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Evaluation {
    /// Number of images.
    pub images: u64,
    /// Mean cross-entropy of the softmax of the logits, in nats; without label smoothing but for
    /// [`Evaluator::with_label_smoothing`](crate::Evaluator::with_label_smoothing).
    pub loss: f64,
    /// Fraction of the images whose highest logit is that of their class; the first class wins a tie.
    pub accuracy: f64,
    /// Fraction of the images whose class is among the two highest logits.
    pub top2_accuracy: f64,
    /// Expected calibration error over 15 equal-width bins (Guo et al. 2017); 0 is perfect.
    pub ece: f64,
    /// Number of images by class and prediction: `confusion_matrix[truth][prediction]`, `[K, K]`.
    pub confusion_matrix: Vec<Vec<u64>>,
    /// Precision, recall, F1 and support of each class, `[K]`.
    pub per_class: Vec<ClassScores>,
    /// Number of images by the rank of their class among the logits: `rank_counts[0]` were right at the first
    /// guess, `rank_counts[1]` at the second, … `[K]`.
    pub rank_counts: Vec<u64>,
    /// Confidence and accuracy by bin of confidence, for a reliability diagram.
    pub reliability: Vec<ReliabilityBin>,
}

impl Evaluation {
    /// Number of images classified rightly.
    #[must_use]
    pub fn correct(&self) -> u64 {
        self.rank_counts.first().copied().unwrap_or(0)
    }

    /// Fraction of the images whose class is among the `k` highest logits; the lower class wins a tie.
    #[must_use]
    pub fn top_k_accuracy(&self, k: usize) -> f64 {
        fraction(self.rank_counts.iter().take(k).sum(), self.images)
    }
}
