//! The report of a run: what is known of it, and what only the network itself can tell.

mod inside;
mod predictions;

use taper_graph::Graph;
use taper_model::Model;
use taper_report::{Curves, EpochPoint, Report, ReportParts, Speed, SplitSizes, StepPoint};
use taper_train::{History, Split, check_fits};

use super::export::{data_facts, export_facts, training_recipe};
use super::{Data, check_same_data};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::run::RunFolder;
use predictions::Predictions;

/// Writes `report.html` of a run, and its plots. What a run does not have yet, such as test scores, is left out; the test
/// images are not looked at before it was scored on them.
///
/// # Errors
/// [`Error`]: no finished run, other data than it was trained on, test scores that are not the network's, a damaged file of the
/// run, or a file that cannot be written; an earlier report then stays as it was.
///
/// ```no_run
/// use taper::{RunFolder, pipeline};
///
/// let folder = RunFolder::new("runs/mnist-lenet5");
/// let data = pipeline::load_data(&folder.config()?.data, &mut |_| ())?;
/// pipeline::report(&folder, &data)?;
/// println!("{}", folder.report().display());
/// # Ok::<(), taper::Error>(())
/// ```
pub fn report(folder: &RunFolder, data: &Data) -> Result<(), Error> {
    let metrics = folder.metrics()?;
    check_same_data(&metrics, data)?;
    let config = folder.config()?;
    config.settle_instruction_set()?;
    let (weights, metadata) = folder.network()?;
    let graph = metadata.graph;
    let model = Model::from_weights(graph.clone(), &weights)?;

    check_fits(&model, &data.train, Split::Train)?;
    check_fits(&model, &data.test, Split::Evaluation)?;

    let mut parts = known(folder, &metrics)?;
    if let Some(scores) = &metrics.test {
        let predictions = Predictions::of(&model, &data.test)?;
        if predictions.confusion_matrix() != scores.confusion_matrix {
            return Err(Error::OtherScores { path: folder.path().to_owned() });
        }
        let map = inside::last_maps(&graph);
        parts.gallery = predictions.samples(&data.test, &predictions.right())?;
        parts.mistakes = predictions.samples(&data.test, &predictions.worst())?;
        for sample in &mut parts.mistakes {
            sample.explanations = inside::explanations(&model, map, &data.test, sample)?;
        }
    }
    parts.filters = inside::filters(&graph, &weights);
    parts.features = inside::features(&model, &data.train)?;
    Ok(write(folder, &graph, &metrics, parts)?)
}

fn write(
    folder: &RunFolder,
    graph: &Graph,
    metrics: &Metrics,
    parts: ReportParts<'_>,
) -> Result<(), taper_report::ReportError> {
    Report::new(graph, data_facts(metrics), parts).write(&folder.report())
}

/// What the files of the run tell.
fn known<'a>(folder: &RunFolder, metrics: &'a Metrics) -> Result<ReportParts<'a>, Error> {
    let (dataset, train) = (&metrics.dataset, &metrics.train);
    let mut config = folder.config()?;
    // Where things lie and how many threads there are is the machine's, not the run's.
    config.data.data_dir = None;
    config.threads = None;
    let mut parts = ReportParts::default();
    parts.class_names.clone_from(&dataset.class_names);
    parts.splits =
        Some(SplitSizes { train: dataset.train, validation: dataset.validation, test: dataset.test });
    parts.evaluation = metrics.test.as_ref();
    parts.shifted = metrics.test_shifted.as_ref();
    parts.curves = curves(&folder.read_history()?);
    parts.kept_epoch = train.best_epoch;
    if dataset.fallback.is_some() {
        let why = "MNIST was wanted but could not be had, so that synthetic digits took its place; metrics.json says why.";
        parts.notes.push(why.to_owned());
    }
    if train.interrupted {
        parts
            .notes
            .push(format!("Training was stopped after {} of {} epochs.", train.epochs, config.train.epochs));
    }
    parts.speed = Some(Speed {
        seconds: train.seconds,
        images_per_second: train.images_per_second,
        threads: train.threads,
        instruction_set: train.instruction_set.clone(),
    });
    parts.export = metrics.export.as_ref().map(export_facts);
    parts.settings = training_recipe(&config.train, metrics);
    parts.config = Some(config.to_toml()?);
    parts.versions.push(("Taper".to_owned(), metrics.taper_version.clone()));
    if let Some(facts) = &metrics.export {
        parts.versions.push(("ONNX opset".to_owned(), facts.opset.to_string()));
        parts.versions.push(("verified in".to_owned(), facts.runtime.clone()));
    }
    Ok(parts)
}

pub(super) fn curves(history: &History) -> Curves {
    let steps = history.steps.iter().map(|step| StepPoint {
        epoch: step.epoch,
        step: step.step,
        loss: step.loss,
        accuracy: step.accuracy,
        learning_rate: step.learning_rate,
    });
    let epochs = history.epochs.iter().map(|epoch| EpochPoint {
        epoch: epoch.epoch,
        step: epoch.step,
        loss: epoch.validation_loss,
        accuracy: epoch.validation_accuracy,
    });
    Curves { steps: steps.collect(), epochs: epochs.collect() }
}
