//! Training, and what it leaves.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use taper_data::Choice;
use taper_export::{DatasetInfo, Metadata, safetensors};
use taper_graph::Graph;
use taper_model::Trainer;
use taper_model::exchange::{Alone, Exchange};
use taper_train::{Checkpoint, Checkpointing, Event, Fitted, TrainError};

use super::ranks::{Beginning, fit_on, meet, tell, with_shards};
use super::timed::Timed;
use super::{Data, Observer, RunEvent, RunOptions, fit, load_data, resume};
use crate::config::{Config, DataConfig};
use crate::error::Error;
use crate::metrics::{DatasetMetrics, Metrics, ModelMetrics, TrainMetrics};
use crate::run::{RunFolder, RunLock};

/// A run after training. No other process can write into its folder while this lives: what is scored and exported next is what
/// was trained.
#[derive(Debug)]
#[non_exhaustive]
pub struct TrainedRun {
    /// Where it is.
    pub folder: RunFolder,
    /// The data it was trained on, with the test images that no one has looked at yet.
    pub data: Data,
    /// What is known so far.
    pub metrics: Metrics,
    /// Of the folder that was trained in, which is another than [`TrainedRun::folder`] where an interrupted run did not replace one.
    pub lock: RunLock,
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
    lead(config, options, Arc::new(Alone), observer)
}

/// [`train`] as rank 0 of several, of which the others call [`follow`](super::follow): they share the work, and this one writes the
/// files. The run is the same, bit for bit, as on one rank with as many shards ([`FitConfig`](taper_train::FitConfig)), but for
/// the times.
///
/// # Errors
/// As [`train`]; the other ranks must then be ended, since they wait for this one.
pub fn lead(
    config: &Config,
    options: &RunOptions,
    exchange: Arc<dyn Exchange>,
    observer: &mut Observer<'_>,
) -> Result<TrainedRun, Error> {
    let config = &with_shards(config, &*exchange)?;
    config.settle_instruction_set()?;
    config.device.check()?;
    let graph = config.model.graph()?;
    Trainer::check(&graph)?;
    config.to_toml()?;
    if let Some(out) = &options.out {
        RunFolder::new(out).check_free()?;
    }
    let data = load_data(&config.data, observer.data)?;
    let (train, validation) = fit::split(&config.data, &data, config.train.seed)?;
    let graph = fit::graph(config, &data, &train)?;
    let folder = RunFolder::new(options.out.clone().unwrap_or_else(|| default_folder(&data, &graph)));
    folder.check_free()?;
    let lock = folder.lock()?;
    let config = &resolved(config, &data);
    meet(&*exchange, config, &data)?;
    let checkpoints = resume::checkpoints(&folder, config, &data, options)?;
    let from = resume::found(&folder, &checkpoints, options.start, &graph, observer)?;
    if from.is_none() && folder.is_whole() && resume::is_kept(&folder, options.start, config, &data)? {
        let metrics = folder.metrics()?;
        tell(&*exchange, &folder, Beginning::Finished)?;
        (observer.run)(RunEvent::Finished { folder: folder.path() });
        return Ok(TrainedRun { folder, data, metrics, lock });
    }
    let sizes = [train.len(), validation.len(), data.test.len()];
    let (newest, from) = from.unzip();
    tell(&*exchange, &folder, Beginning::Train(from.as_ref()))?;
    (observer.run)(RunEvent::Begins { folder: &folder });
    let newest = RefCell::new(newest);
    let live_events = folder.live_events();
    let save = Box::new(|checkpoint: &Checkpoint| {
        newest.replace(Some(checkpoints.save(checkpoint)?));
        Ok(checkpoint.history.update_events(&live_events)?)
    });
    let checkpointing = Checkpointing { from, every: Some(options.checkpoint_every), save: Some(save) };
    let exchange = Arc::new(Timed::new(exchange));
    let mut on_event = |event: &Event<'_>| {
        exchange.hear(event);
        (observer.train)(event)
    };
    let fitted =
        fit_on(&graph, [&train, &validation], config, checkpointing, exchange.clone(), &mut on_event);
    let fitted = fitted.map_err(|cause| match cause {
        TrainError::Diverged { .. } => Error::Diverged { cause, checkpoint: newest.take() },
        other => other.into(),
    })?;

    let metrics = Metrics {
        taper_version: env!("CARGO_PKG_VERSION").to_owned(),
        dataset: dataset_metrics(&data, &graph, sizes),
        model: model_metrics(&graph),
        train: train_metrics(&fitted, config, &exchange),
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
        fitted.history.write_events(&staged.events())?;
        staged.write_config(&config)?;
        Ok(staged.write_metrics(&metrics)?)
    })?;
    if !fitted.interrupted {
        folder.clear_checkpoints(&checkpoints)?;
    }
    Ok(TrainedRun { folder, data, metrics, lock })
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
pub(super) fn resolved(config: &Config, data: &Data) -> Config {
    let data_dir = config.data.data_dir.as_ref();
    let data_dir = data_dir.map(|folder| std::path::absolute(folder).unwrap_or_else(|_| folder.clone()));
    let dataset = data.provenance.choice;
    // What is held out of data that set nothing apart is told as a number, but where it is a share.
    let is_share = dataset == Choice::ImageFolder;
    let validation =
        if is_share { config.data.validation } else { config.data.validation.or(Some(fit::VALIDATION)) };
    Config { data: DataConfig { dataset, data_dir, validation, ..config.data.clone() }, ..config.clone() }
}

fn dataset_metrics(data: &Data, graph: &Graph, [train, validation, test]: [usize; 3]) -> DatasetMetrics {
    let provenance = data.provenance.clone();
    DatasetMetrics {
        name: provenance.name,
        source: provenance.source,
        sha256: provenance.sha256,
        license: provenance.license,
        class_names: data.train.class_names.clone(),
        normalized_by: fit::normalized_by(graph),
        skipped: data.skipped,
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

fn train_metrics(fitted: &Fitted, config: &Config, exchange: &Timed) -> TrainMetrics {
    let throughput = fitted.throughput();
    let best = fitted.history.best_epoch();
    TrainMetrics {
        epochs: fitted.history.epochs.len(),
        best_epoch: fitted.best_epoch,
        validation_loss: best.map(|epoch| epoch.validation_loss),
        validation_accuracy: best.map(|epoch| epoch.validation_accuracy),
        seconds: throughput.seconds,
        images_per_second: throughput.images_per_second(),
        seed: config.train.seed,
        threads: rayon::current_num_threads(),
        processes: exchange.size(),
        exchange_seconds: (exchange.size() > 1).then(|| exchange.total().as_secs_f64()),
        instruction_set: config.computes_with().to_owned(),
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
