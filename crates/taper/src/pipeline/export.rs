//! The verified ONNX file, and the model card that tells of it.

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use taper_data::extend_unit;
use taper_export::onnx::Options;
use taper_export::{Exported, Sample, export as write_verified};
use taper_files::{WriteError, write_atomic};
use taper_graph::Graph;
use taper_model::Model;
use taper_report::{CardOptions, DataFacts, ExportFacts, ModelCard, SplitSizes};

use super::{Data, EVALUATION_BATCH, VERIFIED_IMAGES, check_same_data};
use crate::error::Error;
use crate::metrics::{ExportMetrics, Metrics};
use crate::run::RunFolder;

/// Images, and what the model answers.
pub(super) struct Answers {
    count: usize,
    images: Vec<f32>,
    logits: Vec<f32>,
}

impl Answers {
    fn of(model: &Model, data: &Data) -> Result<Self, Error> {
        let test = data.test.take(VERIFIED_IMAGES);
        let mut images = Vec::new();
        extend_unit(&mut images, test.images.pixels());
        Self::on(model, images)
    }

    /// What the model answers on `images`, `[N, C, H, W]` in row-major order.
    pub(super) fn on(model: &Model, images: Vec<f32>) -> Result<Self, Error> {
        let image = model.graph().input_shape().elements();
        let mut logits = Vec::new();
        let inference = model.inference()?;
        for batch in images.chunks(EVALUATION_BATCH * image) {
            logits.extend(inference.logits(batch)?);
        }
        Ok(Self { count: images.len() / image, images, logits })
    }

    pub(super) fn sample(&self) -> Sample<'_> {
        Sample { count: self.count, images: &self.images, logits: &self.logits }
    }
}

/// Writes the network of a run to `path` as an ONNX file that was run on test images in an independent runtime first.
/// For the run's own `model.onnx`, the metrics and the model card tell of it too.
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, or a file that differs from the trained network; an
/// earlier file at `path` then stays as it was.
pub fn export(folder: &RunFolder, data: &Data, path: &Path) -> Result<ExportMetrics, Error> {
    if folder.owns(path) && !folder.is_onnx(path) {
        return Err(Error::OwnFile { path: path.to_owned() });
    }
    let mut metrics = folder.metrics()?;
    check_same_data(&metrics, data)?;
    let (weights, metadata) = folder.network()?;
    let graph = metadata.graph.clone();
    let model = Model::from_weights(graph.clone(), &weights)?;
    let answers = Answers::of(&model, data)?;
    let options = Options::default().metadata(metadata);
    let facts = facts(write_verified(path, &graph, &weights, &options, &answers.sample())?);
    if folder.is_onnx(path) {
        metrics.export = Some(facts.clone());
        folder.write_metrics(&metrics)?;
        write_card(folder, &metrics, &graph)?;
    }
    Ok(facts)
}

/// What is told of an exported file.
pub(super) fn facts(exported: Exported) -> ExportMetrics {
    ExportMetrics {
        opset: exported.opset as u32,
        ir_version: exported.ir_version as u32,
        bytes: exported.bytes,
        max_abs_diff: exported.verification.max_abs_diff,
        verified_images: exported.verification.images,
        runtime: exported.verification.runtime.to_owned(),
    }
}

/// Writes `images` `[N, C, H, W]` and the trained model's `logits` `[N, classes]` of a run to a safetensors file, for
/// other runtimes to be compared with.
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, or a file that cannot be written.
pub fn reference(folder: &RunFolder, data: &Data, path: &Path) -> Result<(), Error> {
    check_same_data(&folder.metrics()?, data)?;
    let (weights, metadata) = folder.network()?;
    let input = metadata.graph.input_shape().clone();
    let model = Model::from_weights(metadata.graph, &weights)?;
    let answers = Answers::of(&model, data)?;
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let (images, logits) = (bytes(&answers.images), bytes(&answers.logits));
    let shapes = [input.with_batch(answers.count), vec![answers.count, model.classes()?]];
    let refuse = |error: safetensors::SafeTensorError| WriteError::new(path, std::io::Error::other(error));
    let [image_shape, logit_shape] = shapes;
    let tensors = [
        ("images", TensorView::new(Dtype::F32, image_shape, &images).map_err(refuse)?),
        ("logits", TensorView::new(Dtype::F32, logit_shape, &logits).map_err(refuse)?),
    ];
    let file = safetensors::serialize(tensors, None).map_err(refuse)?;
    Ok(write_atomic(path, |to| to.write_all(&file))?)
}

/// Writes the model card, once there are test scores to tell.
pub(super) fn write_card(folder: &RunFolder, metrics: &Metrics, graph: &Graph) -> Result<(), Error> {
    let Some(evaluation) = &metrics.test else { return Ok(()) };
    let dataset = &metrics.dataset;
    let data = DataFacts {
        name: dataset.name.clone(),
        source: dataset.source.clone(),
        sha256: dataset.sha256.clone(),
        license: dataset.license.clone(),
    };
    let mut options = CardOptions::default();
    options.class_names.clone_from(&dataset.class_names);
    options.splits =
        Some(SplitSizes { train: dataset.train, validation: dataset.validation, test: dataset.test });
    options.training = training_recipe(folder)?;
    options.export = metrics.export.as_ref().map(|facts| ExportFacts {
        opset: facts.opset,
        ir_version: facts.ir_version,
        runtime: facts.runtime.clone(),
        verified_images: facts.verified_images,
        max_abs_diff: facts.max_abs_diff,
    });
    options.taper_version = Some(metrics.taper_version.clone());
    Ok(ModelCard::new(graph, data, evaluation, options).write(&folder.card())?)
}

fn training_recipe(folder: &RunFolder) -> Result<Vec<(String, String)>, Error> {
    let config = folder.config()?.train;
    let settings = [
        ("optimizer", config.optimizer.name().to_owned()),
        ("learning rate", config.learning_rate.to_string()),
        ("schedule", config.schedule.to_string()),
        ("epochs", config.epochs.to_string()),
        ("batch size", config.batch_size.to_string()),
        ("label smoothing", config.label_smoothing.to_string()),
        ("seed", config.seed.to_string()),
    ];
    Ok(settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}
