//! How a network becomes an ONNX file, and the writing of it.

use std::path::Path;

use taper_data::{Choice, DataError, Dataset, extend_unit};
use taper_export::onnx::Options;
use taper_export::quantize::Method;
use taper_export::{Calibration, Exported, Normalization, export, export_int8};
use taper_graph::{Graph, Weights};
use taper_model::Model;

use super::{Data, EVALUATION_BATCH, VERIFIED_IMAGES};
use crate::error::Error;
use crate::metrics::{ExportMetrics, Int8Metrics};

/// How a network becomes an ONNX file; [`Form::default`] is the plain one.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Form {
    /// What the file takes, computes in and answers.
    pub options: Options,
    /// Whether it is to be in int8, and how.
    pub int8: Option<Int8Form>,
    /// What images of bytes became in training, if that is known. `options.pixels` go before it; a run, or a file of
    /// Taper's own, knows better than either.
    pub normalization: Option<Normalization>,
}

/// How a network is put into int8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Int8Form {
    /// Training images to calibrate on, the first ones.
    pub images: usize,
    /// How the ranges of values are chosen.
    pub method: Method,
}

impl Default for Int8Form {
    /// 500 images, and the ranges from the least to the greatest number.
    fn default() -> Self {
        Self { images: 500, method: Method::default() }
    }
}

impl From<Options> for Form {
    fn from(options: Options) -> Self {
        Self { options, int8: None, normalization: None }
    }
}

impl Form {
    /// In int8.
    pub fn int8(self, int8: Int8Form) -> Self {
        Self { int8: Some(int8), ..self }
    }

    /// For a network that was trained on images of this normalisation.
    pub fn normalization(self, normalization: Normalization) -> Self {
        Self { normalization: Some(normalization), ..self }
    }

    /// What the bytes 0 and 255 become before the network sees them: 0 and 1, if nothing is known of it.
    pub(super) fn range(&self) -> [f32; 2] {
        self.known().cloned().unwrap_or_default().range
    }

    /// What is known of the images that the network was trained on.
    pub(super) fn known(&self) -> Option<&Normalization> {
        let pixels = self.options.pixels.as_ref().map(|pixels| &pixels.normalization);
        pixels.or(self.normalization.as_ref())
    }

    /// Images of `values` numbers each to verify on: in int8 as many as there is room for, since what is told of it is how many it
    /// classifies rightly.
    pub(super) fn verified(&self, values: usize) -> usize {
        if self.int8.is_some() { (MOST_VALUES / values.max(1)).max(VERIFIED_IMAGES) } else { VERIFIED_IMAGES }
    }
}

/// The most numbers in the test images that a file in int8 is run on, which are in memory at once: 256 MB, which is 21,845 images of
/// 3x32x32.
const MOST_VALUES: usize = 1 << 26;

/// A network that is to be exported.
pub(super) struct Network<'a> {
    pub(super) graph: &'a Graph,
    pub(super) weights: &'a Weights,
    pub(super) answers: &'a Answers,
}

impl Network<'_> {
    /// Writes it to `path`, verified. `data` are what int8 is calibrated on and scored on, if the answers are those to its
    /// test images.
    pub(super) fn write(
        &self,
        path: &Path,
        form: &Form,
        data: Option<&Data>,
    ) -> Result<ExportMetrics, Error> {
        let (graph, weights, sample) = (self.graph, self.weights, self.answers.sample());
        let Some(int8) = form.int8 else {
            return Ok(told(export(path, graph, weights, &form.options, &sample)?));
        };
        let data = data.ok_or_else(|| Error::NoCalibration { path: path.to_owned() })?;
        let images = images(&some(&data.train, int8.images, data), form.range())?;
        let count = images.len() / graph.input_shape().elements().max(1);
        let calibration = Calibration { count, images: &images, method: int8.method };
        let exported = export_int8(path, graph, weights, &form.options, &calibration, &sample)?;
        let right = |classes: &mut dyn Iterator<Item = usize>| {
            let labels = &self.answers.labels;
            let right = classes.zip(labels).filter(|(class, label)| *class == usize::from(**label));
            right.count() as f64 / labels.len() as f64
        };
        let scores = exported.int8.as_ref().map(|made| Int8Metrics {
            float_bytes: made.float_bytes,
            calibration: int8.method.name().to_owned(),
            calibration_images: count,
            mean_abs_diff: made.mean_abs_diff,
            agreement: made.agreement,
            float_accuracy: right(&mut self.answers.classes()),
            accuracy: right(&mut made.classes.iter().copied()),
        });
        Ok(ExportMetrics { int8: scores, ..told(exported) })
    }
}

/// So many images of a part of the data: the first ones or, of a folder, whose images lie class by class, some of every class.
fn some(part: &Dataset, count: usize, data: &Data) -> Dataset {
    match data.provenance.choice {
        Choice::ImageFolder => part.spread(count),
        _ => part.take(count),
    }
}

/// Images, and what the model answers.
pub(super) struct Answers {
    pub(super) count: usize,
    pub(super) images: Vec<f32>,
    /// The class of each image; none for images that are of no class.
    pub(super) labels: Vec<u8>,
    pub(super) logits: Vec<f32>,
}

impl Answers {
    /// What the model answers on `count` of the test images, whose bytes become numbers in `range`.
    pub(super) fn of(model: &Model, data: &Data, count: usize, range: [f32; 2]) -> Result<Self, Error> {
        let test = some(&data.test, count, data);
        let answers = Self::on(model, images(&test, range)?)?;
        Ok(Self { labels: test.labels, ..answers })
    }

    /// What the model answers on `images`, `[N, C, H, W]` in row-major order.
    pub(super) fn on(model: &Model, images: Vec<f32>) -> Result<Self, Error> {
        let image = model.graph().input_shape().elements();
        let mut logits = Vec::new();
        let inference = model.inference()?;
        for batch in images.chunks(EVALUATION_BATCH * image) {
            logits.extend(inference.logits(batch)?);
        }
        Ok(Self { count: images.len() / image, images, labels: Vec::new(), logits })
    }

    pub(super) fn sample(&self) -> taper_export::Sample<'_> {
        taper_export::Sample { count: self.count, images: &self.images, logits: &self.logits }
    }

    /// The class of each image.
    fn classes(&self) -> impl Iterator<Item = usize> {
        let rows = self.logits.chunks((self.logits.len() / self.count.max(1)).max(1));
        rows.map(|row| {
            (0..row.len()).fold(0, |best, place| if row[place] > row[best] { place } else { best })
        })
    }
}

/// The images of a dataset, in a range.
fn images(dataset: &Dataset, [low, high]: [f32; 2]) -> Result<Vec<f32>, DataError> {
    let mut images = Vec::with_capacity(dataset.len() * dataset.images.image_len());
    for image in dataset.images.iter() {
        extend_unit(&mut images, &image?);
    }
    if [low, high] != [0.0, 1.0] {
        images.iter_mut().for_each(|number| *number = low + *number * (high - low));
    }
    Ok(images)
}

/// What is told of an exported file.
fn told(exported: Exported) -> ExportMetrics {
    ExportMetrics {
        opset: exported.opset as u32,
        ir_version: exported.ir_version as u32,
        profile: exported.profile.name().to_owned(),
        not_portable: exported.not_portable.map(|lack| format!("{}: {}", lack.what, lack.reason)),
        bytes: exported.bytes,
        max_abs_diff: exported.verification.max_abs_diff,
        verified_images: exported.verification.images,
        runtime: exported.verification.runtime.to_owned(),
        int8: None,
    }
}
