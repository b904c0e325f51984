//! Batch normalisation.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};
use crate::geometry::product;

/// The sizes of one batch norm: `[N, C, H, W]` in and out, with `pixels` = H·W.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchNormGeometry {
    /// Number of images, N.
    pub batch: usize,
    /// Number of channels, C.
    pub channels: usize,
    /// Pixels of one channel, H·W.
    pub pixels: usize,
}

/// Mean and variance of each channel over the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchStatistics {
    /// Mean, `[C]`.
    pub mean: Vec<f64>,
    /// Biased variance (divided by the number of elements), `[C]`.
    pub variance: Vec<f64>,
}

impl BatchNormGeometry {
    fn len(&self) -> usize {
        product([self.batch, self.channels, self.pixels])
    }

    /// Elements of one channel over the batch.
    pub fn count(&self) -> usize {
        product([self.batch, self.pixels])
    }

    /// Every plane of one channel.
    fn planes<'a>(&self, data: &'a [f32], channel: usize) -> impl Iterator<Item = &'a [f32]> {
        data.chunks_exact(self.pixels.max(1)).skip(channel).step_by(self.channels)
    }

    /// Runs `map` for every plane of `y` with its channel and the same plane of `x`.
    fn for_each_plane(&self, x: &[f32], y: &mut [f32], map: impl Fn(usize, &[f32], &mut [f32]) + Sync) {
        if self.pixels == 0 {
            return;
        }
        let planes = y.par_chunks_mut(self.pixels).zip(x.par_chunks(self.pixels));
        planes.enumerate().for_each(|(plane, (y, x))| map(plane % self.channels, x, y));
    }

    fn check(&self, lens: &[(&'static str, usize)], channel_lens: &[usize]) -> Result<(), KernelError> {
        for &(what, len) in lens {
            check_len(what, len, self.len())?;
        }
        channel_lens.iter().try_for_each(|&len| check_len("a parameter", len, self.channels))
    }
}

/// Normalises by the batch's own mean and variance: `y = (x − mean) / √(variance + eps) · weight + bias`.
///
/// Source: [`torch.nn.BatchNorm2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html) in training mode.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{BatchNormGeometry, batch_norm_train};
/// let geometry = BatchNormGeometry { batch: 2, channels: 1, pixels: 1 };
/// let mut y = [0.0; 2];
/// let statistics = batch_norm_train(geometry, &[3.0, 5.0], [&[2.0], &[0.5]], 0.0, &mut y)?;
/// assert_eq!((statistics.mean[0], statistics.variance[0]), (4.0, 1.0));
/// assert_eq!(y, [-1.5, 2.5]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn batch_norm_train(
    g: BatchNormGeometry,
    x: &[f32],
    [weight, bias]: [&[f32]; 2],
    eps: f64,
    y: &mut [f32],
) -> Result<BatchStatistics, KernelError> {
    g.check(&[("x", x.len()), ("y", y.len())], &[weight.len(), bias.len()])?;
    let count = g.count() as f64;
    let moments = |channel| {
        let sum: f64 = g.planes(x, channel).flatten().map(|&x| f64::from(x)).sum();
        let mean = sum / count;
        let squares: f64 = g.planes(x, channel).flatten().map(|&x| (f64::from(x) - mean).powi(2)).sum();
        (mean, squares / count)
    };
    let (mean, variance): (Vec<f64>, Vec<f64>) = (0..g.channels).into_par_iter().map(moments).unzip();
    scale_and_shift(g, x, [weight, bias], [&mean, &variance], eps, y);
    Ok(BatchStatistics { mean, variance })
}

/// Normalises by running averages.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{BatchNormGeometry, batch_norm_eval};
/// let geometry = BatchNormGeometry { batch: 1, channels: 1, pixels: 1 };
/// let mut y = [0.0];
/// batch_norm_eval(geometry, &[3.0], [&[2.0], &[0.5], &[1.0], &[4.0]], 0.0, &mut y)?;
/// assert_eq!(y, [2.5]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn batch_norm_eval(
    g: BatchNormGeometry,
    x: &[f32],
    [weight, bias, running_mean, running_var]: [&[f32]; 4],
    eps: f64,
    y: &mut [f32],
) -> Result<(), KernelError> {
    let channel_lens = [weight.len(), bias.len(), running_mean.len(), running_var.len()];
    g.check(&[("x", x.len()), ("y", y.len())], &channel_lens)?;
    scale_and_shift(g, x, [weight, bias], [&widen(running_mean), &widen(running_var)], eps, y);
    Ok(())
}

