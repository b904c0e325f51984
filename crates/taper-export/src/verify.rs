//! Runs an ONNX file in an independent runtime and compares.

use std::borrow::Cow;
use std::path::Path;

use prost::Message;
use rten::{Model, ModelOptions, TryFromValueError, Value, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use serde::Serialize;

use crate::onnx::external::Split;
use crate::onnx::{DataType, Dim, InspectError, OnnxModel, Precision, ValueInfo, inspect};

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
    /// The greatest absolute difference of any logit.
    pub max_abs_diff: f64,
    /// The runtime and its version.
    pub runtime: &'static str,
}

/// How far a file in int8 agrees with the trained model. It answers otherwise by more than rounding, and its logits are
/// not held to a tolerance but its classes are.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Agreement {
    /// The number of images compared, the greatest difference of any logit, and the runtime.
    pub verification: Verification,
    /// The mean absolute difference of all logits.
    pub mean_abs_diff: f64,
    /// The share of images, from 0 to 1, for which both name the same class.
    pub classes: f64,
    /// The class that the file names for each image.
    pub named: Vec<usize>,
}

/// The least share of images for which a file in int8 must name the class that the trained model names.
pub(crate) const LEAST_AGREEMENT: f64 = 0.95;

/// Why a file was not verified.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The bytes are no ONNX file.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The file has not exactly one input and one output of numbers with a batch dimension.
    #[error(
        "it takes {inputs} and returns {outputs}, but one tensor of numbers each, batch first, is needed; export the network again"
    )]
    Interface {
        /// Its inputs.
        inputs: String,
        /// Its outputs.
        outputs: String,
    },
    /// The sample does not fit the file.
    #[error(
        "{what} are {found} numbers, but {count} of {value} are {expected}; give the sample of this network"
    )]
    Sample {
        /// `images` or `logits`.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// The number of images.
        count: usize,
        /// The input or output as declared.
        value: String,
        /// How many there should be.
        expected: usize,
    },
    /// The images are no bytes.
    #[error(
        "image {image} of the sample has the number {number}, which no byte becomes in the range from {low} to {high}; \
         give images of the normalisation that the file is to have"
    )]
    Pixels {
        /// The image, counted from 0.
        image: usize,
        /// The number.
        number: f32,
        /// What the byte 0 becomes.
        low: f32,
        /// What the byte 255 becomes.
        high: f32,
    },
    /// There is nothing to compare with.
    #[error("there are no images to verify the file on; give at least one")]
    NoImages,
    /// The runtime cannot load or run the file.
    #[error(
        "{RUNTIME} cannot {step} it: {cause}; export the network again, or report its graph as a fault of Taper"
    )]
    Runtime {
        /// `load` or `run`.
        step: &'static str,
        /// What the runtime said.
        cause: String,
    },
    /// The file in int8 names other classes.
    #[error(
        "it is refused: in int8 it names the class that the trained model names for only {share:.1} % of {images} \
         images, less than {least} %; calibrate on more images, by another method, or export it as float16",
        share = 100.0 * agreement, least = 100.0 * LEAST_AGREEMENT
    )]
    Disagrees {
        /// The number of images.
        images: usize,
        /// The share for which both name the same class.
        agreement: f64,
    },
    /// The file computes something else.
    #[error(
        "it is refused: {RUNTIME} computes {found} for logit {logit} of image {image}, the trained model {expected}; \
         the difference of {difference:e} exceeds {tolerance:e}; report the network's graph as a fault of Taper"
    )]
    Differs {
        /// The image with the greatest difference, counted from 0.
        image: usize,
        /// The logit, counted from 0.
        logit: usize,
        /// What the file computes.
        found: f32,
        /// What the trained model answered.
        expected: f32,
        /// The difference; NaN if either is NaN.
        difference: f64,
        /// The greatest difference allowed.
        tolerance: f64,
    },
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
    verify_files(Files::one(onnx), sample, tolerance)
}

/// As [`verify`], of a file that may have another beside it.
pub(crate) fn verify_files(
    files: Files<'_>,
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

/// Loads `onnx`, the bytes of a file in int8, and compares it as [`verify`] does, but by the classes it names.
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

/// The bytes of a file, and of the one beside it that has its large constants.
pub(crate) struct Files<'a> {
    onnx: Cow<'a, [u8]>,
    /// Its name, and its bytes.
    data: Option<(String, Vec<u8>)>,
}

impl<'a> Files<'a> {
    fn one(onnx: &'a [u8]) -> Self {
        Self { onnx: Cow::Borrowed(onnx), data: None }
    }

    /// What [`OnnxModel::write`] writes.
    pub(crate) fn of(model: &OnnxModel, path: &Path, most: usize) -> Result<Self, VerifyError> {
        let Some(split) = Split::of(model, path, most) else {
            return Ok(Self { onnx: Cow::Owned(model.to_bytes()), data: None });
        };
        let mut data = Vec::with_capacity(split.data_len());
        split.write_data(&mut data).map_err(|error| runtime("load", &error))?;
        Ok(Self { onnx: Cow::Owned(split.proto.encode_to_vec()), data: Some((split.location, data)) })
    }

