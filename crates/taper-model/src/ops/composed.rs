//! The ops of [`taper_model::ops`](super), composed of candle's own, for devices that Taper has no kernels for: what they compute and
//! their gradients are the same but for rounding.
//!
//! The ops of [`taper_model::ops`](super) are these for tensors that are not on the CPU, and a model that is
//! [on candle](crate::Model::on_candle) runs on these anywhere. On the CPU they are slower.
//!
//! ```
//! use candle_core::{Device, Tensor, Var};
//! use taper_graph::MaxPool2d;
//! use taper_model::ops::composed;
//!
//! // Where candle's own pool gives each of the four a quarter of the gradient, its maximum has it all.
//! let x = Var::new(&[[[[1f32, 4.0], [3.0, 2.0]]]], &Device::Cpu)?;
//! let gradients = composed::max_pool2d(&x, &MaxPool2d::new(2))?.backward()?;
//! let dx = gradients.get(&x).map(|dx| dx.flatten_all()?.to_vec1::<f32>()).transpose()?;
//! assert_eq!(dx, Some(vec![0.0, 1.0, 0.0, 0.0]));
//! # Ok::<(), candle_core::Error>(())
//! ```

mod conv;
mod norm;
mod pool;
mod update;

use candle_core::{Device, Result, Tensor};
use taper_graph::Activation;
use taper_kernels::{DropoutKey, Loss};

pub use conv::conv2d;
pub use norm::{batch_norm_eval, batch_norm_train, normalize};
pub use pool::{avg_pool2d, global_avg_pool, max_pool2d};
pub use update::{Moments, update};

/// See [`ops::linear`](super::linear).
///
/// # Errors
/// Shapes that do not fit.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let y = x.contiguous()?.broadcast_matmul(&weight.t()?)?;
    match bias {
        Some(bias) => y.broadcast_add(bias),
        None => Ok(y),
    }
}

/// See [`ops::activation`](super::activation).
///
/// # Errors
/// A tensor that is not of floats.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    match function {
        // Candle's has the derivative 1 at 0, PyTorch's 0.
        Activation::Relu => x.le(0f32)?.where_cond(&x.zeros_like()?, x),
        Activation::Gelu => x.gelu_erf(),
        Activation::Silu => x.silu(),
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => candle_nn::ops::sigmoid(x),
    }
}

/// See [`ops::softmax`](super::softmax).
///
/// # Errors
/// A tensor of one dimension.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    candle_nn::ops::softmax(x, 1)
}

/// See [`ops::dropout`](super::dropout); what it drops is drawn on the CPU, so that it is the same everywhere.
///
/// # Errors
/// `p` outside `[0, 1)`.
pub fn dropout(x: &Tensor, p: f32, key: DropoutKey) -> Result<Tensor> {
    let ones = Tensor::ones(x.shape(), x.dtype(), &Device::Cpu)?;
    x * super::dropout(&ones, p, key)?.to_device(x.device())?
}

/// See [`ops::cross_entropy`](super::cross_entropy). The logits are few, and come to the CPU.
///
/// # Errors
/// Lengths that do not agree, or a label outside the classes.
pub fn cross_entropy(logits: &Tensor, labels: &[u8], label_smoothing: f64) -> Result<(Tensor, Loss)> {
    super::cross_entropy(&logits.to_device(&Device::Cpu)?, labels, label_smoothing)
}
