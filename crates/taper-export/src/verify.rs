//! Runs an ONNX file in an independent runtime and compares.

mod agreement;
mod classes;
mod error;
mod files;
mod interface;

use serde::Serialize;

use crate::onnx::Precision;
pub use agreement::{Agreement, agreement};
pub(crate) use agreement::{agreement_of_files, class};
pub(crate) use classes::verify_classes;
pub use error::VerifyError;
pub(crate) use files::{Files, load};
pub(crate) use interface::{Interface, given, numbers};

/// The greatest difference from the trained model's logits that an exported file may show.
///
/// Two correct implementations differ by rounding alone, around 1e-6 for logits of size 10; a wrong weight, pad or
/// axis shows as 1e-2 and more.
pub const TOLERANCE: f64 = 1e-4;

/// The same of a file in `precision`, relative to the greatest logit if that is above 1: numbers of float16 are 1e-3
/// apart, and errors add up through the layers.
pub(crate) fn tolerance(precision: Precision) -> f64 {
    match precision {
        Precision::Float32 => TOLERANCE,
        Precision::Float16Weights | Precision::Float16 => 1e-2,
    }
}

/// The runtime that verifies.
pub const RUNTIME: &str = "rten 0.27.0";

/// Images in one run, after the first two: a file that works for one batch size only must not pass.
const BATCHES: [usize; 3] = [1, 7, 100];

/// What the trained model answered, to compare with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample<'a> {
    /// The number of images.
    pub count: usize,
    /// The images, `[N, C, H, W]` in row-major order.
    pub images: &'a [f32],
    /// What the trained model answered, `[N, K]`.
    pub logits: &'a [f32],
}

/// The proof that a file computes what the trained model computes.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verification {
    /// The number of images compared.
    pub images: usize,
    /// The greatest absolute difference of any logit; where the file answers with classes, how far the model's logit of
    /// any lies below the model's greatest.
    pub max_abs_diff: f64,
    /// The runtime and its version.
    pub runtime: &'static str,
}

/// Loads `onnx`, the bytes of a file, in rten, runs it on the images of `sample` in batches of 1, 7 and 100, and
/// compares what it returns with the logits of `sample`. A NaN counts as different from everything.
///
/// The numbers of `sample` are those that the file takes and returns, of whatever type it has them.
///
/// # Errors
/// [`VerifyError::Differs`] if any logit differs by more than `tolerance`, naming the worst; the others if the file
/// does not get that far.
pub fn verify(onnx: &[u8], sample: &Sample<'_>, tolerance: f64) -> Result<Verification, VerifyError> {
    verify_files(&Files::one(onnx)?, sample, tolerance)
}

/// As [`verify`], of a file wherever it is.
pub(crate) fn verify_files(
    files: &Files<'_>,
    sample: &Sample<'_>,
    tolerance: f64,
) -> Result<Verification, VerifyError> {
    let classes = sample.logits.len() / sample.count.max(1);
    let mut worst = Worst::default();
    answers(files, sample, |start, found, expected| {
        for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            worst.see(start * classes + place, found, expected);
        }
    })?;
    worst.judge(classes, tolerance)?;
    Ok(Verification { images: sample.count, max_abs_diff: worst.difference, runtime: RUNTIME })
}

/// Runs a file on the images of `sample`, in batches of 1, 7 and 100, and hands the first image of each batch, the
/// answers found and those expected to `see`.
fn answers(
    files: &Files<'_>,
    sample: &Sample<'_>,
    mut see: impl FnMut(usize, &[f32], &[f32]),
) -> Result<(), VerifyError> {
    let interface = &files.interface;
    interface.check(sample)?;
    let model = files.load().map_err(|error| runtime("load", &error))?;
    let classes = sample.logits.len() / sample.count;
    let mut start = 0;
    for batch in BATCHES.into_iter().chain(std::iter::repeat(BATCHES[2])) {
        let end = sample.count.min(start + batch);
        let found = interface.run(&model, sample, start, end)?;
        see(start, &found, &sample.logits[start * classes..end * classes]);
        start = end;
        if start == sample.count {
            break;
        }
    }
    Ok(())
}

fn runtime(step: &'static str, error: &dyn std::error::Error) -> VerifyError {
    VerifyError::Runtime { step, cause: error.to_string() }
}

/// The greatest difference seen, with its place.
#[derive(Default)]
struct Worst {
    place: usize,
    found: f32,
    expected: f32,
    difference: f64,
}

impl Worst {
    fn see(&mut self, place: usize, found: f32, expected: f32) {
        let difference = (f64::from(found) - f64::from(expected)).abs();
        // Once NaN, always NaN: no comparison with it is true.
        if difference > self.difference || (difference.is_nan() && !self.difference.is_nan()) {
            *self = Self { place, found, expected, difference };
        }
    }

    fn judge(&self, classes: usize, tolerance: f64) -> Result<(), VerifyError> {
        if self.difference <= tolerance {
            return Ok(());
        }
        Err(VerifyError::Differs {
            image: self.place / classes,
            logit: self.place % classes,
            found: self.found,
            expected: self.expected,
            difference: self.difference,
            tolerance,
        })
    }
}
