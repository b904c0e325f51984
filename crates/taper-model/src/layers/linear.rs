//! The fully connected layer.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Init, VarBuilder};

use crate::ops;

/// `y = x·weightᵀ + bias`: [`candle_nn::Linear`] on [`ops::linear`](crate::ops::linear).
///
/// # Shapes
/// `[…, in_features]` → `[…, out_features]`, with `weight` `[out_features, in_features]` and `bias` `[out_features]`.
#[derive(Debug, Clone)]
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// A layer with these parameters.
    #[must_use]
    pub fn new(weight: Tensor, bias: Option<Tensor>) -> Self {
        Self { weight, bias }
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
}

impl Module for Linear {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        let forward = |rows: &Tensor| ops::linear(rows, &self.weight, self.bias.as_ref());
        let [outer @ .., features] = xs.dims() else {
            candle_core::bail!("a linear layer takes […, features], not a scalar")
        };
        if outer.len() == 1 {
            return forward(xs);
        }
        let rows: usize = outer.iter().product();
        let y = forward(&xs.reshape((rows, *features))?)?;
        let mut shape = outer.to_vec();
        shape.push(y.dim(1)?);
        y.reshape(shape)
    }
}

/// A linear layer with a bias, its parameters `weight` and `bias` named and initialised as by [`candle_nn::linear()`].
///
/// # Errors
/// Candle's, if `vb` has no such parameters.
///
/// ```
/// use candle_core::{DType, Device, Module, Tensor};
/// let vb = candle_nn::VarBuilder::zeros(DType::F32, &Device::Cpu);
/// let fc = taper_model::layers::linear(12, 5, vb)?;
/// let y = fc.forward(&Tensor::ones((2, 3, 12), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(y.dims(), [2, 3, 5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
pub fn linear(in_dim: usize, out_dim: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    let bound = 1.0 / (in_dim as f64).sqrt();
    let Linear { weight, .. } = linear_no_bias(in_dim, out_dim, vb.clone())?;
    let bias = vb.get_with_hints(out_dim, "bias", Init::Uniform { lo: -bound, up: bound })?;
    Ok(Linear::new(weight, Some(bias)))
}

/// [`linear()`] without a bias.
///
/// # Errors
/// Candle's, if `vb` has no such parameter.
pub fn linear_no_bias(in_dim: usize, out_dim: usize, vb: VarBuilder<'_>) -> Result<Linear> {
    let weight = vb.get_with_hints((out_dim, in_dim), "weight", candle_nn::init::DEFAULT_KAIMING_NORMAL)?;
    Ok(Linear::new(weight, None))
}