    /// Loads them in the runtime.
    pub(crate) fn load(self) -> Result<Model, rten::LoadError> {
        let mut options = ModelOptions::with_all_ops();
        if let Some((name, data)) = self.data {
            options.external_data(&name, data);
        }
        options.load(self.onnx.into_owned())
    }
}

/// Runs a file on the images of `sample`, in batches of 1, 7 and 100, and hands the first image of each batch, the
/// answers found and those expected to `see`.
fn answers(
    files: Files<'_>,
    sample: &Sample<'_>,
    mut see: impl FnMut(usize, &[f32], &[f32]),
) -> Result<(), VerifyError> {
    let interface = Interface::of(&files.onnx)?;
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

/// The one input and one output that a file declares.
pub(crate) struct Interface {
    pub(crate) input: ValueInfo,
    output: ValueInfo,
}

impl Interface {
    /// The numbers of one image.
    pub(crate) fn image_size(&self) -> usize {
        elements(&self.input).unwrap_or(0)
    }

    pub(crate) fn of(onnx: &[u8]) -> Result<Self, VerifyError> {
        let file = inspect(onnx)?;
        match (&file.inputs[..], &file.outputs[..]) {
            ([input], [output]) if elements(input).is_some() && elements(output).is_some() => {
                Ok(Self { input: input.clone(), output: output.clone() })
            }
            (inputs, outputs) => {
                let list = |values: &[ValueInfo]| {
                    let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                    if values.is_empty() { "nothing".to_owned() } else { values.join(" and ") }
                };
                Err(VerifyError::Interface { inputs: list(inputs), outputs: list(outputs) })
            }
        }
    }

    fn check(&self, sample: &Sample<'_>) -> Result<(), VerifyError> {
        if sample.count == 0 {
            return Err(VerifyError::NoImages);
        }
        let parts = [("images", sample.images, &self.input), ("logits", sample.logits, &self.output)];
        for (what, numbers, value) in parts {
            let expected = elements(value).unwrap_or(0).saturating_mul(sample.count);
            if numbers.len() != expected {
                let (found, count) = (numbers.len(), sample.count);
                return Err(VerifyError::Sample { what, found, count, value: value.to_string(), expected });
            }
        }
        Ok(())
    }

    /// What the file returns for the images from `start` to `end`.
    fn run(
        &self,
        model: &Model,
        sample: &Sample<'_>,
        start: usize,
        end: usize,
    ) -> Result<Vec<f32>, VerifyError> {
        let count = end - start;
        let image = sample.images.len() / sample.count;
        let images = given(&self.input, count, &sample.images[start * image..end * image]);
        let output = model.run_one(images, None).map_err(|error| runtime("run", &error))?;
        let output = numbers(output).map_err(|error| runtime("run", &error))?;
        let expected = batch_of(&self.output, count);
        if output.shape() != expected {
            let cause = format!("for {count} images it returns {:?} instead of {expected:?}", output.shape());
            return Err(VerifyError::Runtime { step: "run", cause });
        }
        Ok(output.to_vec())
    }
}

/// `count` images for a declared input, which takes bytes or numbers.
pub(crate) fn given(input: &ValueInfo, count: usize, images: &[f32]) -> ValueOrView<'static> {
    let shape = batch_of(input, count);
    match input.data_type {
        Some(DataType::UInt8) => {
            let bytes: Vec<u8> = images.iter().map(|&number| number as u8).collect();
            Tensor::from_data(&shape, bytes).into()
        }
        _ => Tensor::from_data(&shape, images.to_vec()).into(),
    }
}

/// What was computed, as numbers.
pub(crate) fn numbers(value: Value) -> Result<Tensor<f32>, TryFromValueError> {
    match value {
        Value::Int32Tensor(classes) => Ok(classes.map(|&class| class as f32)),
        other => other.try_into(),
    }
}

/// The number of elements of one item of a declared value; `None` if it is anything but a batch of numbers that f32
/// can hold.
fn elements(value: &ValueInfo) -> Option<usize> {
    let (
        Some(DataType::Float32 | DataType::Float16 | DataType::UInt8 | DataType::Int64),
        Some([_, item @ ..]),
    ) = (value.data_type, value.dims.as_deref())
    else {
        return None;
    };
    item.iter().try_fold(1usize, |product, dim| match dim {
        Dim::Fixed(size) if *size > 0 => product.checked_mul(*size),
        _ => None,
    })
}

/// The sizes of a batch of `count` of a declared value.
fn batch_of(value: &ValueInfo, count: usize) -> Vec<usize> {
    let size = |dim: &Dim| if let Dim::Fixed(size) = dim { *size } else { 0 };
    let item = value.dims.iter().flatten().skip(1).map(size);
    std::iter::once(count).chain(item).collect()
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
