//! Schedules against PyTorch, the configuration file, the history, and whole training runs.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/bars.rs"]
mod bars;
#[path = "all/checkpoints.rs"]
mod checkpoints;
#[path = "all/config.rs"]
mod config;
#[path = "../../taper-model/tests/all/device.rs"]
mod device;
#[path = "all/errors.rs"]
mod errors;
#[path = "all/history.rs"]
mod history;
#[path = "all/on_candle.rs"]
mod on_candle;
#[path = "all/portable.rs"]
mod portable;
#[path = "all/range_test.rs"]
mod range_test;
#[path = "all/ranks.rs"]
mod ranks;
#[path = "all/recipe.rs"]
mod recipe;
#[path = "all/schedules.rs"]
mod schedules;
#[path = "all/stopping.rs"]
mod stopping;
#[path = "all/tensorboard.rs"]
mod tensorboard;
#[path = "all/training.rs"]
mod training;
