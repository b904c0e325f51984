//! 2-D convolution, alone and with what follows it.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use taper_graph::{Activation, Conv2d, Dropout, MaxPool2d, Op};
use taper_kernels::DropoutKey;

use super::compiled::Compiled;
use super::composed;

/// 2-D convolution of `[N, C, H, W]` with `weight` `[out_channels, C/groups, kernel_h, kernel_w]` and, if there is one,
/// `bias` `[out_channels]`.
///
/// It runs on Winograd's method where that is faster: then a NaN or an infinity spreads over the tile of 4×4 outputs
/// that reads it.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    Arc::new(Compiled::default()).conv(x, weight, bias, conv, None)
}

/// Convolution, bias, ReLU, max-pool and, with a probability and a key, dropout in one pass: `[N, C, H, W]` →
/// `[N, out_channels, H', W']`.
///
/// It computes what [`conv2d`], ReLU, [`max_pool2d`](super::max_pool2d) and [`dropout`](super::dropout) do one after the
/// other, but only the pooled values are stored, and the backward pass works on the gradients that are not zero.
///
/// # Errors
/// Shapes that do not fit, a probability outside `[0, 1)`, or tensors that are not f32.
///
/// ```
/// use candle_core::{DType, Device, Tensor, Var};
/// use taper_graph::{Activation, Conv2d, MaxPool2d};
///
/// let x = Tensor::ones((1, 1, 4, 4), DType::F32, &Device::Cpu)?;
/// let weight = Var::ones((2, 1, 3, 3), DType::F32, &Device::Cpu)?;
/// let (conv, pool) = (Conv2d::new(2, 3).padding(1), MaxPool2d::new(2));
/// let y = taper_model::ops::conv_relu_pool(&x, &weight, None, &conv, &pool, None)?;
/// assert_eq!(y.dims(), [1, 2, 2, 2]);
/// let gradients = y.sum_all()?.backward()?;
/// assert!(gradients.get(&weight).is_some());
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn conv_relu_pool(
    x: &Tensor,
    weight: &Tensor,
    bias: Option<&Tensor>,
    conv: &Conv2d,
    pool: &MaxPool2d,
    dropout: Option<(f32, DropoutKey)>,
) -> Result<Tensor> {
    Arc::new(Compiled::default()).conv(x, weight, bias, conv, Some((pool, dropout)))
}

impl Compiled {
    /// [`conv2d`], or [`conv_relu_pool`] with what follows, on buffers that are kept.
    pub(crate) fn conv(
        self: &Arc<Self>,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        conv: &Conv2d,
        following: Option<(&MaxPool2d, Option<(f32, DropoutKey)>)>,
    ) -> Result<Tensor> {
        x.dims4()?;
        if !x.device().is_cpu() {
            let y = composed::conv2d(x, weight, bias, conv)?;
            let Some((pool, dropout)) = following else { return Ok(y) };
            let y = composed::max_pool2d(&composed::activation(&y, Activation::Relu)?, pool)?;
            return dropout.map_or(Ok(y.clone()), |(p, key)| super::dropout(&y, p, key));
        }
        let mut ops = vec![Op::Conv2d(Conv2d { bias: bias.is_some(), ..conv.clone() })];
        let mut key = None;
        if let Some((pool, dropout)) = following {
            ops.extend([Op::Relu, Op::MaxPool2d(pool.clone())]);
            ops.extend(dropout.map(|(p, _)| Op::Dropout(Dropout { p })));
            key = dropout.map(|(_, key)| key);
        }
        self.apply(ops, [x, weight], bias, key)
    }
}
