//! What a training run tells its caller, and what the caller may answer.

use taper_model::Model;

/// What a training run does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Goes on.
    Continue,
    /// Ends with the best weights so far.
    Stop,
}

/// Something that happened in a training run. Epochs and steps count from 1.
#[derive(Debug)]
#[non_exhaustive]
pub enum Event<'a> {
    /// Everything fits; the first step is next.
    #[non_exhaustive]
    Started {
        /// Epochs to come.
        epochs: usize,
        /// Steps in each.
        steps_per_epoch: usize,
        /// Training images.
        train_images: usize,
        /// Validation images.
        validation_images: usize,
    },
    /// A step is done.
    Step(StepEnd),
    /// The validation images are being classified.
    #[non_exhaustive]
    Validating {
        /// The epoch.
        epoch: usize,
        /// How many are done.
        progress: Progress,
    },
    /// An epoch is done, validation included.
    EpochEnd(EpochEnd),
    /// The epoch just ended is the best so far.
    #[non_exhaustive]
    NewBest {
        /// The epoch.
        epoch: usize,
        /// Its validation loss.
        validation_loss: f64,
        /// The network with this epoch's weights: the place to save a checkpoint.
        model: &'a Model,
    },
    /// The validation loss has not fallen for as many epochs as it may; nothing more comes.
    #[non_exhaustive]
    StoppedEarly {
        /// The last epoch.
        epoch: usize,
        /// The one with the lowest validation loss.
        best: usize,
    },
    /// The caller stopped the run; nothing more comes.
    #[non_exhaustive]
    Interrupted {
        /// The epoch it was in.
        epoch: usize,
        /// The last step of that epoch that was done; 0 for none.
        step: usize,
    },
}

/// How far a pass over a dataset is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Images done.
    pub images_done: usize,
    /// Images in all.
    pub images: usize,
}

/// The state after a training step.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct StepEnd {
    /// The epoch.
    pub epoch: usize,
    /// The number of epochs.
    pub epochs: usize,
    /// The step in the epoch.
    pub step: usize,
    /// The number of steps in an epoch.
    pub steps: usize,
    /// Mean loss over the epoch's images so far.
    pub loss: f64,
    /// Fraction of the epoch's images so far that were classified rightly (in training mode, before the step that
    /// learnt from them).
    pub accuracy: f64,
    /// The learning rate of this step.
    pub learning_rate: f64,
    /// How many of the epoch's images are done.
    pub progress: Progress,
    /// Images per second in this epoch so far.
    pub images_per_second: f64,
}

/// The scores of an epoch.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct EpochEnd {
    /// The epoch.
    pub epoch: usize,
    /// The number of epochs.
    pub epochs: usize,
    /// Mean loss over the training images, as they were learnt from.
    pub train_loss: f64,
    /// Fraction of the training images classified rightly, as they were learnt from.
    pub train_accuracy: f64,
    /// Mean loss over the validation images; with label smoothing, if that is on.
    pub validation_loss: f64,
    /// Fraction of the validation images classified rightly.
    pub validation_accuracy: f64,
    /// Wall-clock seconds of the training steps.
    pub seconds: f64,
    /// Training images per second.
    pub images_per_second: f64,
}
