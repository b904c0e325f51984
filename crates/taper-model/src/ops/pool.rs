//! Max, average and global average pooling.

use std::sync::OnceLock;

use candle_core::{CpuStorage, Result, Shape, Tensor};
use taper_graph::{AvgPool2d, MaxPool2d};
use taper_kernels::PoolGeometry;

use super::composed;
use super::record::{Argument, InputGradients, Operation, apply};
use super::storage::{gradient, image_dims, output, refuse, slice, with_slices};

/// Greatest value of each window: `[N, C, H, W]` → `[N, C, H', W']`. The gradient goes to the first maximum.
///
/// # Errors
/// A window that does not fit, or a tensor that is not f32.
pub fn max_pool2d(x: &Tensor, pool: &MaxPool2d) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::max_pool2d(x, pool);
    }
    apply(MaxPoolOp { pool: pool.clone(), indices: OnceLock::new() }, &[x])
}

/// Mean of each window: `[N, C, H, W]` → `[N, C, H', W']`.
///
/// # Errors
/// A window that does not fit, or a tensor that is not f32.
pub fn avg_pool2d(x: &Tensor, pool: &AvgPool2d) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::avg_pool2d(x, pool);
    }
    apply(AvgPoolOp(pool.clone()), &[x])
}

/// Mean of each channel: `[N, C, H, W]` → `[N, C, 1, 1]`.
///
/// # Errors
/// A tensor that is not a batch of f32 images on the CPU.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::global_avg_pool(x);
    }
    let (_, [_, height, width]) = image_dims(x.shape())?;
    let whole = AvgPool2d { kernel: [height, width], ..AvgPool2d::new(1) };
    avg_pool2d(x, &whole)
}

fn out_shape(x: &Shape, g: &PoolGeometry) -> Result<(usize, usize, usize, usize)> {
    let (batch, [channels, _, _]) = image_dims(x)?;
    Ok((batch, channels, g.output[0], g.output[1]))
}

struct MaxPoolOp {
    pool: MaxPool2d,
    /// Where each maximum stands. A backward pass gets tensors only, so they wait here.
    indices: OnceLock<Vec<u32>>,
}

impl MaxPoolOp {
    fn geometry(&self, x: &Shape) -> Result<PoolGeometry> {
        let (batch, image) = image_dims(x)?;
        PoolGeometry::max(&self.pool, batch, image).map_err(refuse)
    }
}

impl Operation for MaxPoolOp {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let (x, layout) = inputs[0];
        let g = self.geometry(layout.shape())?;
        let (mut y, mut indices) = (vec![0.0; g.output_len()], vec![0; g.output_len()]);
        taper_kernels::max_pool2d(&g, slice(x, layout)?, &mut y, &mut indices).map_err(refuse)?;
        self.indices.get_or_init(|| indices);
        Ok(output(y, out_shape(layout.shape(), &g)?))
    }

    fn backward(&self, inputs: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let x = inputs[0];
        let g = self.geometry(x.shape())?;
        let Some(indices) = self.indices.get() else {
            candle_core::bail!("max_pool2d: backward before forward")
        };
        let mut dx = vec![0.0; g.input_len()];
        with_slices([dy], |[dy]| {
            taper_kernels::max_pool2d_backward(&g, indices, dy, &mut dx).map_err(refuse)
        })?;
        Ok(vec![Some(gradient(dx, x.shape())?)])
    }
}

struct AvgPoolOp(AvgPool2d);

impl AvgPoolOp {
    fn geometry(&self, x: &Shape) -> Result<PoolGeometry> {
        let (batch, image) = image_dims(x)?;
        PoolGeometry::avg(&self.0, batch, image).map_err(refuse)
    }
}

impl Operation for AvgPoolOp {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let (x, layout) = inputs[0];
        let g = self.geometry(layout.shape())?;
        let mut y = vec![0.0; g.output_len()];
        taper_kernels::avg_pool2d(&g, slice(x, layout)?, &mut y).map_err(refuse)?;
        Ok(output(y, out_shape(layout.shape(), &g)?))
    }

    fn backward(&self, inputs: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let x = inputs[0];
        let g = self.geometry(x.shape())?;
        let mut dx = vec![0.0; g.input_len()];
        with_slices([dy], |[dy]| taper_kernels::avg_pool2d_backward(&g, dy, &mut dx).map_err(refuse))?;
        Ok(vec![Some(gradient(dx, x.shape())?)])
    }
}
