//! The fully connected layer.

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use taper_kernels::LinearGeometry;

use super::storage::{gradient, output, refuse, slice, with_slices};

/// `x·weightᵀ + bias` for `x` `[N, F]`, `weight` `[out_features, F]` and `bias` `[out_features]`.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32 on the CPU.
pub fn linear(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>) -> Result<Tensor> {
    let (x, weight) = (x.contiguous()?, weight.contiguous()?);
    match bias {
        Some(bias) => x.apply_op3(&weight, &bias.contiguous()?, LinearOp),
        None => x.apply_op2(&weight, LinearOp),
    }
}

struct LinearOp;

impl LinearOp {
    fn geometry(x: &Shape, weight: &Shape) -> Result<LinearGeometry> {
        let ((batch, in_features), (out_features, expected)) = (x.dims2()?, weight.dims2()?);
        if in_features != expected {
            candle_core::bail!(
                "this linear layer takes {expected} features, but its input has {in_features}"
            );
        }
        Ok(LinearGeometry { batch, in_features, out_features })
    }

    fn forward(
        (x, x_layout): (&CpuStorage, &Layout),
        (weight, weight_layout): (&CpuStorage, &Layout),
        bias: Option<&[f32]>,
    ) -> Result<(CpuStorage, Shape)> {
        let g = Self::geometry(x_layout.shape(), weight_layout.shape())?;
        let mut y = vec![0.0; g.output_len()];
        taper_kernels::linear(g, slice(x, x_layout)?, slice(weight, weight_layout)?, bias, &mut y)
            .map_err(refuse)?;
        Ok(output(y, (g.batch, g.out_features)))
    }

    fn backward(
        x: &Tensor,
        weight: &Tensor,
        bias: Option<&Tensor>,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let g = Self::geometry(x.shape(), weight.shape())?;
        let mut dx = x.track_op().then(|| vec![0.0; g.input_len()]);
        let mut dweight = vec![0.0; g.weight_len()];
        let mut dbias = bias.map(|_| vec![0.0; g.out_features]);
        with_slices([x, weight, dy], |[x, weight, dy]| {
            if let Some(dx) = &mut dx {
                taper_kernels::linear_backward_input(g, weight, dy, dx).map_err(refuse)?;
            }
            taper_kernels::linear_backward_params(g, x, dy, &mut dweight, dbias.as_deref_mut())
                .map_err(refuse)
        })?;
        let dx = dx.map(|dx| gradient(dx, x.shape())).transpose()?;
        let dbias = dbias.map(|dbias| gradient(dbias, &Shape::from(g.out_features))).transpose()?;
        Ok((dx, Some(gradient(dweight, weight.shape())?), dbias))
    }
}

impl CustomOp2 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::forward((x, x_layout), (weight, weight_layout), None)
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, dweight, _) = Self::backward(x, weight, None, dy)?;
        Ok((dx, dweight))
    }
}

impl CustomOp3 for LinearOp {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        Self::forward((x, x_layout), (weight, weight_layout), Some(slice(bias, bias_layout)?))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        Self::backward(x, weight, Some(bias), dy)
    }
}
