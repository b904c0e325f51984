//! [`find_learning_rate`]: the learning-rate range test.

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::Serialize;
use taper_data::{Batches, Dataset, ReadError};
use taper_model::Model;
use taper_model::exchange::Alone;

use crate::config::{ConfigError, FitConfig, check_batch_size};
use crate::error::{Split, TrainError};
use crate::evaluate::check_fits;
use crate::fit::trainer;

/// The learning rates that are tried: `steps` of them, each the same factor above the one before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RangeTest {
    /// The first rate.
    pub from: f64,
    /// The last one.
    pub to: f64,
    /// Steps, from 10 to 10,000.
    pub steps: usize,
}

impl Default for RangeTest {
    fn default() -> Self {
        Self { from: 1e-6, to: 1.0, steps: 200 }
    }
}

/// One step of the test.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RangePoint {
    /// Its learning rate.
    pub learning_rate: f64,
    /// Mean loss over its batch, before the update.
    pub loss: f64,
    /// The losses up to here, smoothed.
    pub smoothed: f64,
}

/// What the test found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RangeCurve {
    /// Every step, in order, up to where the loss exploded, if it did.
    pub points: Vec<RangePoint>,
    /// A learning rate to train with; none if the loss did not fall.
    pub suggestion: Option<f64>,
}

/// The share of the earlier losses in a smoothed one, as in fastai.
const SMOOTHING: f64 = 0.98;

/// A smoothed loss so many times the lowest one has exploded, as in fastai.
const EXPLODED: f64 = 4.0;

/// Trains for some steps with a learning rate that rises from hardly any to far too much, and watches the loss (Smith 2015,
/// "Cyclical Learning Rates for Training Neural Networks").
///
/// The suggestion is in the middle of the longest sequence of falling smoothed losses, which is the idea of fastai's
/// `lr_find(suggest_funcs=valley)`. Of `config`, the learning rate, the schedule, the warm-up, the epochs, early stopping and the
/// moving average do not matter. It is the same for the same seed.
///
/// # Errors
/// As [`fit`](crate::fit()), and [`TrainError::Config`] for a range that makes no sense.
///
/// ```
/// use taper_data::synthetic::{Part, digits};
/// use taper_graph::{Graph, Linear, Op};
/// use taper_model::Model;
/// use taper_train::{FitConfig, RangeTest, find_learning_rate};
///
/// let graph = Graph::sequential("linear", &[1, 28, 28], [Op::Flatten, Op::Linear(Linear::new(10))])?;
/// let (data, range) = (digits(500, 0, Part::Train), RangeTest { to: 10.0, ..RangeTest::default() });
/// let curve = find_learning_rate(Model::new(graph, 0)?, &data, &FitConfig::default(), &range, &mut |_| true)?;
/// assert!(curve.suggestion.is_some_and(|rate| (1e-5..1.0).contains(&rate)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn find_learning_rate(
    model: Model,
    train: &Dataset,
    config: &FitConfig,
    range: &RangeTest,
    on_point: &mut dyn FnMut(&RangePoint) -> bool,
) -> Result<RangeCurve, TrainError> {
    config.validate()?;
    range.validate()?;
    let batch_size = check_batch_size(config.batch_size)?;
    check_fits(&model, train, Split::Train)?;
    // The average of the weights would go unseen.
    let mut trainer = trainer(model, &FitConfig { ema_decay: None, ..*config }, Arc::new(Alone))?;
    let mut batches = Endless::new(train, batch_size, config);
    let mut points: Vec<RangePoint> = Vec::new();
    let (mut mean, mut lowest) = (0.0, f64::INFINITY);
    for step in 0..range.steps {
        let (images, labels) = batches.next()?;
        let learning_rate = range.rate(step);
        let loss = trainer.step(images, labels, learning_rate)?.loss;
        mean = SMOOTHING * mean + (1.0 - SMOOTHING) * loss;
        let smoothed = mean / (1.0 - libm::pow(SMOOTHING, (step + 1) as f64));
        if !smoothed.is_finite() {
            break;
        }
        let point = RangePoint { learning_rate, loss, smoothed };
        points.push(point);
        lowest = smoothed.min(lowest);
        if !on_point(&point) || smoothed > EXPLODED * lowest {
            break;
        }
    }
    let losses: Vec<f64> = points.iter().map(|point| point.smoothed).collect();
    let suggestion = valley(&losses).map(|place| points[place].learning_rate);
    Ok(RangeCurve { points, suggestion })
}

