//! Softmax cross-entropy.

use crate::error::{KernelError, check_len};
use crate::geometry::product;

/// What [`cross_entropy`] finds for a batch.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Loss {
    /// Mean loss over the batch, in nats.
    pub mean: f64,
    /// How many arg-maxima equal their label.
    pub correct: usize,
}

/// Mean cross-entropy of `logits` `[N, classes]` against `labels` `[N]`, and its gradient with respect to the logits.
///
/// With `label_smoothing` ε the target is `1 − ε + ε/classes` for the label and `ε/classes` for the others (Szegedy et
/// al. 2015), as in [`torch.nn.CrossEntropyLoss`](https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
///
/// The mean over no items is NaN, as in PyTorch.
///
/// # Errors
/// [`KernelError`] if the lengths do not agree or a label is not one of the classes.
///
/// ```
/// let mut gradient = [0.0; 2];
/// let loss = taper_kernels::cross_entropy(2, &[0.0, 0.0], &[1], 0.0, &mut gradient)?;
/// assert!((loss.mean - 2f64.ln()).abs() < 1e-6);
/// assert_eq!(gradient, [0.5, -0.5]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn cross_entropy(
    classes: usize,
    logits: &[f32],
    labels: &[u8],
    label_smoothing: f64,
    gradient: &mut [f32],
) -> Result<Loss, KernelError> {
    let (sum, correct) =
        cross_entropy_rows([classes, classes], logits, labels, label_smoothing, labels.len(), gradient)?;
    Ok(Loss { mean: sum / labels.len() as f64, correct })
}

/// [`cross_entropy`] for some rows of a batch of `batch`, on the calling thread: the *sum* of their losses and how many
/// arg-maxima equal their label; their gradient is that of the mean over the whole batch.
///
/// `logits` and `gradient` are rows of `classes` values, `stride` from one to the next; what stands between them becomes
/// zero in `gradient`.
///
/// # Errors
/// [`KernelError`] if the lengths do not agree, `stride` is less than `classes`, or a label is not one of the classes.
///
/// ```
/// let mut gradient = [9.0; 8];
/// let logits = [0.0; 8];
/// let (sum, _) = taper_kernels::cross_entropy_rows([2, 8], &logits, &[1], 0.0, 10, &mut gradient)?;
/// assert!((sum - 2f64.ln()).abs() < 1e-6);
/// assert_eq!(gradient[..3], [0.05, -0.05, 0.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn cross_entropy_rows(
    [classes, stride]: [usize; 2],
    logits: &[f32],
    labels: &[u8],
    label_smoothing: f64,
    batch: usize,
    gradient: &mut [f32],
) -> Result<(f64, usize), KernelError> {
    check_len("stride", stride.max(classes), stride)?;
    check_len("logits", logits.len(), product([stride, labels.len()]))?;
    check_len("gradient", gradient.len(), logits.len())?;
    if let Some(item) = labels.iter().position(|&label| usize::from(label) >= classes) {
        return Err(KernelError::Label { item, label: usize::from(labels[item]), classes });
    }
    // The exponentials are libm's, since those of the system differ in the last bits from one to the next.
    let spread = label_smoothing / classes as f64;
    let share = 1.0 / batch as f64;
    let (mut total, mut correct) = (0.0, 0);
    // No classes, no labels: then no size of a chunk matters, but 0 is refused.
    let rows = logits.chunks_exact(stride.max(1)).zip(gradient.chunks_exact_mut(stride.max(1)));
    for (&label, (row, gradient)) in labels.iter().zip(rows) {
        let (row, label) = (&row[..classes], usize::from(label));
        let (gradient, pads) = gradient.split_at_mut(classes);
        pads.fill(0.0);
        let best = first_maximum(row);
        let greatest = f64::from(row[best]);
        let sum: f64 = row.iter().map(|&logit| libm::exp(f64::from(logit) - greatest)).sum();
        let log_sum = greatest + libm::log(sum);
        for (class, (&logit, gradient)) in row.iter().zip(gradient).enumerate() {
            let log_probability = f64::from(logit) - log_sum;
            let target = spread + if class == label { 1.0 - label_smoothing } else { 0.0 };
            if target > 0.0 {
                total -= target * log_probability;
            }
            *gradient = ((libm::exp(log_probability) - target) * share) as f32;
        }
        correct += usize::from(best == label);
    }
    Ok((total, correct))
}

/// The first of the greatest values.
fn first_maximum(row: &[f32]) -> usize {
    let mut best = 0;
    for (class, &value) in row.iter().enumerate() {
        if value > row[best] {
            best = class;
        }
    }
    best
}
