//! The verified ONNX file, and the model card that tells of it.

use std::path::Path;

use safetensors::Dtype;
use safetensors::tensor::TensorView;
use taper_export::Metadata;
use taper_files::{WriteError, write_atomic};
use taper_graph::Graph;
use taper_model::Model;
use taper_report::{CardOptions, DataFacts, ExportFacts, ModelCard, SplitSizes};
use taper_train::FitConfig;

use super::form::{Answers, Form, Network};
use super::{Data, VERIFIED_IMAGES, check_same_data};
use crate::error::Error;
use crate::metrics::{ExportMetrics, Metrics};
use crate::run::RunFolder;

/// Writes the network of a run to `path` as an ONNX file that was run on test images in an independent runtime first.
/// The metadata, and what becomes of bytes, are those of the run, whatever `form` has. For the run's own `model.onnx`, the
/// metrics and the model card tell of it too; it is always the plain one, [`Form::default`].
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, a form that cannot be had, or a file that
/// differs from the trained network; an earlier file at `path` then stays as it was.
pub fn export(folder: &RunFolder, data: &Data, path: &Path, form: &Form) -> Result<ExportMetrics, Error> {
    let is_plain = *form == Form::default();
    if folder.owns(path) && !(folder.is_onnx(path) && is_plain) {
        return Err(Error::OwnFile { path: path.to_owned() });
    }
    let mut metrics = folder.metrics()?;
    check_same_data(&metrics, data)?;
    let (weights, metadata) = folder.network()?;
    let graph = metadata.graph.clone();
    let model = Model::from_weights(graph.clone(), &weights)?;
    let form = described(form, metadata);
    let count = form.verified(graph.input_shape().elements());
    let answers = Answers::of(&model, data, count, form.range())?;
    let network = Network { graph: &graph, weights: &weights, answers: &answers };
    let facts = network.write(path, &form, Some(data))?;
    if folder.is_onnx(path) {
        metrics.export = Some(facts.clone());
        folder.write_metrics(&metrics)?;
        write_card(folder, &metrics, &graph)?;
        refresh_report(folder, data)?;
    }
    Ok(facts)
}

/// Writes the report anew, if the run has one.
pub(super) fn refresh_report(folder: &RunFolder, data: &Data) -> Result<(), Error> {
    if folder.report().exists() { super::report(folder, data) } else { Ok(()) }
}

/// `form` for a network whose metadata is known.
pub(super) fn described(form: &Form, metadata: Metadata) -> Form {
    let mut form = form.clone();
    if let Some(pixels) = &mut form.options.pixels {
        pixels.normalization = metadata.normalization.clone();
    }
    form.normalization = Some(metadata.normalization.clone());
    form.options.metadata = Some(metadata);
    form
}

/// Writes test `images` `[N, C, H, W]`, their `labels` `[N]` and the trained model's `logits` `[N, classes]` of a run to a
/// safetensors file, for other runtimes to be compared with.
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, or a file that cannot be written.
pub fn reference(folder: &RunFolder, data: &Data, path: &Path) -> Result<(), Error> {
    check_same_data(&folder.metrics()?, data)?;
    let (weights, metadata) = folder.network()?;
    let input = metadata.graph.input_shape().clone();
    let range = metadata.normalization.range;
    let model = Model::from_weights(metadata.graph, &weights)?;
    let answers = Answers::of(&model, data, VERIFIED_IMAGES, range)?;
    let bytes = |values: &[f32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let (images, logits) = (bytes(&answers.images), bytes(&answers.logits));
    let shapes = [input.with_batch(answers.count), vec![answers.count, model.classes()?]];
    let refuse = |error: safetensors::SafeTensorError| WriteError::new(path, std::io::Error::other(error));
    let [image_shape, logit_shape] = shapes;
    let tensors = [
        ("labels", TensorView::new(Dtype::U8, vec![answers.count], &answers.labels).map_err(refuse)?),
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
    let mut options = CardOptions::default();
    options.class_names.clone_from(&dataset.class_names);
    options.splits =
        Some(SplitSizes { train: dataset.train, validation: dataset.validation, test: dataset.test });
    let config = folder.config()?;
    options.license.clone_from(&config.license);
    options.training = training_recipe(&config.train, metrics);
    options.export = metrics.export.as_ref().map(export_facts);
    options.taper_version = Some(metrics.taper_version.clone());
    Ok(ModelCard::new(graph, data_facts(metrics), evaluation, options).write(&folder.card())?)
}

/// What the data of a run are.
pub(super) fn data_facts(metrics: &Metrics) -> DataFacts {
    let dataset = &metrics.dataset;
    DataFacts {
        name: dataset.name.clone(),
        source: dataset.source.clone(),
        sha256: dataset.sha256.clone(),
        license: dataset.license.clone(),
    }
}

/// What is known of the ONNX file of a run.
pub(super) fn export_facts(facts: &ExportMetrics) -> ExportFacts {
    ExportFacts {
        opset: facts.opset,
        ir_version: facts.ir_version,
        runtime: facts.runtime.clone(),
        verified_images: facts.verified_images,
        max_abs_diff: facts.max_abs_diff,
    }
}

/// The main settings of a run, without those that are off; `config.toml` has all of them.
pub(super) fn training_recipe(config: &FitConfig, metrics: &Metrics) -> Vec<(String, String)> {
    let FitConfig { optimizer, augment, .. } = config;
    let on = |value: f64| (value != 0.0).then(|| value.to_string());
    let number = |value: Option<f64>| value.map(|value| value.to_string());
    let pixels = |value: usize| (value != 0).then(|| format!("{value} px"));
    let epochs = match metrics.train.epochs {
        done if done < config.epochs => format!("{done} of {}", config.epochs),
        done => done.to_string(),
    };
    let settings = [
        ("optimizer", Some(optimizer.name().to_owned())),
        ("weight decay", on(optimizer.weight_decay())),
        ("learning rate", Some(config.learning_rate.to_string())),
        ("schedule", Some(config.schedule.to_string())),
        ("warm-up, share of the steps", on(config.warmup)),
        ("epochs", Some(epochs)),
        ("early stopping, epochs", config.early_stopping.map(|patience| patience.to_string())),
        ("batch size", Some(config.batch_size.to_string())),
        ("label smoothing", Some(config.label_smoothing.to_string())),
        ("dropout", number(config.dropout)),
        ("gradients clipped to norm", number(config.clip_norm)),
        ("decay of the weights' moving average", number(config.ema_decay)),
        ("random shift", pixels(augment.shift)),
        ("random rotation", on(augment.rotation).map(|degrees| format!("{degrees}°"))),
        ("random scale", on(augment.scale).map(|fraction| format!("± {fraction}"))),
        ("random shear", on(augment.shear).map(|degrees| format!("{degrees}°"))),
        ("elastic distortion", on(augment.elastic).map(|strength| format!("{strength} px"))),
        ("cutout", pixels(augment.cutout)),
        ("seed", Some(config.seed.to_string())),
    ];
    let told = settings.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    told.collect()
}
