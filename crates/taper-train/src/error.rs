//! Why training could not start, or could not go on.

use taper_data::ReadError;
use taper_metrics::MetricsError;
use taper_model::ModelError;

use crate::checkpoint::CheckpointError;
use crate::config::ConfigError;

/// Which images an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Split {
    /// The images the weights are fitted to.
    Train,
    /// The images that choose the best epoch.
    Validation,
    /// The images given to [`evaluate`](crate::evaluate).
    Evaluation,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Split::Train => "training",
            Split::Validation => "validation",
            Split::Evaluation => "evaluation",
        })
    }
}

/// A training run or an evaluation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// A setting out of its range.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A dataset without images.
    #[error("there are no {split} images; give at least one (is the limit or the split too small?)")]
    Empty {
        /// Which images.
        split: Split,
    },
    /// The images are not of the size the network takes.
    #[error(
        "the {split} images are {found:?} (channels, height, width), but the network `{graph}` takes {expected}; \
         change the network's `input`, or choose data of that size"
    )]
    ImageSize {
        /// Which images.
        split: Split,
        /// Their `[C, H, W]`.
        found: [usize; 3],
        /// The network's name.
        graph: String,
        /// The shape of its input.
        expected: String,
    },
    /// The network does not give one logit for each class.
    #[error(
        "the {split} images have {classes} classes, but the network `{graph}` gives {output}; end it with a linear \
         layer of {classes} features"
    )]
    Classes {
        /// Which images.
        split: Split,
        /// How many classes the dataset has.
        classes: usize,
        /// The network's name.
        graph: String,
        /// The shape of its output.
        output: String,
    },
    /// The images cannot be read.
    #[error(transparent)]
    Images(#[from] ReadError),
    /// The loss became NaN or infinite.
    #[error(
        "the loss is {loss} at step {step} of epoch {epoch} (learning rate {learning_rate}): training has diverged; \
         lower the learning rate"
    )]
    Diverged {
        /// The epoch, from 1.
        epoch: usize,
        /// The step in the epoch, from 1.
        step: usize,
        /// The rate of that step.
        learning_rate: f64,
        /// The loss.
        loss: f64,
    },
    /// A checkpoint cannot be kept or gone on from.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The network could not be run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The network's answers could not be scored.
    #[error("the {split} images could not be scored: {cause}")]
    Metrics {
        /// Which images.
        split: Split,
        /// Why.
        #[source]
        cause: MetricsError,
    },
}
