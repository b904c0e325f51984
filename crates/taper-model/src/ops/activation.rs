//! Element-wise functions.

use candle_core::{CpuStorage, CustomOp1, Layout, Result, Shape, Tensor};
use taper_graph::Activation;

use super::storage::{gradient, output, refuse, slice, with_slices};

/// An element-wise function of a tensor of any shape.
///
/// # Errors
/// A tensor that is not f32 on the CPU.
pub fn activation(x: &Tensor, function: Activation) -> Result<Tensor> {
    x.contiguous()?.apply_op1(ActivationOp(function))
}

struct ActivationOp(Activation);

impl CustomOp1 for ActivationOp {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = slice(x, layout)?;
        let mut y = vec![0.0; x.len()];
        taper_kernels::activate(self.0, x, &mut y).map_err(refuse)?;
        Ok(output(y, layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0.0; x.elem_count()];
        with_slices([x, dy], |[x, dy]| {
            taper_kernels::activate_backward(self.0, x, dy, &mut dx).map_err(refuse)
        })?;
        gradient(dx, x.shape()).map(Some)
    }
}
