//! The fully connected layer.

use std::sync::Arc;

use candle_core::{Result, Tensor};
use taper_graph::{Linear, Op};

use super::compiled::Compiled;

/// `x·weightᵀ + bias` for `x` `[N, F]`, `weight` `[out_features, F]` and `bias` `[out_features]`.
///
/// Products with inputs that are exactly zero may be left out, so that an infinite or NaN weight may add nothing there.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32 on the CPU.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    Arc::new(Compiled::default()).linear(x, weight, bias)
}

impl Compiled {
    /// [`linear`] on buffers that are kept.
    pub(crate) fn linear(
        self: &Arc<Self>,
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
    ) -> Result<Tensor> {
        let ((_, in_features), (out_features, expected)) = (x.dims2()?, weight.dims2()?);
        if in_features != expected {
            candle_core::bail!("this linear layer takes {expected} features, but its input has {in_features}");
        }
        let op = Op::Linear(Linear { out_features, bias: bias.is_some() });
        self.apply(vec![op], [x, weight], bias, None)
    }
}
