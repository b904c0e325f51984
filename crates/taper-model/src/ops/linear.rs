//! The fully connected layer.

use candle_core::{Result, Shape, Tensor};
use taper_kernels::{LinearGeometry, linear_backward_input, linear_backward_params};

use super::composed;
use super::storage::refuse;
use super::weighted::{Gradients, Weighted, apply};

/// `x·weightᵀ + bias` for `x` `[N, F]`, `weight` `[out_features, F]` and `bias` `[out_features]`.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::linear(x, weight, bias);
    }
    apply(Linear, x, weight, bias)
}

struct Linear;

impl Weighted for Linear {
    const NAME: &'static str = "linear";
    type Geometry = LinearGeometry;

    fn geometry(&self, x: &Shape, weight: &Shape) -> Result<LinearGeometry> {
        let ((batch, in_features), (out_features, expected)) = (x.dims2()?, weight.dims2()?);
        if in_features != expected {
            candle_core::bail!(
                "this linear layer takes {expected} features, but its input has {in_features}"
            );
        }
        Ok(LinearGeometry { batch, in_features, out_features })
    }

    fn output_shape(&self, g: &LinearGeometry, _x: &Shape) -> Shape {
        (g.batch, g.out_features).into()
    }

    fn forward(
        &self,
        g: &LinearGeometry,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()> {
        taper_kernels::linear(*g, x, weight, bias, y).map_err(refuse)
    }

    fn backward(
        &self,
        g: &LinearGeometry,
        x: &[f32],
        weight: &[f32],
        dy: &[f32],
        gradients: Gradients<'_>,
    ) -> Result<()> {
        if let Some(dx) = gradients.x {
            linear_backward_input(*g, weight, dy, dx).map_err(refuse)?;
        }
        linear_backward_params(*g, x, dy, gradients.weight, gradients.bias).map_err(refuse)
    }
}
