//! [`Evaluator`]: sums up batches of logits and labels.

use crate::calibration::{Reliability, expected_calibration_error};
use crate::confusion::{class_scores, fraction};
use crate::error::MetricsError;
use crate::evaluation::Evaluation;
use crate::softmax::{Exponentials, argmax};

/// Accumulates an [`Evaluation`] over batches.
///
/// It holds sums, not logits: its memory is `K²` counts, whatever the number of images.
#[derive(Debug, Clone)]
pub struct Evaluator {
    classes: usize,
    label_smoothing: f64,
    images: usize,
    loss: f64,
    confusion: Vec<Vec<u64>>,
    ranks: Vec<u64>,
    reliability: Reliability,
}

impl Evaluator {
    /// An evaluator for `classes` classes that has seen nothing yet.
    #[must_use]
    pub fn new(classes: usize) -> Self {
        Self {
            classes,
            label_smoothing: 0.0,
            images: 0,
            loss: 0.0,
            confusion: vec![vec![0; classes]; classes],
            ranks: vec![0; classes],
            reliability: Reliability::default(),
        }
    }

    /// The same with label smoothing of the loss: of each target, the share `label_smoothing`, in `[0, 1)`, is spread evenly
    /// over all classes, as a network was trained to that learnt with it (PyTorch's `CrossEntropyLoss(label_smoothing=…)`).
    ///
    /// ```
    /// use taper_metrics::Evaluator;
    /// let mut evaluator = Evaluator::new(2).with_label_smoothing(0.5);
    /// evaluator.update(&[0.0, 0.0, 2.0, 2.0], &[0_u8, 1])?;
    /// assert_eq!(evaluator.finish()?.loss, std::f64::consts::LN_2);
    /// # Ok::<(), taper_metrics::MetricsError>(())
    /// ```
    #[must_use]
    pub fn with_label_smoothing(self, label_smoothing: f64) -> Self {
        Self { label_smoothing, ..self }
    }

    /// Number of images seen so far.
    #[must_use]
    pub fn images(&self) -> usize {
        self.images
    }

    /// Adds a batch: `logits` is `[N, K]` row by row, `labels` is `[N]` of `u8`, `u16` or `usize`.
    ///
    /// # Errors
    /// [`MetricsError`] for a wrong number of logits, a label that is no class, or a logit that is NaN or
    /// infinite. The batch is then not counted at all.
    pub fn update<L: Copy + Into<usize>>(
        &mut self,
        logits: &[f32],
        labels: &[L],
    ) -> Result<(), MetricsError> {
        self.check(logits, labels)?;
        for (row, &label) in logits.chunks_exact(self.classes.max(1)).zip(labels) {
            self.add(row, label.into());
        }
        Ok(())
    }

    /// The scores of all images seen.
    ///
    /// # Errors
    /// [`MetricsError::NoImages`] if there was none.
    pub fn finish(self) -> Result<Evaluation, MetricsError> {
        if self.images == 0 {
            return Err(MetricsError::NoImages);
        }
        let images = self.images as u64;
        let reliability = self.reliability.bins();
        Ok(Evaluation {
            images,
            loss: self.loss / self.images as f64,
            accuracy: fraction(self.ranks.iter().take(1).sum(), images),
            top2_accuracy: fraction(self.ranks.iter().take(2).sum(), images),
            ece: expected_calibration_error(&reliability),
            per_class: class_scores(&self.confusion),
            confusion_matrix: self.confusion,
            rank_counts: self.ranks,
            reliability,
        })
    }

    fn check<L: Copy + Into<usize>>(&self, logits: &[f32], labels: &[L]) -> Result<(), MetricsError> {
        let classes = self.classes;
        if labels.len().checked_mul(classes) != Some(logits.len()) {
            return Err(MetricsError::Length { logits: logits.len(), labels: labels.len(), classes });
        }
        for (image, &label) in (self.images..).zip(labels) {
            let label = label.into();
            if label >= classes {
                return Err(MetricsError::Label { image, label, classes });
            }
        }
        match logits.iter().position(|logit| !logit.is_finite()) {
            None => Ok(()),
            Some(place) => Err(MetricsError::NotFinite {
                image: self.images + place / classes,
                class: place % classes,
                value: logits[place],
            }),
        }
    }

    /// Adds one image whose logits and label are known to be good.
    fn add(&mut self, logits: &[f32], label: usize) {
        let exponentials = Exponentials::of(logits);
        self.images += 1;
        let of = |logit: f32| exponentials.cross_entropy(logit);
        self.loss += match self.label_smoothing {
            0.0 => of(logits[label]),
            spread => {
                let all: f64 = logits.iter().map(|&logit| of(logit)).sum();
                (1.0 - spread) * of(logits[label]) + spread * all / self.classes as f64
            }
        };
        let rank = rank_of(label, logits);
        self.ranks[rank] += 1;
        // Finite logits always have a greatest one.
        let prediction = argmax(logits).unwrap_or(label);
        self.confusion[label][prediction] += 1;
        self.reliability.add(exponentials.confidence(), rank == 0);
    }
}

/// How many classes come before `label`: those with a higher logit, and lower classes with the same one.
fn rank_of(label: usize, logits: &[f32]) -> usize {
    let own = logits[label];
    let before = |&(class, &logit): &(usize, &f32)| logit > own || (logit == own && class < label);
    logits.iter().enumerate().filter(before).count()
}
