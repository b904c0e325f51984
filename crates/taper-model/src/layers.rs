//! Layers for hand-written candle models: candle-nn's names and constructors, Taper's kernels.
//!
//! A model changes only its `use` line. [`ConvReluPool`] is the fastest form of a convolutional block, and
//! [`VarOptimizer`] moves candle's variables in place. Layers keep the buffers of their last calls; clones share them.
//! A step is fastest where all else is of [`ops`](crate::ops) too, [`activation`](crate::ops::activation) instead of
//! candle's `relu` say: then [`ops::backward`](crate::ops::backward), which [`VarOptimizer`] calls, needs nothing of candle's.
//!
//! ```
//! use candle_core::{DType, Device, Module, ModuleT, Tensor};
//! use candle_nn::{Conv2dConfig, Optimizer as _, VarBuilder, VarMap};
//! use taper_graph::MaxPool2d;
//! use taper_model::layers::{self, ConvReluPool, Dropout, UpdateRule, VarOptimizer};
//! use taper_model::{Optimizer, ops};
//!
//! let variables = VarMap::new();
//! let vb = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
//! let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
//! let block = ConvReluPool::new(layers::conv2d(1, 8, 3, padded, vb.pp("conv"))?, MaxPool2d::new(2))
//!     .with_dropout(Dropout::new(0.3, 42, 0));
//! let fc = layers::linear(8 * 4 * 4, 10, vb.pp("fc"))?;
//!
//! let rule = UpdateRule { optimizer: Optimizer::adam(), learning_rate: 1e-2 };
//! let mut optimizer = VarOptimizer::new(variables.all_vars(), rule)?;
//! let (images, labels) = (Tensor::ones((2, 1, 8, 8), DType::F32, &Device::Cpu)?, [3, 7]);
//! let mut losses = Vec::new();
//! for _ in 0..10 {
//!     let logits = fc.forward(&block.forward_t(&images, true)?.flatten_from(1)?)?;
//!     let (loss, numbers) = ops::cross_entropy(&logits, &labels, 0.0)?;
//!     optimizer.backward_step(&loss)?;
//!     losses.push(numbers.mean);
//! }
//! assert!(losses[9] < losses[0]);
//! # Ok::<(), candle_core::Error>(())
//! ```

mod conv;
mod dropout;
mod linear;
mod norm;
mod optimizer;

pub use conv::{Conv2d, ConvReluPool, conv2d, conv2d_no_bias};
pub use dropout::Dropout;
pub use linear::{Linear, linear, linear_no_bias};
pub use norm::{BatchNorm, batch_norm};
pub use optimizer::{UpdateRule, VarOptimizer};
