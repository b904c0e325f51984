//! What a file of some options is given, and what it has to answer.

use taper_graph::Shape;

use crate::onnx::{Head, Layout, Options, Pixels, Precision};
use crate::verify::{
    Files, Sample, TOLERANCE, Verification, VerifyError, class, tolerance, verify_classes, verify_files,
};

/// A sample in the terms of a file.
pub(crate) struct Expected<'a> {
    images: Vec<f32>,
    answers: Vec<f32>,
    /// What the network itself answers.
    logits: &'a [f32],
    count: usize,
    head: Head,
    tolerance: f64,
}

impl<'a> Expected<'a> {
    /// What the file of a network that takes `input` is given and has to answer where the network itself takes and
    /// answers `sample`.
    pub(crate) fn new(sample: &Sample<'a>, input: &Shape, options: &Options) -> Result<Self, VerifyError> {
        let images = given(sample.images, sample.count, input, options)?;
        let rows = || sample.logits.chunks((sample.logits.len() / sample.count.max(1)).max(1));
        let answers = match options.head {
            Head::Logits => sample.logits.to_vec(),
            Head::Softmax => rows().flat_map(softmax).collect(),
            Head::ArgMax => rows().map(|row| class(row) as f32).collect(),
        };
        let numbers = if options.head == Head::ArgMax { sample.logits } else { &answers };
        let greatest = numbers.iter().fold(1.0f32, |most, x| most.max(x.abs()));
        let tolerance = match options.precision {
            Precision::Float32 => TOLERANCE,
            precision => tolerance(precision) * f64::from(greatest),
        };
        let Sample { count, logits, .. } = *sample;
        Ok(Self { images, answers, logits, count, head: options.head, tolerance })
    }

    pub(crate) fn sample(&self) -> Sample<'_> {
        Sample { count: self.count, images: &self.images, logits: &self.answers }
    }

    /// Runs the file, and compares.
    pub(crate) fn verify(&self, files: &Files<'_>) -> Result<Verification, VerifyError> {
        match self.head {
            // Both of two logits may be off.
            Head::ArgMax => {
                let sample = Sample { logits: self.logits, ..self.sample() };
                verify_classes(files, &sample, 2.0 * self.tolerance)
            }
            _ => verify_files(files, &self.sample(), self.tolerance),
        }
    }
}

/// What the file of a network that takes `input` is given where the network itself takes `images`.
pub(crate) fn given(
    images: &[f32],
    count: usize,
    input: &Shape,
    options: &Options,
) -> Result<Vec<f32>, VerifyError> {
    match &options.pixels {
        Some(pixels) => bytes(images, count, input, pixels),
        None => Ok(images.to_vec()),
    }
}

/// The bytes that become these images, in the order of the file.
fn bytes(images: &[f32], count: usize, input: &Shape, pixels: &Pixels) -> Result<Vec<f32>, VerifyError> {
    let [low, high] = pixels.normalization.range;
    let size = (images.len() / count.max(1)).max(1);
    let mut bytes = Vec::with_capacity(images.len());
    for (place, &number) in images.iter().enumerate() {
        let byte = (number - low) / (high - low) * 255.0;
        if (byte - byte.round()).abs() > 1e-2 || !(-0.5..255.5).contains(&byte) {
            return Err(VerifyError::Pixels { image: place / size, number, low, high });
        }
        bytes.push(byte.round());
    }
    Ok(match (pixels.layout, input.image()) {
        (Layout::Nhwc, Ok([channels, height, width])) => {
            let area = height * width;
            let image = |image: &[f32]| {
                let pixel = |place: usize| (0..channels).map(move |channel| channel * area + place);
                (0..area).flat_map(pixel).map(|place| image[place]).collect::<Vec<f32>>()
            };
            bytes.chunks_exact(channels * area).flat_map(image).collect()
        }
        _ => bytes,
    })
}

fn softmax(logits: &[f32]) -> Vec<f32> {
    let greatest = logits.iter().fold(f64::NEG_INFINITY, |most, &x| most.max(x.into()));
    let powers: Vec<f64> = logits.iter().map(|&x| (f64::from(x) - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| (power / sum) as f32).collect()
}
