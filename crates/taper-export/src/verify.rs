//! Runs an ONNX file in an independent runtime and compares.

use rten::{Model, TryFromValueError, Value};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;
use serde::Serialize;

use crate::onnx::{DataType, Dim, InspectError, Precision, ValueInfo, inspect};

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
    let interface = Interface::of(onnx)?;
    interface.check(sample)?;
    let model = Model::load(onnx.to_vec()).map_err(|error| runtime("load", &error))?;
    let classes = sample.logits.len() / sample.count;
    let mut worst = Worst::default();
    let mut start = 0;
    for batch in BATCHES.into_iter().chain(std::iter::repeat(BATCHES[2])) {
        let end = sample.count.min(start + batch);
        let found = interface.run(&model, sample, start, end)?;
        let expected = &sample.logits[start * classes..end * classes];
        for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
            worst.see(start * classes + place, found, expected);
        }
        start = end;
        if start == sample.count {
            break;
        }
    }
    worst.judge(classes, tolerance)?;
    Ok(Verification { images: sample.count, max_abs_diff: worst.difference, runtime: RUNTIME })
}

/// The one input and one output that a file declares.
struct Interface {
    input: ValueInfo,
    output: ValueInfo,
}

impl Interface {
    fn of(onnx: &[u8]) -> Result<Self, VerifyError> {
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
        let shape = batch_of(&self.input, count);
        let images = sample.images[start * image..end * image].to_vec();
        let images = match self.input.data_type {
            Some(DataType::UInt8) => {
                Tensor::from_data(&shape, images.into_iter().map(|x| x as u8).collect::<Vec<_>>()).into()
            }
            _ => Tensor::from_data(&shape, images).into(),
        };
        let output = model.run_one(images, None).map_err(|error| runtime("run", &error))?;
        let output: Tensor<f32> = match output {
            Value::Int32Tensor(classes) => classes.map(|&class| class as f32),
            other => other.try_into().map_err(|error: TryFromValueError| runtime("run", &error))?,
        };
        let expected = batch_of(&self.output, count);
        if output.shape() != expected {
            let cause = format!("for {count} images it returns {:?} instead of {expected:?}", output.shape());
            return Err(VerifyError::Runtime { step: "run", cause });
        }
        Ok(output.to_vec())
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
