//! The training loop.

use std::num::NonZeroUsize;
use std::time::Instant;

use taper_data::{Batches, Dataset};
use taper_metrics::Throughput;
use taper_model::{Model, Trainer, TrainerSettings};

use crate::config::{FitConfig, check_batch_size};
use crate::error::{Split, TrainError};
use crate::evaluate::{check_fits, score};
use crate::event::{Control, EpochEnd, Event, Progress, StepEnd};
use crate::history::{EpochRecord, History, StepRecord};
use crate::timing::{EpochTiming, Totals};

/// What a training run leaves.
#[derive(Debug)]
#[non_exhaustive]
pub struct Fitted {
    /// The network with the weights of the best epoch; with the last weights, if no epoch was validated.
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
/// The images come in an order that depends on the seed and the epoch alone. The weights of the epoch with the
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
    config.validate()?;
    let batch_size = check_batch_size(config.batch_size)?;
    check_fits(&model, train, Split::Train)?;
    check_fits(&model, validation, Split::Validation)?;
    let settings = TrainerSettings {
        optimizer: config.optimizer.into(),
        label_smoothing: config.label_smoothing,
        seed: config.seed,
    };
    let mut run = Run {
        config,
        batch_size,
        train,
        validation,
        steps_per_epoch: train.len().div_ceil(batch_size.get()),
        trainer: Trainer::new(model, settings)?,
        history: History::default(),
        timings: Vec::new(),
        listener: Listener { on_event, stopped: false },
    };
    run.start();
    let mut best = None;
    for epoch in 1..=config.epochs {
        let Some(totals) = run.train_epoch(epoch)? else { break };
        let record = run.validate_epoch(epoch, &totals)?;
        if run.history.best_epoch() == Some(&record) {
            best = Some((epoch, run.trainer.model()?.weights()?));
            run.tell_of_best(&record)?;
        }
    }
    let interrupted = run.history.epochs.len() < config.epochs;
    if interrupted {
        run.tell_of_interruption();
    }
    let Run { trainer, history, timings, .. } = run;
    let mut model = trainer.into_model()?;
    let best_epoch = best.as_ref().map(|&(epoch, _)| epoch);
    if let Some((_, weights)) = best {
        model.set_weights(&weights)?;
    }
    Ok(Fitted { model, best_epoch, history, timings, interrupted })
}

/// A training run under way.
struct Run<'a> {
    config: &'a FitConfig,
    batch_size: NonZeroUsize,
    train: &'a Dataset,
    validation: &'a Dataset,
    steps_per_epoch: usize,
    trainer: Trainer,
    history: History,
    timings: Vec<EpochTiming>,
    listener: Listener<'a>,
}

/// Passes events on, and remembers whether any of them was answered by [`Control::Stop`].
struct Listener<'a> {
    on_event: &'a mut dyn FnMut(&Event<'_>) -> Control,
    stopped: bool,
}

impl Listener<'_> {
    fn tell(&mut self, event: &Event<'_>) {
        self.stopped |= (self.on_event)(event) == Control::Stop;
    }
}

impl Run<'_> {
    fn start(&mut self) {
        self.listener.tell(&Event::Started {
            epochs: self.config.epochs,
            steps_per_epoch: self.steps_per_epoch,
            train_images: self.train.len(),
            validation_images: self.validation.len(),
        });
    }

    /// All steps of one epoch; `None` if the caller stopped the run.
    fn train_epoch(&mut self, epoch: usize) -> Result<Option<Totals>, TrainError> {
        if self.listener.stopped {
            return Ok(None);
        }
        let clock = Instant::now();
        let mut totals = Totals::default();
        let mut batches = Batches::shuffled(self.train, self.batch_size, self.config.seed, epoch as u64);
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let mut step = 0;
        while !self.listener.stopped && batches.next_into(&mut images, &mut labels) {
            step += 1;
            let learning_rate = self.step(epoch, step, &images, &labels, &mut totals)?;
            totals.seconds = clock.elapsed().as_secs_f64();
            let event = self.step_end(epoch, step, learning_rate, &totals);
            self.listener.tell(&Event::Step(event));
        }
        totals.seconds = clock.elapsed().as_secs_f64();
        self.timings.push(totals.timing(epoch));
        Ok(Some(totals).filter(|_| !self.listener.stopped))
    }

    /// One forward, backward and update, entered in the history. Gives its learning rate.
    fn step(
        &mut self,
        epoch: usize,
        step: usize,
        images: &[f32],
        labels: &[u8],
        totals: &mut Totals,
    ) -> Result<f64, TrainError> {
        let done = self.history.steps.len();
        let steps = self.steps_per_epoch.saturating_mul(self.config.epochs);
        let learning_rate = self.config.schedule.rate(self.config.learning_rate, done, steps);
        let result = self.trainer.step(images, labels, learning_rate)?;
        if !result.loss.is_finite() {
            return Err(TrainError::Diverged { epoch, step, learning_rate, loss: result.loss });
        }
        totals.add(labels.len(), result.loss, result.correct);
        self.history.steps.push(StepRecord {
            epoch,
            step: done + 1,
            loss: result.loss,
            accuracy: result.correct as f64 / labels.len() as f64,
            learning_rate,
        });
        Ok(learning_rate)
    }

    fn step_end(&self, epoch: usize, step: usize, learning_rate: f64, totals: &Totals) -> StepEnd {
        StepEnd {
            epoch,
            epochs: self.config.epochs,
            step,
            steps: self.steps_per_epoch,
            loss: totals.loss(),
            accuracy: totals.accuracy(),
            learning_rate,
            progress: Progress { images_done: totals.images, images: self.train.len() },
            images_per_second: totals.timing(epoch).images_per_second,
        }
    }

    fn validate_epoch(&mut self, epoch: usize, totals: &Totals) -> Result<EpochRecord, TrainError> {
        let listener = &mut self.listener;
        let mut on_progress = |progress| listener.tell(&Event::Validating { epoch, progress });
        let model = self.trainer.model()?;
        let scores = score(model, self.validation, self.batch_size, Split::Validation, &mut on_progress)?;
        let record = EpochRecord {
            epoch,
            step: self.history.steps.len(),
            validation_loss: scores.loss,
            validation_accuracy: scores.accuracy,
        };
        self.history.epochs.push(record);
        let timing = totals.timing(epoch);
        self.listener.tell(&Event::EpochEnd(EpochEnd {
            epoch,
            epochs: self.config.epochs,
            train_loss: totals.loss(),
            train_accuracy: totals.accuracy(),
            validation_loss: record.validation_loss,
            validation_accuracy: record.validation_accuracy,
            seconds: timing.seconds,
            images_per_second: timing.images_per_second,
        }));
        Ok(record)
    }

    fn tell_of_best(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        let model = self.trainer.model()?;
        let EpochRecord { epoch, validation_loss, .. } = *record;
        self.listener.tell(&Event::NewBest { epoch, validation_loss, model });
        Ok(())
    }

    fn tell_of_interruption(&mut self) {
        let (epoch, step) = match self.history.steps.last() {
            Some(last) => (last.epoch, last.step - (last.epoch - 1) * self.steps_per_epoch),
            None => (1, 0),
        };
        self.listener.tell(&Event::Interrupted { epoch, step });
    }
}
