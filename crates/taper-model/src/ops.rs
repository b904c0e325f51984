//! Candle custom ops over `taper-kernels`, with gradients that match PyTorch's.
//!
//! Each takes and returns f32 tensors, `[N, C, H, W]` for images. For tensors on the CPU they run on Taper's kernels, for others they
//! are [`composed`] of candle's own ops. They replace candle's own where those differ: candle's `max_pool2d` has no padding and
//! spreads the gradient over the window, its `relu` has derivative 1 at 0, and its dropout cannot be seeded.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use taper_graph::MaxPool2d;
//!
//! let x = Var::new(&[[[[1f32, 4.0], [3.0, 2.0]]]], &Device::Cpu)?;
//! let y = taper_model::ops::max_pool2d(&x, &MaxPool2d::new(2))?;
//! let gradients = y.backward()?;
//! let dx = gradients.get(&x).map(|dx| dx.flatten_all()?.to_vec1::<f32>()).transpose()?;
//! assert_eq!(dx, Some(vec![0.0, 1.0, 0.0, 0.0]));
//! # Ok::<(), candle_core::Error>(())
//! ```

mod activation;
mod backward;
mod compiled;
pub mod composed;
mod conv;
mod dropout;
mod linear;
mod loss;
mod norm;
mod pool;
mod record;
mod softmax;
mod storage;
mod weighted;

pub use activation::activation;
pub use backward::backward;
pub(crate) use compiled::Compiled;
pub use conv::{conv_relu_pool, conv2d};
pub use dropout::dropout;
pub use linear::linear;
pub use loss::cross_entropy;
pub use norm::{batch_norm_eval, batch_norm_train, normalize};
pub use pool::{avg_pool2d, global_avg_pool, max_pool2d};
pub use softmax::softmax;
pub(crate) use storage::{refuse, slice, with_all};
pub use taper_kernels::{BatchStatistics, DropoutKey, Loss};
