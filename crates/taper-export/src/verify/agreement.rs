//! A file in int8 beside the trained model.

use super::files::Files;
use super::{Interface, RUNTIME, Sample, Verification, VerifyError, Worst, answers};

/// How far a file in int8 agrees with the trained model. It answers otherwise by more than rounding, and its logits are
/// not held to a tolerance but its classes are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// The number of images compared, the greatest difference of any logit, and the runtime.
    pub verification: Verification,
    /// The mean absolute difference of all numbers answered: of logits, unless the file ends otherwise.
    pub mean_abs_diff: f64,
    /// The share of images, from 0 to 1, for which both name the same class; of a network with one output, which tells
    /// no classes apart, for which both answer the same within 5 % of the range of the network's answers and 0.
    pub classes: f64,
    /// The class that the file names for each image.
    pub named: Vec<usize>,
}

/// The least share of images for which a file in int8 must name the class that the trained model names.
pub(crate) const LEAST_AGREEMENT: f64 = 0.95;

/// How near an only output must be to the trained model's, as a share of the range of those and 0.
pub(crate) const NEAR: f64 = 0.05;

/// Loads `onnx`, the bytes of a file in int8, and compares it as [`verify`](super::verify()) does, but by the classes it
/// names.
///
/// # Errors
/// [`VerifyError::Disagrees`] if it names another class than the model for more than one image in twenty, and
/// [`VerifyError::Strays`] if its only output is another for as many; the others if the file does not get that far, or
/// a logit is NaN.
pub fn agreement(onnx: &[u8], sample: &Sample<'_>) -> Result<Agreement, VerifyError> {
    agreement_of_files(&Files::one(onnx)?, sample)
}

/// As [`agreement`], of a file wherever it is.
pub(crate) fn agreement_of_files(files: &Files<'_>, sample: &Sample<'_>) -> Result<Agreement, VerifyError> {
    let classes = sample.logits.len() / sample.count.max(1);
    let mut worst = Worst::default();
    let (mut sum, mut alike, mut named) = (0.0, 0, Vec::with_capacity(sample.count));
    let measure = Measure::of(&files.interface, sample);
    answers(files, sample, |start, found, expected| {
        for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            worst.see(start * classes + place, found, expected);
            sum += (f64::from(found) - f64::from(expected)).abs();
        }
        for (found, expected) in found.chunks(classes).zip(expected.chunks(classes)) {
            alike += usize::from(measure.is_alike(found, expected));
            named.push(measure.class(found));
        }
    })?;
    worst.judge(classes, f64::INFINITY)?;
    let share = alike as f64 / sample.count as f64;
    if share < LEAST_AGREEMENT {
        let (images, agreement) = (sample.count, share);
        return Err(match measure {
            Measure::Near(_) => VerifyError::Strays { images, agreement },
            _ => VerifyError::Disagrees { images, agreement },
        });
    }
    let verification =
        Verification { images: sample.count, max_abs_diff: worst.difference, runtime: RUNTIME };
    let mean_abs_diff = sum / sample.logits.len() as f64;
    Ok(Agreement { verification, mean_abs_diff, classes: share, named })
}

/// When two answers are alike.
#[derive(Clone, Copy)]
enum Measure {
    /// If they are the same number, which is the class.
    Named,
    /// If the greatest stands in the same place.
    Greatest,
    /// If the only number differs by no more than that.
    Near(f64),
}

impl Measure {
    fn of(interface: &Interface, sample: &Sample<'_>) -> Self {
        if interface.names_classes() {
            return Measure::Named;
        }
        if sample.logits.len() != sample.count {
            return Measure::Greatest;
        }
        let [low, high] = sample.logits.iter().fold([0.0f32; 2], |[low, high], &x| [low.min(x), high.max(x)]);
        Measure::Near(NEAR * (f64::from(high) - f64::from(low)))
    }

    fn is_alike(self, found: &[f32], expected: &[f32]) -> bool {
        match (self, found, expected) {
            (Measure::Near(most), [found], [expected]) => {
                (f64::from(*found) - f64::from(*expected)).abs() <= most
            }
            _ => self.class(found) == self.class(expected),
        }
    }

    fn class(self, answer: &[f32]) -> usize {
        match (self, answer) {
            (Measure::Named, [class]) => *class as usize,
            _ => class(answer),
        }
    }
}

/// The class of logits or probabilities: the place of the greatest, the first of equals.
pub(crate) fn class(answer: &[f32]) -> usize {
    let place = |best: usize, (place, &x): (usize, &f32)| if x > answer[best] { place } else { best };
    answer.iter().enumerate().fold(0, place)
}
