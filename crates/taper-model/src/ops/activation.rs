//! Element-wise functions.

use candle_core::{CpuStorage, Result, Shape, Tensor};
use taper_graph::Activation;

use super::composed;
use super::record::{Argument, InputGradients, Operation, apply};
use super::storage::{gradient, output, refuse, slice, with_slices};

/// An element-wise function of a tensor of any shape.
///
/// # Errors
/// A tensor that is not f32.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::activation(x, function);
    }
    apply(ActivationOp(function), &[x])
}

struct ActivationOp(Activation);

impl Operation for ActivationOp {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let (x, layout) = inputs[0];
        let x = slice(x, layout)?;
        let mut y = vec![0.0; x.len()];
        taper_kernels::activate(self.0, x, &mut y).map_err(refuse)?;
        Ok(output(y, layout.shape().clone()))
    }

    fn backward(&self, inputs: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let x = inputs[0];
        let mut dx = vec![0.0; x.elem_count()];
        with_slices([x, dy], |[x, dy]| {
            taper_kernels::activate_backward(self.0, x, dy, &mut dx).map_err(refuse)
        })?;
        Ok(vec![Some(gradient(dx, x.shape())?)])
    }
}
