//! The training loop: epochs of seeded batches, a learning-rate schedule, and the best epoch kept.
//!
//! [`fit`] trains a [`taper_model::Model`] on one dataset and measures it on another after every epoch. It
//! returns the network with the weights of the epoch whose validation loss was lowest, together with the
//! [`History`] of every step. The library prints nothing: the caller learns what goes on through [`Event`]s,
//! and may stop at any of them. The same seed gives the same weights and the same history, bit for bit.
//! [`fit_with_checkpoints`] goes on from where another run stopped, and [`fit_on_rank`] shares a run with other processes or
//! threads, both to the same bits.
//!
//! ```
//! use taper_data::{Dataset, Images};
//! use taper_graph::{Graph, Linear, Op};
//! use taper_model::Model;
//! use taper_train::{Control, FitConfig, evaluate, fit};
//!
//! // Two classes: dark images and light ones.
//! let images = Images::new(64, 1, 2, 2, (0..64).flat_map(|i| [4 * i; 4]).collect())?;
//! let labels = (0..64).map(|i| u8::from(i >= 32)).collect();
//! let data = Dataset::new(images, labels, vec!["dark".into(), "light".into()])?;
//! let (train, validation) = data.split(16, 0);
//!
//! let graph = Graph::sequential("brightness", &[1, 2, 2], [Op::Flatten, Op::Linear(Linear::new(2))])?;
//! let config = FitConfig { epochs: 30, batch_size: 8, learning_rate: 0.1, ..FitConfig::default() };
//! let fitted = fit(Model::new(graph, 0)?, &train, &validation, &config, &mut |_| Control::Continue)?;
//!
//! assert_eq!(fitted.history.steps.len(), 30 * 6);
//! assert!(evaluate(&fitted.model, &validation, 16, &mut |_| {})?.accuracy > 0.8);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod ahead;
mod checkpoint;
mod config;
mod error;
mod evaluate;
mod event;
mod fit;
mod history;
mod optimizer;
mod range_test;
mod recipe;
mod schedule;
mod tensorboard;
mod timing;

pub use checkpoint::{Checkpoint, CheckpointError, CheckpointFolder, Found};
pub use config::{ConfigError, FitConfig};
pub use error::{Split, TrainError};
pub use evaluate::{check_fits, evaluate, evaluate_shifted};
pub use event::{Control, EpochEnd, Event, Progress, StepEnd};
pub use fit::{Checkpointing, Fitted, Save, fit, fit_on_rank, fit_with_checkpoints};
pub use history::{EpochRecord, History, HistoryError, StepRecord};
pub use optimizer::Optimizer;
pub use range_test::{RangeCurve, RangePoint, RangeTest, find_learning_rate};
pub use recipe::{ParseRecipeError, Recipe};
pub use schedule::{OneCycle, Schedule, cosine_annealing};
pub use timing::EpochTiming;
