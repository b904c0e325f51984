//! Normalisation.

use candle_core::{Result, Tensor};
use taper_graph::Normalize;
use taper_kernels::BatchStatistics;

use crate::ops::norm::check_values;

/// See [`ops::batch_norm_train`](crate::ops::batch_norm_train).
///
/// # Errors
/// Shapes that do not fit, or one value a channel.
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    check_values(x)?;
    let mean = x.mean_keepdim((0, 2, 3))?;
    let centred = x.broadcast_sub(&mean)?;
    let variance = centred.sqr()?.mean_keepdim((0, 2, 3))?;
    let scale = (&variance + eps)?.sqrt()?.recip()?;
    let y = affine(&centred.broadcast_mul(&scale)?, weight, bias)?;
    let numbers = |of: &Tensor| -> Result<Vec<f64>> {
        Ok(of.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f64::from).collect())
    };
    Ok((y, BatchStatistics { mean: numbers(&mean)?, variance: numbers(&variance)? }))
}

/// See [`ops::batch_norm_eval`](crate::ops::batch_norm_eval).
///
/// # Errors
/// Shapes that do not fit.
pub fn batch_norm_eval(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    [running_mean, running_var]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    let scale = (channels(running_var)? + eps)?.sqrt()?.recip()?;
    let normal = x.broadcast_sub(&channels(running_mean)?)?.broadcast_mul(&scale)?;
    affine(&normal, weight, bias)
}

/// See [`ops::normalize`](crate::ops::normalize).
///
/// # Errors
/// Shapes that do not fit.
pub fn normalize(x: &Tensor, settings: &Normalize) -> Result<Tensor> {
    let row = |values: &[f32]| Tensor::from_slice(values, (1, values.len(), 1, 1), x.device());
    x.broadcast_sub(&row(&settings.mean)?)?.broadcast_div(&row(&settings.std)?)
}

fn affine(x: &Tensor, weight: &Tensor, bias: &Tensor) -> Result<Tensor> {
    x.broadcast_mul(&channels(weight)?)?.broadcast_add(&channels(bias)?)
}

/// `[C]` as `[1, C, 1, 1]`.
fn channels(values: &Tensor) -> Result<Tensor> {
    values.reshape((1, (), 1, 1))
}
