//! What can be wrong with logits and labels.

/// Logits and labels that cannot be scored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetricsError {
    /// The logits are not `[N, K]` for N labels and K classes.
    #[error(
        "{logits} logits for {labels} labels and {classes} classes; {labels} × {classes} are needed: \
         are they one row of class scores for each label?"
    )]
    Length {
        /// Number of logits given.
        logits: usize,
        /// Number of labels given.
        labels: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A label names no class.
    #[error(
        "label {label} of image {image} is not one of the {classes} classes; labels count from 0: \
         do they belong to another dataset than the network?"
    )]
    Label {
        /// Which image, counted from 0 over all batches.
        image: usize,
        /// Its label.
        label: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A logit is NaN or infinite.
    #[error(
        "the logit of class {class} for image {image} is {value}; the network's weights have diverged or are \
         damaged: train again with a lower learning rate, or load other weights"
    )]
    NotFinite {
        /// Which image, counted from 0 over all batches.
        image: usize,
        /// Which class.
        class: usize,
        /// The logit.
        value: f32,
    },
    /// No image was scored, so that every mean would be 0 ÷ 0.
    #[error("there is no image to evaluate; give the evaluator at least one batch")]
    NoImages,
}
