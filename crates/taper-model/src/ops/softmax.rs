//! Softmax over dimension 1.

use candle_core::{CpuStorage, Result, Shape, Tensor};

use super::composed;
use super::record::{Argument, InputGradients, Operation, apply};
use super::storage::{gradient, output, refuse, slice, with_slices};

/// Softmax over dimension 1 of `[N, F]` or `[N, C, H, W]`.
///
/// # Errors
/// A tensor of one dimension, or not f32.
pub fn softmax(x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::softmax(x);
    }
    apply(SoftmaxOp, &[x])
}

struct SoftmaxOp;

/// `[outer, classes, inner]` around dimension 1.
fn sizes(shape: &Shape) -> Result<[usize; 3]> {
    match shape.dims() {
        [outer, classes, inner @ ..] => Ok([*outer, *classes, inner.iter().product()]),
        dims => candle_core::bail!("softmax over dimension 1 of a tensor of shape {dims:?}"),
    }
}

impl Operation for SoftmaxOp {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let (x, layout) = inputs[0];
        let x = slice(x, layout)?;
        let mut y = vec![0.0; x.len()];
        taper_kernels::softmax(sizes(layout.shape())?, x, &mut y).map_err(refuse)?;
        Ok(output(y, layout.shape().clone()))
    }

    fn backward(&self, inputs: &[&Tensor], y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let x = inputs[0];
        let mut dx = vec![0.0; x.elem_count()];
        with_slices([y, dy], |[y, dy]| {
            taper_kernels::softmax_backward(sizes(x.shape())?, y, dy, &mut dx).map_err(refuse)
        })?;
        Ok(vec![Some(gradient(dx, x.shape())?)])
    }
}
