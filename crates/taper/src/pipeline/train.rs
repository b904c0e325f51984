//! Training, and what it leaves.

use std::cell::RefCell;
use std::path::{Path, PathBuf};

use taper_data::Dataset;
use taper_export::{DatasetInfo, Metadata, safetensors};
use taper_files::remove_leftovers;
use taper_graph::Graph;
use taper_kernels::Isa;
use taper_model::{Model, Trainer};
use taper_train::{Checkpoint, Checkpointing, Fitted, TrainError, fit_with_checkpoints};

use super::{Data, Observer, RunEvent, RunOptions, load_data, resume};
use crate::config::{Config, DataConfig};
use crate::error::Error;
use crate::metrics::{DatasetMetrics, Metrics, ModelMetrics, TrainMetrics};
use crate::run::RunFolder;

/// A run after training.
#[derive(Debug)]
pub struct TrainedRun {
    /// Where it is.
    pub folder: RunFolder,
    /// The data it was trained on, with the test images that no one has looked at yet.
    pub data: Data,
    /// What is known so far.
    pub metrics: Metrics,
}

/// Gets the data, trains the network and writes all of the run but the ONNX file and the test scores. A run that stood
/// in the folder is replaced whole, but only once training is over; a run that was interrupted does not replace one that
/// was not, and goes to `<folder>-interrupted`.
///
/// Until then checkpoints are kept in the folder. A run that goes on from one of them ([`RunOptions::start`]) leaves the same
/// files, bit for bit, as one that was never interrupted, but for the times and the number of threads in `metrics.json`.
///
/// Data, network and folder are checked before the first step.
///
/// # Errors
/// [`Error`] naming the place and the remedy; an earlier run in the folder then stays as it was.
pub fn train(
    config: &Config,
    options: &RunOptions,
    observer: &mut Observer<'_>,
) -> Result<TrainedRun, Error> {
    config.train.validate().map_err(taper_train::TrainError::from)?;
    config.settle_instruction_set()?;
    let graph = config.model.graph()?;
    Trainer::check(&graph)?;
    config.to_toml()?;
    if let Some(out) = &options.out {
        RunFolder::new(out).check_free()?;
    }
    let data = load_data(&config.data, observer.data)?;
    let folder = RunFolder::new(options.out.clone().unwrap_or_else(|| default_folder(&data, &graph)));
    folder.check_free()?;
    let _lock = folder.lock()?;
    remove_leftovers(folder.path())?;
    remove_leftovers(&folder.checkpoints())?;
    let config = &resolved(config, &data);
    let checkpoints = resume::checkpoints(&folder, config, &data, options)?;
    let from = resume::found(&folder, &checkpoints, options.start, &graph, observer)?;
    if from.is_none() && folder.is_whole() && resume::is_kept(&folder, options.start, config, &data)? {
        let metrics = folder.metrics()?;
        (observer.run)(RunEvent::Finished { folder: folder.path() });
        return Ok(TrainedRun { folder, data, metrics });
    }
    let (train, validation) = split(&config.data, &data.train, config.train.seed)?;
    let sizes = [train.len(), validation.len(), data.test.len()];
    let model = Model::new(graph.clone(), config.train.seed)?;
    let (newest, from) = from.unzip();
    let newest = RefCell::new(newest);
    let save = Box::new(|checkpoint: &Checkpoint| {
        newest.replace(Some(checkpoints.save(checkpoint)?));
        Ok(())
    });
    let checkpointing = Checkpointing { from, every: Some(options.checkpoint_every), save: Some(save) };
    let fitted =
        fit_with_checkpoints(model, &train, &validation, &config.train, checkpointing, observer.train);
    let fitted = fitted.map_err(|cause| match cause {
        TrainError::Diverged { .. } => Error::Diverged { cause, checkpoint: newest.take() },
        other => other.into(),
    })?;

    let metrics = Metrics {
        taper_version: env!("CARGO_PKG_VERSION").to_owned(),
        dataset: dataset_metrics(&data, sizes),
        model: model_metrics(&graph),
        train: train_metrics(&fitted, config.train.seed),
        test: None,
        test_shifted: None,
        export: None,
    };
    let folder = if fitted.interrupted && folder.is_whole() { beside(&folder) } else { folder };
    let config = config.to_toml()?;
    let metadata = metadata(fitted.model.graph().clone(), &metrics.dataset);
    folder.replace(|staged| {
        safetensors::save(&staged.safetensors(), &fitted.model.weights()?, &metadata)?;
        fitted.history.write_csv(&staged.history())?;
        staged.write_config(&config)?;
        Ok(staged.write_metrics(&metrics)?)
    })?;
    if !fitted.interrupted {
        checkpoints.clear().map_err(TrainError::from)?;
    }
    Ok(TrainedRun { folder, data, metrics })
}

