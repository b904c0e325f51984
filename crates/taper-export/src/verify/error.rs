//! Why a file was not verified.

use super::RUNTIME;
use super::agreement::{LEAST_AGREEMENT, NEAR};
use crate::onnx::InspectError;

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
    /// A file in int8 of a network with one output answers something else too often.
    #[error(
        "it is refused: in int8 it answers within {near} % of the range of the trained model's answers for only \
         {share:.1} % of {images} images, less than {least} %; calibrate on more images, by another method, or export it \
         as float16",
        near = 100.0 * NEAR, share = 100.0 * agreement, least = 100.0 * LEAST_AGREEMENT
    )]
    Strays {
        /// The number of images.
        images: usize,
        /// The share for which it answers nearly as the model.
        agreement: f64,
    },
    /// The file names another class.
    #[error(
        "it is refused: {RUNTIME} names class {found} for image {image}, the trained model {expected}; the model's logits \
         of the two are {difference:e} apart, which exceeds {margin:e}; report the network's graph as a fault of Taper"
    )]
    OtherClass {
        /// The image, counted from 0.
        image: usize,
        /// The class that the file names.
        found: f32,
        /// The class that the model names.
        expected: f32,
        /// How far apart the model's logits of the two are; NaN if there is no such class.
        difference: f64,
        /// How far they may be.
        margin: f64,
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
