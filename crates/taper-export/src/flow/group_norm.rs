//! Group norm that keeps its weights at hand.

use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;

use super::Flow;
use super::call::{Call, Kind};
use super::layer::Layer;

/// candle's `GroupNorm`, which hides its weights, with the weights kept beside it: made by [`group_norm`].
#[derive(Debug, Clone)]
pub struct GroupNorm {
    inner: candle_nn::GroupNorm,
    weight: Tensor,
    bias: Tensor,
    groups: usize,
    eps: f64,
}

impl GroupNorm {
    /// As `candle_nn::GroupNorm::new`.
    ///
    /// # Errors
    /// Those of candle: the groups do not divide the channels.
    pub fn new(
        weight: Tensor,
        bias: Tensor,
        num_channels: usize,
        num_groups: usize,
        eps: f64,
    ) -> Result<Self> {
        let inner = candle_nn::GroupNorm::new(weight.clone(), bias.clone(), num_channels, num_groups, eps)?;
        Ok(Self { inner, weight, bias, groups: num_groups, eps })
    }
}

/// In the place of `candle_nn::group_norm`, with the same arguments.
///
/// # Errors
/// Those of candle: the groups do not divide the channels, or a weight is missing.
pub fn group_norm(num_groups: usize, num_channels: usize, eps: f64, vb: VarBuilder<'_>) -> Result<GroupNorm> {
    let weight = vb.get_with_hints(num_channels, "weight", candle_nn::Init::Const(1.))?;
    let bias = vb.get_with_hints(num_channels, "bias", candle_nn::Init::Const(0.))?;
    GroupNorm::new(weight, bias, num_channels, num_groups, eps)
}

impl Layer for GroupNorm {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (weight, bias) = (F::from(self.weight.clone()), F::from(self.bias.clone()));
        let call = Call::new("group_norm", Kind::GroupNorm { eps: self.eps, groups: self.groups });
        F::call(call, &[xs, &weight, &bias], |x| Module::forward(&self.inner, x[0]))
    }
}
