//! A training run, step by step.

use std::num::NonZeroUsize;
use std::thread;
use std::time::Instant;

use taper_data::{Batches, Dataset};
use taper_graph::Weights;
use taper_metrics::MetricsError;
use taper_model::{Trainer, TrainerState};

use super::{Checkpointing, Save};
use crate::ahead::{Ahead, Batch};
use crate::checkpoint::Checkpoint;
use crate::config::FitConfig;
use crate::error::{Split, TrainError};
use crate::evaluate::score_on_ranks;
use crate::event::{Control, EpochEnd, Event, Progress, StepEnd};
use crate::history::{EpochRecord, History, StepRecord};
use crate::timing::{EpochTiming, Totals};

/// A training run under way.
pub(super) struct Run<'a> {
    config: &'a FitConfig,
    batch_size: NonZeroUsize,
    train: &'a Dataset,
    validation: &'a Dataset,
    steps_per_epoch: usize,
    pub(super) trainer: Trainer,
    pub(super) history: History,
    pub(super) timings: Vec<EpochTiming>,
    /// The weights of the best epoch.
    pub(super) best: Option<Weights>,
    every: Option<NonZeroUsize>,
    save: Option<Save<'a>>,
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

impl<'a> Run<'a> {
    /// At the first step, or where the checkpoint is.
    pub(super) fn new(
        trainer: Trainer,
        [train, validation]: [&'a Dataset; 2],
        config: &'a FitConfig,
        batch_size: NonZeroUsize,
        checkpointing: Checkpointing<'a>,
        on_event: &'a mut dyn FnMut(&Event<'_>) -> Control,
    ) -> Result<Self, TrainError> {
        let Checkpointing { from, every, save } = checkpointing;
        let mut run = Run {
            config,
            batch_size,
            train,
            validation,
            steps_per_epoch: train.len().div_ceil(batch_size.get()),
            trainer,
            history: History::default(),
            timings: Vec::new(),
            best: None,
            every,
            save,
            listener: Listener { on_event, stopped: false },
        };
        if let Some(checkpoint) = from {
            checkpoint.check(run.steps_per_epoch)?;
            let Checkpoint { trainer, history, best, timings } = checkpoint;
            run.trainer.restore(&trainer)?;
            (run.history, run.best, run.timings) = (history, best, timings);
        }
        Ok(run)
    }

    /// Keeps what is needed to go on from here, unless there is no going on from it.
    pub(super) fn save(&mut self) -> Result<(), TrainError> {
        let Some(save) = &mut self.save else { return Ok(()) };
        let state = self.trainer.state()?;
        if !is_finite(&state) {
            return Err(self.diverged(f64::NAN));
        }
        let checkpoint = Checkpoint {
            trainer: state,
            history: self.history.clone(),
            best: self.best.clone(),
            timings: self.timings.clone(),
        };
        Ok(save(&checkpoint)?)
    }

    /// The error of a run that has diverged in its last step.
    fn diverged(&self, loss: f64) -> TrainError {
        let last = self.history.steps.last();
        let (epoch, step) = last.map_or((1, 0), |last| (last.epoch, last.step));
        let step = step - (epoch - 1) * self.steps_per_epoch;
        TrainError::Diverged { epoch, step, learning_rate: last.map_or(0.0, |last| last.learning_rate), loss }
    }

    pub(super) fn start(&mut self) {
        self.listener.tell(&Event::Started {
            epochs: self.config.epochs,
            steps_per_epoch: self.steps_per_epoch,
            train_images: self.train.len(),
            validation_images: self.validation.len(),
        });
    }