impl RangeTest {
    /// Proves that there are learning rates to try.
    ///
    /// # Errors
    /// The first setting that makes no sense.
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |setting, value: &dyn std::fmt::Display, allowed| {
            Err(ConfigError { setting, value: value.to_string(), allowed })
        };
        if !(self.from.is_finite() && self.from > 0.0) {
            return refuse("from", &self.from, "a number greater than 0, such as 0.000001");
        }
        if !(self.to.is_finite() && self.to > self.from) {
            return refuse("to", &self.to, "a number greater than the first learning rate");
        }
        if !(10..=10_000).contains(&self.steps) {
            return refuse("steps", &self.steps, "from 10 to 10000");
        }
        Ok(())
    }

    fn rate(&self, step: usize) -> f64 {
        self.from * libm::pow(self.to / self.from, step as f64 / (self.steps - 1) as f64)
    }
}

/// The middle of the longest sequence of falling losses (others may stand between them); of equally long ones, the first.
fn valley(losses: &[f64]) -> Option<usize> {
    // Of the sequence that ends at each place: how long it is, and where it began.
    let mut falls: Vec<(usize, usize)> = Vec::new();
    for (place, loss) in losses.iter().enumerate() {
        let earlier = losses.iter().zip(&falls).filter(|(earlier, _)| *earlier > loss).map(|(_, fall)| *fall);
        // Of equally long ones the one that began first.
        let before = earlier.min_by_key(|&(length, start)| (usize::MAX - length, start));
        falls.push(before.map_or((1, place), |(length, start)| (length + 1, start)));
    }
    let ends = falls.iter().enumerate().map(|(end, &(length, start))| (usize::MAX - length, end, start));
    let (_, end, start) = ends.min()?;
    (end > start).then(|| start + (end - start) / 2)
}

/// Batch after batch, epoch after epoch.
struct Endless<'a> {
    train: &'a Dataset,
    batch_size: NonZeroUsize,
    config: &'a FitConfig,
    batches: Batches<'a>,
    epoch: u64,
    images: Vec<f32>,
    labels: Vec<u8>,
}

impl<'a> Endless<'a> {
    fn new(train: &'a Dataset, batch_size: NonZeroUsize, config: &'a FitConfig) -> Self {
        let batches = Batches::augmented(train, batch_size, config.seed, 1, &config.augment);
        Self { train, batch_size, config, batches, epoch: 1, images: Vec::new(), labels: Vec::new() }
    }

    fn next(&mut self) -> Result<(&[f32], &[u8]), ReadError> {
        // There is at least one image, so the second try succeeds.
        if !self.batches.next_into(&mut self.images, &mut self.labels)? {
            self.epoch += 1;
            let FitConfig { seed, augment, .. } = self.config;
            self.batches = Batches::augmented(self.train, self.batch_size, *seed, self.epoch, augment);
            self.batches.next_into(&mut self.images, &mut self.labels)?;
        }
        Ok((&self.images, &self.labels))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_valley_is_the_longest_fall() {
        assert_eq!(valley(&[]), None);
        assert_eq!(valley(&[1.0, 1.0, 2.0]), None);
        // From place 0 down to place 6, past a bump.
        assert_eq!(valley(&[5.0, 5.0, 4.0, 4.5, 3.0, 2.0, 0.5, 6.0, 9.0]), Some(3));
        assert_eq!(valley(&[1.0, 9.0, 8.0, 7.0, 8.0, 0.5]), Some(3));
    }

    #[test]
    fn rates_rise_by_one_factor() {
        let range = RangeTest { from: 1e-4, to: 1.0, steps: 11 };
        assert_eq!((range.rate(0), range.rate(10)), (1e-4, 1.0));
        assert!((range.rate(5) - 1e-2).abs() < 1e-12);
    }
}
