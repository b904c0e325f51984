//! A [`Graph`](taper_graph::Graph) as a trainable candle module.
//!
//! [`Model`] holds the parameters of a graph, in order and initialised from a seed, and runs it on candle tensors;
//! [`Trainer`] takes training steps. The layers run on [`ops`], candle custom ops over `taper-kernels` whose gradients
//! match PyTorch's; they serve hand-written candle models as well.
//!
//! ```
//! use taper_graph::Preset;
//! use taper_model::{Model, Trainer, TrainerSettings};
//!
//! let model = Model::new(Preset::LeNet5.graph()?, 42)?;
//! let (images, labels) = (vec![0.5; 2 * 28 * 28], [3, 7]);
//!
//! let settings = TrainerSettings { seed: 42, ..TrainerSettings::default() };
//! let mut trainer = Trainer::new(model, settings)?;
//! let step = trainer.step(&images, &labels, 1e-3)?;
//! assert!((step.loss - 10f64.ln()).abs() < 0.5);
//!
//! let logits = trainer.into_model()?.logits(&images)?;
//! assert_eq!(logits.len(), 2 * 10);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod device;
mod error;
pub mod exchange;
mod inference;
mod init;
mod inspect;
mod isa;
pub mod layers;
mod model;
pub mod ops;
mod plan;
mod shards;
mod state;
mod trainer;

pub use device::DeviceKind;
pub use error::ModelError;
pub use inference::Inference;
pub use inspect::stages;
pub use model::{Mode, Model};
pub use plan::{Explanation, Plan};
pub use shards::Shards;
pub use state::TrainerState;
pub use taper_kernels::Optimizer;
pub use trainer::{Gradients, Step, Trainer, TrainerSettings};
