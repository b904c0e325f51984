//! CPU kernels for training convolutional networks: safe functions over slices and geometry.
//!
//! Images are `[N, C, H, W]`, row-major f32. Work is split by image, or by a fixed number of rows, and partial
//! results are added up in a fixed order, so that the same finite input gives the same bits on any number of threads.
//! Threads are those of the rayon pool in which a function is called.
//!
//! ```
//! use taper_graph::Conv2d;
//! use taper_kernels::{ConvGeometry, conv2d};
//!
//! // One 3×3 filter of ones over one 4×4 image of ones, padded by one.
//! let geometry = ConvGeometry::new(&Conv2d::new(1, 3).padding(1), 1, [1, 4, 4])?;
//! let mut y = vec![0.0; geometry.output_len()];
//! conv2d(&geometry, &[1.0; 16], &[1.0; 9], Some(&[0.5]), &mut y)?;
//! assert_eq!(y[..4], [4.5, 6.5, 6.5, 4.5]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![allow(unsafe_code)]

mod activation;
mod aligned;
pub mod blocked;
mod conv;
mod dropout;
mod error;
mod exp;
mod geometry;
mod im2col;
mod isa;
mod linear;
mod loss;
mod matmul;
pub mod naive;
mod norm;
mod optimizer;
mod peak;
mod philox;
mod pool;
mod simd;
mod softmax;

pub use activation::{activate, activate_backward, activate_backward_part, activate_part};
pub use aligned::Aligned;
pub use conv::{ConvGradients, conv2d, conv2d_backward};
pub use dropout::{DropoutKey, dropout};
pub use error::KernelError;
pub use geometry::{ConvGeometry, PoolGeometry};
pub use isa::Isa;
pub use linear::{LinearGeometry, linear, linear_backward_input, linear_backward_params};
pub use loss::{Loss, cross_entropy, cross_entropy_rows};
pub use norm::{
    BatchNormGeometry, BatchStatistics, batch_norm_backward, batch_norm_eval, batch_norm_eval_backward,
    batch_norm_train,
};
pub use optimizer::{Moments, Optimizer};
pub use peak::fma_peak;
pub use philox::philox4x32;
pub use pool::{avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward};
pub use softmax::{softmax, softmax_backward};