    /// All steps of one epoch, or those that are left of it; `None` if the caller stopped the run.
    pub(super) fn train_epoch(&mut self, epoch: usize) -> Result<Option<Totals>, TrainError> {
        if self.is_stopped() {
            return Ok(None);
        }
        let clock = Instant::now();
        let FitConfig { seed, augment, .. } = self.config;
        let mut batches = Batches::augmented(self.train, self.batch_size, *seed, epoch as u64, augment);
        let mut totals = self.totals_so_far(epoch);
        let earlier = totals.seconds;
        batches.skip(self.history.steps.len() - (epoch - 1) * self.steps_per_epoch);
        let shards = self.trainer.shards();
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, batches, shards);
            self.train_on(&mut ahead, epoch, &mut totals, &|| earlier + clock.elapsed().as_secs_f64())
        })?;
        totals.seconds = earlier + clock.elapsed().as_secs_f64();
        self.take_time(epoch, &totals);
        Ok(Some(totals).filter(|_| !self.is_stopped()))
    }

    /// The steps of an epoch on the batches that are left of it; `seconds` tells how long the epoch has taken.
    fn train_on(
        &mut self,
        batches: &mut Ahead<'_>,
        epoch: usize,
        totals: &mut Totals,
        seconds: &dyn Fn() -> f64,
    ) -> Result<(), TrainError> {
        while !self.is_stopped() {
            let asked = Instant::now();
            let batch = batches.next()?;
            totals.data_seconds += asked.elapsed().as_secs_f64();
            let Some(batch) = batch else { break };
            let step = self.history.steps.len() + 1 - (epoch - 1) * self.steps_per_epoch;
            let learning_rate = self.step([epoch, step], &batch, totals)?;
            batches.give_back(batch);
            totals.seconds = seconds();
            let event = self.step_end(epoch, step, learning_rate, totals);
            self.listener.tell(&Event::Step(event));
            let done = self.history.steps.len();
            if self.every.is_some_and(|every| done.is_multiple_of(every.get())) {
                self.take_time(epoch, totals);
                self.save()?;
            }
        }
        Ok(())
    }

    /// Whether the caller has stopped the run. Ranks stop together: after the step in which they hear that one of them is to.
    fn is_stopped(&self) -> bool {
        if self.trainer.exchange().size() > 1 { self.trainer.voted() } else { self.listener.stopped }
    }

    /// The sums over the steps of an epoch that an earlier run made, as that run had them.
    fn totals_so_far(&self, epoch: usize) -> Totals {
        let timing = self.timings.last().filter(|timing| timing.epoch == epoch);
        let mut totals = Totals::default();
        (totals.seconds, totals.data_seconds) = timing.map_or((0.0, 0.0), |t| (t.seconds, t.data_seconds));
        let first = (epoch - 1) * self.steps_per_epoch;
        for record in &self.history.steps[first..] {
            let size = self.batch_size.get();
            let images = size.min(self.train.len() - (record.step - 1 - first) * size);
            totals.add(images, record.loss, (record.accuracy * images as f64).round() as usize);
        }
        totals
    }

    fn take_time(&mut self, epoch: usize, totals: &Totals) {
        self.timings.retain(|timing| timing.epoch != epoch);
        self.timings.push(totals.timing(epoch));
    }

    /// One forward, backward and update on a batch, entered in the history. Gives its learning rate.
    fn step(
        &mut self,
        [epoch, step]: [usize; 2],
        batch: &Batch,
        totals: &mut Totals,
    ) -> Result<f64, TrainError> {
        let Batch { images, labels, whole } = batch;
        let done = self.history.steps.len();
        let steps = self.steps_per_epoch.saturating_mul(self.config.epochs);
        let FitConfig { schedule, warmup, learning_rate, .. } = *self.config;
        let learning_rate = schedule.warmed_rate(warmup, learning_rate, done, steps);
        self.trainer.vote(self.listener.stopped);
        let result = self.trainer.step_on_own(*whole, images, labels, learning_rate)?;
        if !result.loss.is_finite() {
            return Err(TrainError::Diverged { epoch, step, learning_rate, loss: result.loss });
        }
        totals.add(*whole, result.loss, result.correct);
        self.history.steps.push(StepRecord {
            epoch,
            step: done + 1,
            loss: result.loss,
            accuracy: result.correct as f64 / *whole as f64,
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

    pub(super) fn validate_epoch(
        &mut self,
        epoch: usize,
        totals: &Totals,
    ) -> Result<EpochRecord, TrainError> {
        let listener = &mut self.listener;
        let mut on_progress = |progress| listener.tell(&Event::Validating { epoch, progress });
        let exchange = self.trainer.exchange().clone();
        let model = self.trainer.averaged_model()?;
        // The loss that is trained with, so that both can be compared, and the epoch with the lowest is the one to keep.
        let (size, split) = (self.batch_size, (Split::Validation, self.config.label_smoothing));
        let scores = score_on_ranks(&*exchange, model, self.validation, size, split, &mut on_progress);
        let scores = match scores {
            // The last step of the epoch has ruined the weights, and no loss has shown it yet.
            Err(TrainError::Metrics { cause: MetricsError::NotFinite { .. }, .. }) => {
                return Err(self.diverged(f64::NAN));
            }
            scores => scores?,
        };
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

    /// Keeps the weights of the epoch just ended as the best so far.
    pub(super) fn take_best(&mut self, record: &EpochRecord) -> Result<(), TrainError> {
        let model = self.trainer.averaged_model()?;
        self.best = Some(model.weights()?);
        let EpochRecord { epoch, validation_loss, .. } = *record;
        self.listener.tell(&Event::NewBest { epoch, validation_loss, model });
        Ok(())
    }

    /// Whether there are epochs to come.
    pub(super) fn goes_on(&self) -> bool {
        self.history.epochs.len() < self.config.epochs && !self.is_stopped_early()
    }

    /// Whether the validation loss has not fallen for as many epochs as it may.
    fn is_stopped_early(&self) -> bool {
        let since = |best: &EpochRecord| self.history.epochs.len() - best.epoch;
        let patience = self.config.early_stopping;
        patience.zip(self.history.best_epoch()).is_some_and(|(patience, best)| since(best) >= patience)
    }

    pub(super) fn tell_if_stopped_early(&mut self) {
        let epoch = self.history.epochs.len();
        if let Some(best) = self.history.best_epoch().map(|best| best.epoch)
            && epoch < self.config.epochs
            && self.is_stopped_early()
        {
            self.listener.tell(&Event::StoppedEarly { epoch, best });
        }
    }

    pub(super) fn tell_of_interruption(&mut self) {
        let (epoch, step) = match self.history.steps.last() {
            Some(last) => (last.epoch, last.step - (last.epoch - 1) * self.steps_per_epoch),
            None => (1, 0),
        };
        self.listener.tell(&Event::Interrupted { epoch, step });
    }
}

/// Whether all numbers that a run would go on with are finite.
fn is_finite(state: &TrainerState) -> bool {
    let kept = state.moments.iter().chain([&state.average]).flat_map(|kept| kept.values());
    state.weights.iter().map(|(_, array)| array).chain(kept).all(|a| a.data.iter().all(|x| x.is_finite()))
}
