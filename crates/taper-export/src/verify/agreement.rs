//! A file in int8 beside the trained model.

use super::files::Files;
use super::{RUNTIME, Sample, Verification, VerifyError, Worst, answers};

/// How far a file in int8 agrees with the trained model. It answers otherwise by more than rounding, and its logits are
/// not held to a tolerance but its classes are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// The number of images compared, the greatest difference of any logit, and the runtime.
    pub verification: Verification,
    /// The mean absolute difference of all numbers answered: of logits, unless the file ends otherwise.
    pub mean_abs_diff: f64,
    /// The share of images, from 0 to 1, for which both name the same class.
    pub classes: f64,
    /// The class that the file names for each image.
    pub named: Vec<usize>,
}

/// The least share of images for which a file in int8 must name the class that the trained model names.
pub(crate) const LEAST_AGREEMENT: f64 = 0.95;

/// Loads `onnx`, the bytes of a file in int8, and compares it as [`verify`](super::verify()) does, but by the classes it
/// names.
///
/// # Errors
/// [`VerifyError::Disagrees`] if it names another class than the model for more than one image in twenty; the others if
/// the file does not get that far, or a logit is NaN.
pub fn agreement(onnx: &[u8], sample: &Sample<'_>) -> Result<Agreement, VerifyError> {
    agreement_of_files(Files::one(onnx), sample)
}

/// As [`agreement`], of a file that may have another beside it.
pub(crate) fn agreement_of_files(files: Files<'_>, sample: &Sample<'_>) -> Result<Agreement, VerifyError> {
    let classes = sample.logits.len() / sample.count.max(1);
    let mut worst = Worst::default();
    let (mut sum, mut alike, mut named) = (0.0, 0, Vec::with_capacity(sample.count));
    answers(files, sample, |start, found, expected| {
        for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            worst.see(start * classes + place, found, expected);
            sum += (f64::from(found) - f64::from(expected)).abs();
        }
        for (found, expected) in found.chunks(classes).zip(expected.chunks(classes)) {
            let class = class(found);
            alike += usize::from(class == self::class(expected));
            named.push(class);
        }
    })?;
    worst.judge(classes, f64::INFINITY)?;
    let share = alike as f64 / sample.count as f64;
    if share < LEAST_AGREEMENT {
        return Err(VerifyError::Disagrees { images: sample.count, agreement: share });
    }
    let verification =
        Verification { images: sample.count, max_abs_diff: worst.difference, runtime: RUNTIME };
    let mean_abs_diff = sum / sample.logits.len() as f64;
    Ok(Agreement { verification, mean_abs_diff, classes: share, named })
}

/// The class that an answer names: the place of the greatest, the first of equals, or the one number itself.
pub(crate) fn class(answer: &[f32]) -> usize {
    let place = |best: usize, (place, &x): (usize, &f32)| if x > answer[best] { place } else { best };
    match answer {
        [class] => *class as usize,
        _ => answer.iter().enumerate().fold(0, place),
    }
}
