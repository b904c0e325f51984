//! From logits to probabilities, without overflow.

/// The index of the greatest value; the first one where several are equal. NaN is never the greatest.
///
/// `None` if `values` is empty or all NaN.
#[must_use]
pub fn argmax(values: &[f32]) -> Option<usize> {
    let mut best: Option<(usize, f32)> = None;
    for (index, &value) in values.iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|(_, greatest)| value > greatest) {
            best = Some((index, value));
        }
    }
    best.map(|(index, _)| index)
}

/// The class probabilities `exp(zᵢ) / Σⱼ exp(zⱼ)` of the logits `[K]` of one image, in f64.
///
/// The greatest logit is subtracted first, so that no exponential overflows. A NaN or +∞ among the logits
/// makes NaN probabilities.
///
/// ```
/// let probabilities = taper_metrics::softmax(&[1000.0, 1000.0]);
/// assert_eq!(probabilities, [0.5, 0.5]);
/// ```
#[must_use]
pub fn softmax(logits: &[f32]) -> Vec<f64> {
    let sum = Exponentials::of(logits);
    logits.iter().map(|&logit| libm::exp(f64::from(logit) - sum.greatest) / sum.sum).collect()
}

/// `Σⱼ exp(zⱼ − max z)`, and that maximum: all that softmax and cross-entropy need.
pub(crate) struct Exponentials {
    pub(crate) greatest: f64,
    pub(crate) sum: f64,
}

impl Exponentials {
    pub(crate) fn of(logits: &[f32]) -> Self {
        let greatest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum = logits.iter().map(|&logit| libm::exp(f64::from(logit) - greatest)).sum();
        Self { greatest, sum }
    }

    /// Cross-entropy of one image, `log Σⱼ exp(zⱼ) − z_label`.
    pub(crate) fn cross_entropy(&self, label: f32) -> f64 {
        libm::log(self.sum) + (self.greatest - f64::from(label))
    }

    /// The greatest probability.
    pub(crate) fn confidence(&self) -> f64 {
        1.0 / self.sum
    }
}
