//! Batch normalisation.

use std::sync::{Arc, OnceLock};

use candle_core::{CpuStorage, CustomOp3, Layout, Result, Shape, Tensor};
use taper_kernels::{BatchNormGeometry, BatchStatistics, KernelError};

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

/// Batch norm of `[N, C, H, W]` by `running_mean` and `running_var`; all four parameters are `[C]`. Gradients reach `x`,
/// `weight` and `bias`.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32 on the CPU.
pub fn batch_norm_eval(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    [running_mean, running_var]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    let running = [running_mean.to_vec1::<f32>()?, running_var.to_vec1::<f32>()?];
    x.contiguous()?.apply_op3(&weight.contiguous()?, &bias.contiguous()?, BatchNormEvalOp { eps, running })
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
        gradients(x, weight, dy, |g, [x, weight, dy], dx| {
            taper_kernels::batch_norm_backward(g, x, weight, statistics, self.eps, dy, dx)
        })
    }
}

struct BatchNormEvalOp {
    eps: f64,
    /// Running mean and variance.
    running: [Vec<f32>; 2],
}

impl CustomOp3 for BatchNormEvalOp {
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
        let [mean, variance] = &self.running;
        let parameters = [slice(weight, weight_layout)?, slice(bias, bias_layout)?, mean, variance];
        let mut y = vec![0.0; x.len()];
        let g = geometry(x_layout.shape())?;
        taper_kernels::batch_norm_eval(g, x, parameters, self.eps, &mut y).map_err(refuse)?;
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
        gradients(x, weight, dy, |g, [x, weight, dy], dx| {
            let [mean, variance] = &self.running;
            taper_kernels::batch_norm_eval_backward(g, x, weight, [mean, variance], self.eps, dy, dx)
        })
    }
}

/// Both backward passes differ only in their kernel.
fn gradients(
    x: &Tensor,
    weight: &Tensor,
    dy: &Tensor,
    kernel: impl FnOnce(
        BatchNormGeometry,
        [&[f32]; 3],
        &mut [f32],
    ) -> std::result::Result<[Vec<f32>; 2], KernelError>,
) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
    let g = geometry(x.shape())?;
    let mut dx = vec![0.0; x.elem_count()];
    let [dweight, dbias] = with_slices([x, weight, dy], |slices| kernel(g, slices, &mut dx).map_err(refuse))?;
    let channels = Shape::from(g.channels);
    Ok((
        Some(gradient(dx, x.shape())?),
        Some(gradient(dweight, &channels)?),
        Some(gradient(dbias, &channels)?),
    ))
}
