//! The search for a learning rate.

use taper_data::LoadEvent;
use taper_model::{Model, Trainer};
use taper_train::{RangeCurve, RangePoint, RangeTest, TrainError};

use super::{fit, load_data};
use crate::config::Config;
use crate::error::Error;

/// Gets the data and tries rising learning rates on the training images, as [`taper_train::find_learning_rate`] has it. Nothing is
/// written. The answer to a point says whether to go on.
///
/// # Errors
/// [`Error`] naming the place and the remedy.
pub fn find_learning_rate(
    config: &Config,
    range: &RangeTest,
    on_data: &mut dyn FnMut(LoadEvent),
    on_point: &mut dyn FnMut(&RangePoint) -> bool,
) -> Result<RangeCurve, Error> {
    config.train.validate().map_err(TrainError::from)?;
    range.validate().map_err(TrainError::from)?;
    config.settle_instruction_set()?;
    config.device.check()?;
    let graph = config.model.graph()?;
    Trainer::check(&graph)?;
    let data = load_data(&config.data, on_data)?;
    let (train, _) = fit::split(&config.data, &data, config.train.seed)?;
    let model = Model::new(fit::graph(config, &data, &train)?, config.train.seed)?.on(config.device)?;
    Ok(taper_train::find_learning_rate(model, &train, &config.train, range, on_point)?)
}
