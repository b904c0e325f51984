//! The one look at the test images.

use taper_export::{Metadata, safetensors};
use taper_graph::Weights;
use taper_metrics::Evaluation;
use taper_model::Model;

use super::form::Form;
use super::{Data, EVALUATION_BATCH, check_same_data};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::run::RunFolder;

/// Scores a run on its test images, and enters the result in its metrics, its model card, its safetensors file and, if
/// there are any, its ONNX file and its report.
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, or a file that cannot be written.
pub fn evaluate(folder: &RunFolder, data: &Data) -> Result<Evaluation, Error> {
    let run = ScoredRun::open(folder, data)?;
    let test = run.test(data)?;
    run.enter(folder, data, &test, None)?;
    Ok(test)
}

/// Scores a run as [`evaluate`] does, and also on the mean of its answers to every image and to the image shifted by a pixel to all
/// eight sides ([`taper_train::evaluate_shifted`]). The two results are given in this order, and entered apart from each other.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_shifted(folder: &RunFolder, data: &Data) -> Result<[Evaluation; 2], Error> {
    let run = ScoredRun::open(folder, data)?;
    let (test, shifted) = (run.test(data)?, run.shifted(data)?);
    run.enter(folder, data, &test, Some(&shifted))?;
    Ok([test, shifted])
}

/// Pixels that images are shifted by.
const SHIFT: usize = 1;

/// A run whose files are read.
struct ScoredRun {
    metrics: Metrics,
    metadata: Metadata,
    weights: Weights,
    model: Model,
}

impl ScoredRun {
    fn open(folder: &RunFolder, data: &Data) -> Result<Self, Error> {
        let metrics = folder.metrics()?;
        check_same_data(&metrics, data)?;
        folder.config()?.settle_instruction_set()?;
        let (weights, metadata) = folder.network()?;
        let model = Model::from_weights(metadata.graph.clone(), &weights)?;
        Ok(Self { metrics, metadata, weights, model })
    }

    fn test(&self, data: &Data) -> Result<Evaluation, Error> {
        Ok(taper_train::evaluate(&self.model, &data.test, EVALUATION_BATCH, &mut |_| ())?)
    }

    fn shifted(&self, data: &Data) -> Result<Evaluation, Error> {
        Ok(taper_train::evaluate_shifted(&self.model, &data.test, EVALUATION_BATCH, SHIFT, &mut |_| ())?)
    }

    /// Enters the scores in all files that tell of them, each written once.
    fn enter(
        self,
        folder: &RunFolder,
        data: &Data,
        test: &Evaluation,
        shifted: Option<&Evaluation>,
    ) -> Result<(), Error> {
        let Self { mut metrics, metadata, weights, .. } = self;
        let metadata = Metadata { accuracy: Some(test.accuracy), ..metadata };
        safetensors::save(&folder.safetensors(), &weights, &metadata)?;
        // The same weights have the same score; that on shifted images is theirs too.
        if shifted.is_some() || metrics.test.as_ref() != Some(test) {
            metrics.test_shifted = shifted.cloned();
        }
        metrics.test = Some(test.clone());
        folder.write_metrics(&metrics)?;
        if folder.onnx().exists() {
            super::export(folder, data, &folder.onnx(), &Form::default())?;
        } else {
            super::export::write_card(folder, &metrics, &metadata.graph)?;
            super::export::refresh_report(folder, data)?;
        }
        Ok(())
    }
}
