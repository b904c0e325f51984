//! 2-D convolution, alone and with what follows it.

use std::sync::Arc;

use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::{Conv2dConfig, Init, VarBuilder};
use taper_graph::MaxPool2d;

use super::Dropout;
use crate::ops::Compiled;

/// 2-D convolution: [`candle_nn::Conv2d`] on [`ops::conv2d`](crate::ops::conv2d).
///
/// # Shapes
/// `[N, C, H, W]` → `[N, out_channels, H', W']`, with `weight` `[out_channels, C/groups, kernel_h, kernel_w]` and
/// `bias` `[out_channels]`.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: Tensor,
    bias: Option<Tensor>,
    config: Conv2dConfig,
    compiled: Arc<Compiled>,
}

impl Conv2d {
    /// A layer with these parameters.
    #[must_use]
    pub fn new(weight: Tensor, bias: Option<Tensor>, config: Conv2dConfig) -> Self {
        Self { weight, bias, config, compiled: Arc::default() }
    }

    /// The weight.
    #[must_use]
    pub fn weight(&self) -> &Tensor {
        &self.weight
    }

    /// The bias, if there is one.
    #[must_use]
    pub fn bias(&self) -> Option<&Tensor> {
        self.bias.as_ref()
    }

    /// Stride, padding, dilation and groups.
    #[must_use]
    pub fn config(&self) -> &Conv2dConfig {
        &self.config
    }

    /// The same settings as the graph has them.
    fn settings(&self) -> Result<taper_graph::Conv2d> {
        let (out_channels, _, height, width) = self.weight.dims4()?;
        let Conv2dConfig { padding, stride, dilation, groups, .. } = self.config;
        Ok(taper_graph::Conv2d {
            out_channels,
            kernel: [height, width],
            stride: [stride; 2],
            padding: [padding; 2],
            dilation: [dilation; 2],
            groups,
            bias: self.bias.is_some(),
        })
    }
}

impl Module for Conv2d {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        self.compiled.conv(xs, &self.weight, self.bias.as_ref(), &self.settings()?, None)
    }
}

/// A convolution with a bias, its parameters `weight` and `bias` named and initialised as by [`candle_nn::conv2d`].
///
/// # Errors
/// Candle's, if `vb` has no such parameters.
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// let vb = candle_nn::VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let conv = taper_model::layers::conv2d(3, 8, 5, candle_nn::Conv2dConfig::default(), vb)?;
/// let y = conv.forward(&Tensor::ones((2, 3, 8, 8), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [2, 8, 4, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn conv2d(
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    cfg: Conv2dConfig,
    vb: VarBuilder<'_>,
) -> Result<Conv2d> {
    let bound = 1.0 / (in_channels as f64).sqrt();
    let Conv2d { weight, config, .. } =
        conv2d_no_bias(in_channels, out_channels, kernel_size, cfg, vb.clone())?;
    let bias = vb.get_with_hints(out_channels, "bias", Init::Uniform { lo: -bound, up: bound })?;
    Ok(Conv2d::new(weight, Some(bias), config))
}

/// [`conv2d`] without a bias.
///
/// # Errors
/// Candle's, if `vb` has no such parameter.
pub fn conv2d_no_bias(
    in_channels: usize,
    out_channels: usize,
    kernel_size: usize,
    cfg: Conv2dConfig,
    vb: VarBuilder<'_>,
) -> Result<Conv2d> {
    if cfg.groups == 0 {
        candle_core::bail!("a convolution with 0 groups; use 1 for an ordinary one");
    }
    let shape = (out_channels, in_channels / cfg.groups, kernel_size, kernel_size);
    let weight = vb.get_with_hints(shape, "weight", candle_nn::init::DEFAULT_KAIMING_NORMAL)?;
    Ok(Conv2d::new(weight, None, cfg))
}

/// Convolution, bias, ReLU, max-pool and perhaps dropout in one pass; see
/// [`ops::conv_relu_pool`](crate::ops::conv_relu_pool).
///
/// # Shapes
/// `[N, C, H, W]` → `[N, out_channels, H', W']`.
#[derive(Debug, Clone)]
pub struct ConvReluPool {
    conv: Conv2d,
    pool: MaxPool2d,
    dropout: Option<Arc<Dropout>>,
}

impl ConvReluPool {
    /// A block without dropout.
    #[must_use]
    pub fn new(conv: Conv2d, pool: MaxPool2d) -> Self {
        Self { conv, pool, dropout: None }
    }

    /// The same block with dropout at its end, while training.
    #[must_use]
    pub fn with_dropout(self, dropout: Dropout) -> Self {
        Self { dropout: Some(Arc::new(dropout)), ..self }
    }

    /// The convolution.
    #[must_use]
    pub fn conv(&self) -> &Conv2d {
        &self.conv
    }
}

impl ModuleT for ConvReluPool {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let Conv2d { weight, bias, compiled, .. } = &self.conv;
        let dropout = match &self.dropout {
            Some(dropout) if train => Some((dropout.probability(), dropout.next_key())),
            _ => None,
        };
        let following = Some((&self.pool, dropout));
        compiled.conv(xs, weight, bias.as_ref(), &self.conv.settings()?, following)
    }
}