fn default_folder(data: &Data, graph: &Graph) -> PathBuf {
    Path::new("runs").join(format!("{}-{}", data.provenance.name, graph.name()))
}

/// Where an interrupted run goes that must not replace the whole one in `folder`.
fn beside(folder: &RunFolder) -> RunFolder {
    let mut name = folder.path().file_name().unwrap_or("run".as_ref()).to_owned();
    name.push("-interrupted");
    RunFolder::new(folder.path().with_file_name(name))
}

/// The configuration with the dataset that was used, so that `--config` repeats the run even where `auto` would find
/// other data, and from any folder.
fn resolved(config: &Config, data: &Data) -> Config {
    let dataset = data.provenance.name.parse().unwrap_or(config.data.dataset);
    let data_dir = config.data.data_dir.as_ref();
    let data_dir = data_dir.map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.clone()));
    Config { data: DataConfig { dataset, data_dir, ..config.data.clone() }, ..config.clone() }
}

/// Seeded training and validation parts; the limit cuts the training part only.
pub(super) fn split(config: &DataConfig, train: &Dataset, seed: u64) -> Result<(Dataset, Dataset), Error> {
    if train.len() <= config.validation {
        return Err(Error::TooFewImages { train: train.len(), validation: config.validation });
    }
    let (train, validation) = train.split(config.validation, seed);
    Ok((train.take(config.limit.unwrap_or(usize::MAX)), validation))
}

fn dataset_metrics(data: &Data, [train, validation, test]: [usize; 3]) -> DatasetMetrics {
    let provenance = data.provenance.clone();
    DatasetMetrics {
        name: provenance.name,
        source: provenance.source,
        sha256: provenance.sha256,
        license: provenance.license,
        class_names: data.train.class_names.clone(),
        train,
        validation,
        test,
        fallback: data.fallback.clone(),
    }
}

fn model_metrics(graph: &Graph) -> ModelMetrics {
    let (parameters, multiply_adds) = (graph.parameter_count(), graph.macs());
    ModelMetrics { name: graph.name().to_owned(), parameters, multiply_adds }
}

fn train_metrics(fitted: &Fitted, seed: u64) -> TrainMetrics {
    let throughput = fitted.throughput();
    let best = fitted.history.best_epoch();
    TrainMetrics {
        epochs: fitted.history.epochs.len(),
        best_epoch: fitted.best_epoch,
        validation_loss: best.map(|epoch| epoch.validation_loss),
        validation_accuracy: best.map(|epoch| epoch.validation_accuracy),
        seconds: throughput.seconds,
        images_per_second: throughput.images_per_second(),
        seed,
        threads: rayon::current_num_threads(),
        instruction_set: Isa::current().name().to_owned(),
        interrupted: fitted.interrupted,
        per_epoch: fitted.timings.clone(),
    }
}

fn metadata(graph: Graph, dataset: &DatasetMetrics) -> Metadata {
    let info = DatasetInfo {
        name: dataset.name.clone(),
        sha256: dataset.sha256.clone(),
        source: dataset.source.clone(),
    };
    Metadata::new(graph, info, dataset.class_names.clone())
}
