//! [`Checkpoint`]: all that a training run needs to go on exactly where it stopped.

mod error;
mod file;
mod folder;

use std::collections::BTreeMap;

use taper_graph::{Graph, Weights};
use taper_model::TrainerState;

use crate::history::History;
use crate::timing::EpochTiming;
pub use error::CheckpointError;
pub use folder::{CheckpointFolder, Found};

/// A training run between two steps, or after the validation of an epoch. What comes next follows from it, the data and
/// the settings alone: the images' order, their random changes and the dropout are drawn from the seed and the number of the epoch or step.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Weights, what the optimiser keeps, and the moving average if there is one.
    pub trainer: TrainerState,
    /// Every step and epoch so far.
    pub history: History,
    /// The weights of the best epoch, if one was validated.
    pub best: Option<Weights>,
    /// How long it took so far; the only part that differs from run to run.
    pub timings: Vec<EpochTiming>,
}

impl Checkpoint {
    /// The checkpoint as bytes, for another rank to go on from it too ([`Checkpoint::from_bytes`]).
    ///
    /// # Errors
    /// [`CheckpointError::Encode`] for a network with more layers than the form has room for.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CheckpointError> {
        file::to_bytes(self, &BTreeMap::new()).map_err(|cause| CheckpointError::Encode { cause })
    }

    /// What [`Checkpoint::to_bytes`] gave of a run of `graph`.
    ///
    /// # Errors
    /// [`CheckpointError::Decode`] if the bytes are something else.
    pub fn from_bytes(bytes: &[u8], graph: &Graph) -> Result<Self, CheckpointError> {
        let checkpoint = file::open(bytes).and_then(|opened| opened.checkpoint(graph));
        checkpoint.map_err(|cause| CheckpointError::Decode { cause })
    }

    /// The epoch to go on in, from 1, and how many of its steps are done.
    pub(crate) fn position(&self) -> (usize, usize) {
        let epoch = self.history.epochs.len() + 1;
        let done = self.history.epochs.last().map_or(0, |last| last.step);
        (epoch, self.history.steps.len().saturating_sub(done))
    }

    /// Proves that the parts belong to one run of `steps_per_epoch` steps an epoch.
    pub(crate) fn check(&self, steps_per_epoch: usize) -> Result<(), CheckpointError> {
        let refuse = |reason| Err(CheckpointError::Inconsistent { reason });
        let History { steps, epochs } = &self.history;
        if self.trainer.step != steps.len() as u64 {
            return refuse("its history is not of as many steps as its weights");
        }
        let is_numbered = |(place, step): (usize, &crate::StepRecord)| {
            step.step == place + 1 && step.epoch == place / steps_per_epoch.max(1) + 1
        };
        if !steps.iter().enumerate().all(is_numbered) {
            return refuse("its steps are not those of epochs of this length");
        }
        let is_end = |(place, epoch): (usize, &crate::EpochRecord)| {
            epoch.epoch == place + 1 && epoch.step == (place + 1).saturating_mul(steps_per_epoch)
        };
        let done = epochs.last().map_or(0, |last| last.step);
        if !epochs.iter().enumerate().all(is_end) || done > steps.len() || self.position().1 > steps_per_epoch
        {
            return refuse("its epochs do not end where its steps do");
        }
        if !steps.iter().all(|step| (0.0..=1.0).contains(&step.accuracy)) {
            return refuse("the accuracy of one of its steps is no fraction");
        }
        if self.best.is_some() == epochs.is_empty() {
            return refuse("it has not the weights of its best epoch");
        }
        Ok(())
    }
}
