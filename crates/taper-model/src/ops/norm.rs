//! Batch normalisation.

use std::sync::{Arc, OnceLock};

use candle_core::{Result, Shape, Tensor};
use taper_graph::Normalize;
use taper_kernels::{BatchNormGeometry, BatchStatistics, batch_norm_backward, batch_norm_eval_backward};

use super::composed;
use super::storage::{image_dims, refuse};
use super::weighted::{Gradients, Weighted, apply};

/// Batch norm of `[N, C, H, W]` by the batch's own statistics, which are returned too, with `weight` and `bias` `[C]`.
///
/// # Errors
/// Shapes that do not fit, one value a channel, or tensors that are not f32.
pub fn batch_norm_train(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    eps: f64,
) -> Result<(Tensor, BatchStatistics)> {
    if !x.device().is_cpu() {
        return composed::batch_norm_train(x, weight, bias, eps);
    }
    check_values(x)?;
    let found = Arc::new(OnceLock::new());
    let y = apply(BatchNorm { eps, by: Statistics::Batch(Arc::clone(&found)) }, x, weight, Some(bias))?;
    match found.get() {
        Some(statistics) => Ok((y, statistics.clone())),
        None => candle_core::bail!("batch norm did not run"),
    }
}

/// PyTorch refuses one value a channel, too: it has no variance.
pub(super) fn check_values(x: &Tensor) -> Result<()> {
    if geometry(x.shape())?.count() < 2 {
        candle_core::bail!(
            "batch norm needs more than one value a channel while training, but its input is {:?}; use a larger batch",
            x.dims()
        );
    }
    Ok(())
}

/// Batch norm of `[N, C, H, W]` by `running_mean` and `running_var`; all four parameters are `[C]`. Gradients reach `x`,
/// `weight` and `bias`.
///
/// # Errors
/// Shapes that do not fit, or tensors that are not f32.
pub fn batch_norm_eval(
    x: &Tensor,
    weight: &Tensor,
    bias: &Tensor,
    [running_mean, running_var]: [&Tensor; 2],
    eps: f64,
) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::batch_norm_eval(x, weight, bias, [running_mean, running_var], eps);
    }
    let by = Statistics::Running([running_mean.to_vec1()?, running_var.to_vec1()?]);
    apply(BatchNorm { eps, by }, x, weight, Some(bias))
}

/// `(x − mean) ÷ std` of `[N, C, H, W]`, channel by channel; see [`Normalize`].
///
/// # Errors
/// Shapes that do not fit, or a tensor that is not f32.
pub fn normalize(x: &Tensor, settings: &Normalize) -> Result<Tensor> {
    if !x.device().is_cpu() {
        return composed::normalize(x, settings);
    }
    let channels = settings.mean.len();
    let weight: Vec<f32> = settings.std.iter().map(|std| 1.0 / std).collect();
    let weight = Tensor::from_vec(weight, channels, x.device())?;
    let bias = weight.zeros_like()?;
    let by = Statistics::Running([settings.mean.clone(), vec![1.0; channels]]);
    apply(BatchNorm { eps: 0.0, by }, x, &weight, Some(&bias))
}

fn geometry(x: &Shape) -> Result<BatchNormGeometry> {
    let (batch, [channels, height, width]) = image_dims(x)?;
    Ok(BatchNormGeometry { batch, channels, pixels: height * width })
}

struct BatchNorm {
    eps: f64,
    by: Statistics,
}

/// What a batch norm normalises by.
enum Statistics {
    /// The batch's own mean and variance, which the forward pass finds and the backward pass needs.
    Batch(Arc<OnceLock<BatchStatistics>>),
    /// Running mean and variance.
    Running([Vec<f32>; 2]),
}

impl Weighted for BatchNorm {
    const NAME: &'static str = "batch_norm2d";
    type Geometry = BatchNormGeometry;

    fn geometry(&self, x: &Shape, _weight: &Shape) -> Result<BatchNormGeometry> {
        geometry(x)
    }

    fn output_shape(&self, _g: &BatchNormGeometry, x: &Shape) -> Shape {
        x.clone()
    }

    fn forward(
        &self,
        g: &BatchNormGeometry,
        x: &[f32],
        weight: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
    ) -> Result<()> {
        let Some(bias) = bias else { candle_core::bail!("batch norm needs a bias") };
        match &self.by {
            Statistics::Batch(found) => {
                let statistics =
                    taper_kernels::batch_norm_train(*g, x, [weight, bias], self.eps, y).map_err(refuse)?;
                // An op instance runs forward once; were it run again, it would find the same.
                let _ = found.set(statistics);
                Ok(())
            }
            Statistics::Running([mean, variance]) => {
                let parameters = [weight, bias, mean, variance];
                taper_kernels::batch_norm_eval(*g, x, parameters, self.eps, y).map_err(refuse)
            }
        }
    }

    fn backward(
        &self,
        g: &BatchNormGeometry,
        x: &[f32],
        weight: &[f32],
        dy: &[f32],
        gradients: Gradients<'_>,
    ) -> Result<()> {
        // The kernel finds all three gradients together.
        let mut unwanted = Vec::new();
        let dx = gradients.x.unwrap_or_else(|| {
            unwanted.resize(x.len(), 0.0);
            &mut unwanted
        });
        let found = match &self.by {
            Statistics::Batch(found) => {
                let Some(statistics) = found.get() else {
                    candle_core::bail!("batch_norm2d: backward before forward")
                };
                batch_norm_backward(*g, x, weight, statistics, self.eps, dy, dx)
            }
            Statistics::Running([mean, variance]) => {
                batch_norm_eval_backward(*g, x, weight, [mean, variance], self.eps, dy, dx)
            }
        };
        let [dweight, dbias] = found.map_err(refuse)?;
        gradients.weight.copy_from_slice(&dweight);
        if let Some(bias) = gradients.bias {
            bias.copy_from_slice(&dbias);
        }
        Ok(())
    }
}