fn scale_and_shift(
    g: BatchNormGeometry,
    x: &[f32],
    [weight, bias]: [&[f32]; 2],
    [mean, variance]: [&[f64]; 2],
    eps: f64,
    y: &mut [f32],
) {
    g.for_each_plane(x, y, |channel, x, y| {
        let scale = f64::from(weight[channel]) / (variance[channel] + eps).sqrt();
        // Subtracting the mean first keeps the digits of a channel whose mean is far from zero.
        let (mean, scale) = (mean[channel] as f32, scale as f32);
        y.iter_mut().zip(x).for_each(|(y, x)| *y = (x - mean) * scale + bias[channel]);
    });
}

/// Gradients of batch norm in training mode, through the batch's statistics: fills `dx`, and returns
/// `[dweight, dbias]`.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{BatchNormGeometry, BatchStatistics, batch_norm_backward};
/// let geometry = BatchNormGeometry { batch: 2, channels: 1, pixels: 1 };
/// let statistics = BatchStatistics { mean: vec![4.0], variance: vec![1.0] };
/// let mut dx = [9.0; 2];
/// let [dweight, dbias] =
///     batch_norm_backward(geometry, &[3.0, 5.0], &[2.0], &statistics, 0.0, &[1.0, 4.0], &mut dx)?;
/// // Of two values, one is −1 and the other 1 whatever they were: nothing moves the output.
/// assert_eq!((dweight[0], dbias[0], dx), (3.0, 5.0, [0.0; 2]));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn batch_norm_backward(
    g: BatchNormGeometry,
    x: &[f32],
    weight: &[f32],
    statistics: &BatchStatistics,
    eps: f64,
    dy: &[f32],
    dx: &mut [f32],
) -> Result<[Vec<f32>; 2], KernelError> {
    backward(g, x, weight, statistics, eps, dy, dx, g.count() as f64)
}

/// Gradients of batch norm by running averages, which are constants: fills `dx`, and returns `[dweight, dbias]`.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{BatchNormGeometry, batch_norm_eval_backward};
/// let geometry = BatchNormGeometry { batch: 1, channels: 1, pixels: 1 };
/// let mut dx = [9.0];
/// let [dweight, dbias] =
///     batch_norm_eval_backward(geometry, &[3.0], &[2.0], [&[1.0], &[4.0]], 0.0, &[5.0], &mut dx)?;
/// assert_eq!((dweight[0], dbias[0], dx), (5.0, 5.0, [5.0]));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn batch_norm_eval_backward(
    g: BatchNormGeometry,
    x: &[f32],
    weight: &[f32],
    [running_mean, running_var]: [&[f32]; 2],
    eps: f64,
    dy: &[f32],
    dx: &mut [f32],
) -> Result<[Vec<f32>; 2], KernelError> {
    let statistics = BatchStatistics { mean: widen(running_mean), variance: widen(running_var) };
    // Constants are statistics over infinitely many elements: no single one moves them.
    backward(g, x, weight, &statistics, eps, dy, dx, f64::INFINITY)
}

/// `dx = weight/std · (dy − Σ dy/count − x̂·Σ (dy·x̂)/count)`, `dweight = Σ dy·x̂`, `dbias = Σ dy`.
#[expect(clippy::too_many_arguments, reason = "private, and both callers pass their own arguments on")]
fn backward(
    g: BatchNormGeometry,
    x: &[f32],
    weight: &[f32],
    BatchStatistics { mean, variance }: &BatchStatistics,
    eps: f64,
    dy: &[f32],
    dx: &mut [f32],
    count: f64,
) -> Result<[Vec<f32>; 2], KernelError> {
    let lens = [("x", x.len()), ("dy", dy.len()), ("gradient of x", dx.len())];
    g.check(&lens, &[weight.len(), mean.len(), variance.len()])?;
    let inverse_std = |channel: usize| 1.0 / (variance[channel] + eps).sqrt();
    let sums = |channel| {
        let (mut sum, mut product) = (0.0, 0.0);
        for (x, dy) in g.planes(x, channel).zip(g.planes(dy, channel)) {
            for (&x, &dy) in x.iter().zip(dy) {
                sum += f64::from(dy);
                product += f64::from(dy) * (f64::from(x) - mean[channel]);
            }
        }
        (product * inverse_std(channel), sum)
    };
    let (dweight, dbias): (Vec<f64>, Vec<f64>) = (0..g.channels).into_par_iter().map(sums).unzip();
    // First dx = x, then the rest in place.
    dx.copy_from_slice(x);
    g.for_each_plane(dy, dx, |channel, dy, dx| {
        let inverse = inverse_std(channel);
        let scale = f64::from(weight[channel]) * inverse;
        for (dx, &dy) in dx.iter_mut().zip(dy) {
            let normalized = (f64::from(*dx) - mean[channel]) * inverse;
            let centred = f64::from(dy) - dbias[channel] / count - normalized * dweight[channel] / count;
            *dx = (scale * centred) as f32;
        }
    });
    let narrow = |values: Vec<f64>| values.into_iter().map(|value| value as f32).collect::<Vec<f32>>();
    Ok([narrow(dweight), narrow(dbias)])
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}
