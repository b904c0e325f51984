//! How long training took; kept apart from the history, which is the same from run to run.

use serde::{Deserialize, Serialize};
use taper_metrics::Throughput;

/// The wall-clock time of one epoch's training steps, validation excluded.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct EpochTiming {
    /// The epoch, from 1.
    pub epoch: usize,
    /// Training images.
    pub images: u64,
    /// Seconds.
    pub seconds: f64,
    /// Training images per second.
    pub images_per_second: f64,
    /// The part of the seconds in which the network waited for the images of its next batch, which are read, made numbers, and
    /// changed at random where that is asked for, while it learns from the batch before.
    #[serde(default)]
    pub data_seconds: f64,
}

impl EpochTiming {
    /// Images and seconds, to be added up.
    #[must_use]
    pub fn throughput(&self) -> Throughput {
        Throughput { images: self.images, seconds: self.seconds }
    }
}

/// The sums of an epoch so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Totals {
    pub(crate) images: usize,
    pub(crate) seconds: f64,
    pub(crate) data_seconds: f64,
    correct: usize,
    loss: f64,
}

impl Totals {
    /// Adds a batch of `images` images with the given mean loss.
    pub(crate) fn add(&mut self, images: usize, mean_loss: f64, correct: usize) {
        self.images += images;
        self.correct += correct;
        self.loss += mean_loss * images as f64;
    }

    /// Mean loss over the images.
    pub(crate) fn loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    /// Fraction of the images classified rightly.
    pub(crate) fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    pub(crate) fn timing(&self, epoch: usize) -> EpochTiming {
        let throughput = Throughput { images: self.images as u64, seconds: self.seconds };
        EpochTiming {
            epoch,
            images: throughput.images,
            seconds: throughput.seconds,
            images_per_second: throughput.images_per_second(),
            data_seconds: self.data_seconds,
        }
    }
}
