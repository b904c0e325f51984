//! The one look at the test images.

use taper_export::{Metadata, safetensors};
use taper_metrics::Evaluation;
use taper_model::Model;

use super::form::Form;
use super::{Data, EVALUATION_BATCH, check_same_data};
use crate::error::Error;
use crate::run::RunFolder;

/// Scores a run on its test images, and enters the result in its metrics, its model card, its safetensors file and, if
/// there are any, its ONNX file and its report.
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, or a file that cannot be written.
pub fn evaluate(folder: &RunFolder, data: &Data) -> Result<Evaluation, Error> {
    let mut metrics = folder.metrics()?;
    check_same_data(&metrics, data)?;
    folder.config()?.settle_instruction_set()?;
    let (weights, metadata) = folder.network()?;
    let model = Model::from_weights(metadata.graph.clone(), &weights)?;
    let evaluation = taper_train::evaluate(&model, &data.test, EVALUATION_BATCH, &mut |_| ())?;
    let metadata = Metadata { accuracy: Some(evaluation.accuracy), ..metadata };
    safetensors::save(&folder.safetensors(), &weights, &metadata)?;
    // The same weights have the same score; that on shifted images is theirs too.
    if metrics.test.as_ref() != Some(&evaluation) {
        metrics.test_shifted = None;
    }
    metrics.test = Some(evaluation.clone());
    folder.write_metrics(&metrics)?;
    if folder.onnx().exists() {
        super::export(folder, data, &folder.onnx(), &Form::default())?;
    } else {
        super::export::write_card(folder, &metrics, &metadata.graph)?;
        super::export::refresh_report(folder, data)?;
    }
    Ok(evaluation)
}

/// Scores a run as [`evaluate`] does, but on the mean of its answers to every image and to the image shifted by a pixel to all
/// eight sides ([`taper_train::evaluate_shifted`]), and enters the result in its metrics, apart from the other.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_shifted(folder: &RunFolder, data: &Data) -> Result<Evaluation, Error> {
    let mut metrics = folder.metrics()?;
    check_same_data(&metrics, data)?;
    folder.config()?.settle_instruction_set()?;
    let (weights, metadata) = folder.network()?;
    let model = Model::from_weights(metadata.graph, &weights)?;
    let evaluation = taper_train::evaluate_shifted(&model, &data.test, EVALUATION_BATCH, SHIFT, &mut |_| ())?;
    metrics.test_shifted = Some(evaluation.clone());
    folder.write_metrics(&metrics)?;
    super::export::refresh_report(folder, data)?;
    Ok(evaluation)
}

/// Pixels that images are shifted by.
const SHIFT: usize = 1;
