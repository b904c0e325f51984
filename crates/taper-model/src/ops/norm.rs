//! Batch normalisation.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use taper_kernels::{BatchNormGeometry, BatchStatistics};

use super::storage::{gradient, image_dims, output, refuse, slice, with_slices};

/// Batch norm of `[N, C, H, W]` by the batch's own statistics, which are returned too, with `weight` and `bias` `[C]`.
///
/// # Errors
/// Shapes that do not fit, one value a channel (PyTorch refuses that too: it has no variance), or tensors that are not
/// f32 on the CPU.
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    if geometry(x.shape())?.count() < 2 {
        candle_core::bail!(
            "batch norm needs more than one value a channel while training, but its input is {:?}; use a larger batch",
            x.dims()
        );
    }
    let statistics = Arc::new(OnceLock::new());
    let op = BatchNormOp { eps, statistics: Arc::clone(&statistics) };
    let y = x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, op)?;
    match statistics.get() {
        Some(statistics) => Ok((y, statistics.clone())),
        None => candle_core::bail!("batch norm did not run"),
    }
}

/// Batch norm of `[N, C, H, W]` by running averages; `[weight, bias, running_mean, running_var]` are `[C]` each. It has
/// no gradient: it is for evaluation.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32 on the CPU.
pub fn batch_norm_eval(x: &Tensor, parameters: [&Tensor; 4], eps: f64) -> Result<Tensor> {
    let g = geometry(x.shape())?;
    let [weight, bias, mean, variance] = parameters;
    let mut y = vec![0.0; x.elem_count()];
    with_slices([x, weight, bias, mean, variance], |[x, weight, bias, mean, variance]| {
        taper_kernels::batch_norm_eval(g, x, [weight, bias, mean, variance], eps, &mut y).map_err(refuse)
    })?;
    gradient(y, x.shape())
}

fn geometry(x: &Shape) -> Result<BatchNormGeometry> {
    let (batch, [channels, height, width]) = image_dims(x)?;
    Ok(BatchNormGeometry { batch, channels, pixels: height * width })
}

struct BatchNormOp {
    eps: f64,
    statistics: Arc<OnceLock<BatchStatistics>>,
}

impl CustomOp3 for BatchNormOp {
    fn name(&self) -> &'static str {
        "batch_norm2d"
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
        let x = slice(x, x_layout)?;
        let parameters = [slice(weight, weight_layout)?, slice(bias, bias_layout)?];
        let mut y = vec![0.0; x.len()];
        let g = geometry(x_layout.shape())?;
        let statistics =
            taper_kernels::batch_norm_train(g, x, parameters, self.eps, &mut y).map_err(refuse)?;
        let _ = self.statistics.set(statistics);
        Ok(output(y, x_layout.shape().clone()))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let Some(statistics) = self.statistics.get() else {
            candle_core::bail!("batch_norm2d: backward before forward")
        };
        let g = geometry(x.shape())?;
        let mut dx = vec![0.0; x.elem_count()];
        let [dweight, dbias] = with_slices([x, weight, dy], |[x, weight, dy]| {
            taper_kernels::batch_norm_backward(g, x, weight, statistics, self.eps, dy, &mut dx)
                .map_err(refuse)
        })?;
        let channels = Shape::from(g.channels);
        Ok((
            Some(gradient(dx, x.shape())?),
            Some(gradient(dweight, &channels)?),
            Some(gradient(dbias, &channels)?),
        ))
    }
}
