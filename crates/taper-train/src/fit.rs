//! The training loop.

mod run;

use std::num::NonZeroUsize;
use std::sync::Arc;

use taper_data::Dataset;
use taper_metrics::Throughput;
use taper_model::exchange::{Alone, Exchange};
use taper_model::{Model, ModelError, Trainer, TrainerSettings};

use self::run::Run;
use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::config::{FitConfig, check_batch_size};
use crate::error::{Split, TrainError};
use crate::evaluate::check_fits;
use crate::event::{Control, Event};
use crate::history::History;
use crate::timing::EpochTiming;

/// What a training run leaves.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fitted {
    /// The network with the weights of the best epoch; with the last weights, if no epoch was validated. With
    /// [`FitConfig::ema_decay`] it is their moving average.
    pub model: Model,
    /// The epoch those weights are from, from 1: the one with the lowest validation loss, the earlier of two equal
    /// ones. `None` if the run was stopped before the first epoch was validated.
    pub best_epoch: Option<usize>,
    /// Every step and epoch; the same for the same seed.
    pub history: History,
    /// How long each epoch took; an epoch that was cut short counts with the images it got to.
    pub timings: Vec<EpochTiming>,
    /// Whether the caller stopped the run before it was through.
    pub interrupted: bool,
}

impl Fitted {
    /// Images and seconds of all training steps, validation excluded.
    #[must_use]
    pub fn throughput(&self) -> Throughput {
        self.timings.iter().map(EpochTiming::throughput).sum()
    }
}

/// Trains `model` on `train` and measures it on `validation` after every epoch.
///
/// The images come in an order that depends on the seed and the epoch alone, and are changed at random as
/// [`FitConfig::augment`] says. The weights of the epoch with the
/// lowest validation loss are kept. `on_event` hears of every step; answering [`Control::Stop`] ends the run
/// after that step, without error. (A stop asked for during the validation takes effect after it.)
///
/// # Errors
/// [`TrainError`]: before the first step if a setting, an image size or the number of classes does not fit; later,
/// if training diverges.
pub fn fit(
    model: Model,
    train: &Dataset,
    validation: &Dataset,
    config: &FitConfig,
    on_event: &mut dyn FnMut(&Event<'_>) -> Control,
) -> Result<Fitted, TrainError> {
    let none = Checkpointing { from: None, every: None, save: None };
    fit_with_checkpoints(model, train, validation, config, none, on_event)
}

/// What a run goes on from, and what it leaves for another to go on from.
#[expect(missing_debug_implementations, reason = "a closure has none")]
pub struct Checkpointing<'a> {
    /// Where to start, instead of the first step; the weights of the model that is given do not matter then.
    pub from: Option<Checkpoint>,
    /// Steps from one checkpoint to the next. One more comes after the validation of every epoch, and one before the run
    /// ends because the caller stopped it.
    pub every: Option<NonZeroUsize>,
    /// Keeps a checkpoint; an error ends the run.
    pub save: Option<Save<'a>>,
}

/// Keeps a checkpoint.
pub type Save<'a> = Box<dyn FnMut(&Checkpoint) -> Result<(), CheckpointError> + 'a>;

/// [`fit`] that can be interrupted at any moment: a run that starts from a checkpoint of another, with the same data and
/// settings, ends with the same bits as that one would have.
///
/// # Errors
/// As [`fit`]; [`TrainError::Checkpoint`] for a checkpoint that does not belong here or cannot be kept.
pub fn fit_with_checkpoints(
    model: Model,
    train: &Dataset,
    validation: &Dataset,
    config: &FitConfig,
    checkpointing: Checkpointing<'_>,
    on_event: &mut dyn FnMut(&Event<'_>) -> Control,
) -> Result<Fitted, TrainError> {
    fit_on_rank(model, [train, validation], config, checkpointing, Arc::new(Alone), on_event)
}

/// [`fit_with_checkpoints`] as one of several ranks, which share the batches of one run and all give the same result: the bits
/// of one rank with as many [`FitConfig::shards`].
///
/// All ranks must be given equal models, data and settings, and the same checkpoint to go on from; any of them may keep
/// checkpoints. A rank that is told to stop lets the others know with its next step, after which all of them stop.
///
/// # Errors
/// As [`fit_with_checkpoints`]; [`TrainError::Model`] if the shards cannot be dealt evenly to the ranks, or another rank ends
/// before its time.
pub fn fit_on_rank(
    model: Model,
    [train, validation]: [&Dataset; 2],
    config: &FitConfig,
    checkpointing: Checkpointing<'_>,
    exchange: Arc<dyn Exchange>,
    on_event: &mut dyn FnMut(&Event<'_>) -> Control,
) -> Result<Fitted, TrainError> {
    config.validate()?;
    let batch_size = check_batch_size(config.batch_size)?;
    check_fits(&model, train, Split::Train)?;
    check_fits(&model, validation, Split::Validation)?;
    let trainer = trainer(model, config, exchange)?;
    let mut run = Run::new(trainer, [train, validation], config, batch_size, checkpointing, on_event)?;
    run.start();
    while run.goes_on() {
        let epoch = run.history.epochs.len() + 1;
        let Some(totals) = run.train_epoch(epoch)? else { break };
        let record = run.validate_epoch(epoch, &totals)?;
        if run.history.best_epoch() == Some(&record) {
            run.take_best(&record)?;
        }
        run.save()?;
    }
    let interrupted = run.goes_on();
    if interrupted {
        run.save()?;
        run.tell_of_interruption();
    }
    run.tell_if_stopped_early();
    let Run { trainer, history, timings, best, .. } = run;
    let mut model = trainer.into_model()?;
    let best_epoch = history.best_epoch().map(|epoch| epoch.epoch);
    if let Some(weights) = best {
        model.set_weights(&weights)?;
    }
    Ok(Fitted { model, best_epoch, history, timings, interrupted })
}

/// A trainer of `model` as a configuration wants it.
pub(crate) fn trainer(
    mut model: Model,
    config: &FitConfig,
    exchange: Arc<dyn Exchange>,
) -> Result<Trainer, ModelError> {
    if let Some(dropout) = config.dropout {
        model.set_dropout(dropout as f32)?;
    }
    let settings = TrainerSettings {
        optimizer: config.optimizer.into(),
        label_smoothing: config.label_smoothing,
        seed: config.seed,
        clip_norm: config.clip_norm,
        ema_decay: config.ema_decay,
        shards: config.shards.unwrap_or(0),
    };
    Trainer::on_rank(model, settings, exchange)
}
