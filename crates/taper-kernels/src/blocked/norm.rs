//! Batch normalisation of blocked images, over a batch that is spread over groups.

mod backward;

use crate::activation::relu;
use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::norm::BatchStatistics;
use crate::simd::{LANES, Simd, dispatch};

use super::layout::{Blocked, Runs, Values, ValuesMut};

/// Batch norm of blocked images of one size.
///
/// Forward, in training: [`sums`](Self::sums) of each group, [`merge`](Self::merge) of all, [`affine`](Self::affine)
/// once, [`apply`](Self::apply) to each group. Backward: [`backward_sums`](Self::backward_sums) of each group,
/// [`backward_merge`](Self::backward_merge) once, [`backward_apply`](Self::backward_apply) to each group. Evaluation: only
/// `affine`, with running averages as the statistics, and `apply`.
///
/// ```
/// use taper_kernels::blocked::{Blocked, BlockedNorm};
/// use taper_kernels::{BatchStatistics, Isa};
/// let norm = BlockedNorm::new(Blocked::new([1, 1, 2], 0), Isa::current());
/// let (mut x, mut y) = ([0.0; 16], [9.0; 16]);
/// (x[0], x[8]) = (3.0, 5.0);
/// let mut sums = vec![0.0; norm.sums_len()];
/// norm.sums(1, x[..].into(), &mut sums)?;
/// let mut statistics = BatchStatistics { mean: Vec::new(), variance: Vec::new() };
/// norm.merge([(1, &sums[..])], &mut statistics)?;
/// assert_eq!((statistics.mean[0], statistics.variance[0]), (4.0, 1.0));
/// let mut affine = vec![0.0; norm.affine_len()];
/// norm.affine(&statistics, [&[2.0], &[0.5]], 0.0, &mut affine)?;
/// norm.apply(1, x[..].into(), &affine, None, false, (&mut y[..]).into())?;
/// assert_eq!([y[0], y[8], y[1]], [-1.5, 2.5, 0.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlockedNorm {
    sizes: Blocked,
    isa: Isa,
}

impl BlockedNorm {
    /// For images of the sizes of `sizes`, whose halo does not matter: each argument says its own.
    pub fn new(sizes: Blocked, isa: Isa) -> Self {
        Self { sizes: sizes.with_halo(0), isa }
    }

    /// Channels, rounded up to whole blocks.
    fn padded(&self) -> usize {
        self.sizes.blocks().saturating_mul(LANES)
    }

    /// Elements of what [`BlockedNorm::sums`] and [`BlockedNorm::backward_sums`] fill.
    pub fn sums_len(&self) -> usize {
        self.padded().saturating_mul(2)
    }

    /// Elements of what [`BlockedNorm::affine`] fills: three vectors of channels.
    pub fn affine_len(&self) -> usize {
        self.padded().saturating_mul(3)
    }

    /// The sum of each channel over a group of `images` images and, behind all of them, the sum of the squares of the
    /// deviations from the group's own mean. Accurate to f64 for any mean: the sums are taken about one of the values.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `x` does not hold `images` images with its halo or `sums` is not
    /// [`BlockedNorm::sums_len`] long.
    pub fn sums(&self, images: usize, x: Values<'_>, sums: &mut [f64]) -> Result<(), KernelError> {
        let layout = x.check("x", self.sizes, images)?;
        check_len("sums", sums.len(), self.sums_len())?;
        let runs = Runs::new(self.sizes, [x.halo]);
        let count = images as f64 * self.sizes.pixels() as f64;
        if count == 0.0 {
            sums.fill(0.0);
            return Ok(());
        }
        let (totals, squares) = sums.split_at_mut(self.padded());
        let outputs = totals.chunks_exact_mut(LANES).zip(squares.chunks_exact_mut(LANES));
        for (block, (totals, squares)) in outputs.enumerate() {
            let first = &x.data[layout.at(block, 0, 0)..][..LANES];
            // About an infinity there would be no differences.
            let shift: [f64; LANES] =
                std::array::from_fn(|lane| if first[lane].is_finite() { first[lane].into() } else { 0.0 });
            let [sum, square] = dispatch!(self.isa, |s| shifted(s, &runs, images, block, x.data, &shift));
            for lane in 0..LANES {
                totals[lane] = sum[lane] + count * shift[lane];
                // Rounding could leave less than nothing of equal values. Not `max`, which would drop NaN.
                let rest = square[lane] - sum[lane] * (sum[lane] / count);
                squares[lane] = if rest < 0.0 { 0.0 } else { rest };
            }
        }
        Ok(())
    }

    /// Mean and variance over a batch from its groups' sums, each with its number of images, added up in the order given.
    /// Resizes the vectors of `statistics` to the number of channels.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a group's sums are not [`BlockedNorm::sums_len`] long, or there is no group.
    pub fn merge<'a>(
        &self,
        groups: impl IntoIterator<Item = (usize, &'a [f64]), IntoIter: Clone>,
        statistics: &mut BatchStatistics,
    ) -> Result<(), KernelError> {
        let groups = groups.into_iter();
        let (channels, padded, pixels) = (self.sizes.channels, self.padded(), self.sizes.pixels() as f64);
        // First, so that the vectors do not become longer than what there is.
        check_len("groups", groups.clone().count().min(1), 1)?;
        groups.clone().try_for_each(|(_, sums)| check_len("sums", sums.len(), self.sums_len()))?;
        let BatchStatistics { mean, variance } = statistics;
        for values in [&mut *mean, &mut *variance] {
            values.clear();
            values.resize(channels, 0.0);
        }
        let mut count = 0.0;
        for (images, sums) in groups.clone() {
            count += images as f64 * pixels;
            mean.iter_mut().zip(sums).for_each(|(mean, sum)| *mean += sum);
        }
        mean.iter_mut().for_each(|mean| *mean /= count);
        for (images, sums) in groups.filter(|(images, _)| *images > 0) {
            let own = images as f64 * pixels;
            let (totals, squares) = sums.split_at(padded);
            for (channel, variance) in variance.iter_mut().enumerate() {
                *variance += squares[channel] + own * (totals[channel] / own - mean[channel]).powi(2);
            }
        }
        variance.iter_mut().for_each(|variance| *variance /= count);
        Ok(())
    }

    /// What [`BlockedNorm::apply`] needs to know of each channel. `[weight, bias]` are the layer's, `[C]` each. For
    /// evaluation the statistics are the running averages.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have an element for each channel, or `affine` is not
    /// [`BlockedNorm::affine_len`] long.
    pub fn affine(
        &self,
        statistics: &BatchStatistics,
        [weight, bias]: [&[f32]; 2],
        eps: f64,
        affine: &mut [f32],
    ) -> Result<(), KernelError> {
        self.check_channels(&[weight.len(), bias.len()])?;
        self.check_channels(&[statistics.mean.len(), statistics.variance.len()])?;
        check_len("affine", affine.len(), self.affine_len())?;
        affine.fill(0.0);
        let (means, rest) = affine.split_at_mut(self.padded());
        let (scales, shifts) = rest.split_at_mut(self.padded());
        for channel in 0..self.sizes.channels {
            let (mean, variance) = (statistics.mean[channel], statistics.variance[channel]);
            let scale = f64::from(weight[channel]) / (variance + eps).sqrt();
            means[channel] = mean as f32;
            scales[channel] = scale as f32;
            shifts[channel] = (f64::from(bias[channel]) + lost(mean) * scale) as f32;
        }
        Ok(())
    }

    /// `y = (x − mean)·scale + shift`, plus `residual` if there is one, and then ReLU with `relu`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo, or `affine` is not
    /// [`BlockedNorm::affine_len`] long.
    pub fn apply(
        &self,
        images: usize,
        x: Values<'_>,
        affine: &[f32],
        residual: Option<Values<'_>>,
        relu: bool,
        y: ValuesMut<'_>,
    ) -> Result<(), KernelError> {
        x.check("x", self.sizes, images)?;
        y.check("y", self.sizes, images)?;
        check_len("affine", affine.len(), self.affine_len())?;
        if let Some(residual) = &residual {
            residual.check("residual", self.sizes, images)?;
        }
        dispatch!(self.isa, |s| match (residual, relu) {
            (Some(residual), true) => self.affine_map::<_, true, true>(s, images, x, affine, residual, y),
            (Some(residual), false) => self.affine_map::<_, true, false>(s, images, x, affine, residual, y),
            (None, true) => self.affine_map::<_, false, true>(s, images, x, affine, x, y),
            (None, false) => self.affine_map::<_, false, false>(s, images, x, affine, x, y),
        });
        Ok(())
    }

    /// [`BlockedNorm::apply`], whose lengths were checked.
    #[inline(always)]
    fn affine_map<S: Simd, const RESIDUAL: bool, const RELU: bool>(
        &self,
        s: S,
        images: usize,
        x: Values<'_>,
        affine: &[f32],
        residual: Values<'_>,
        y: ValuesMut<'_>,
    ) {
        let padded = self.padded();
        Runs::new(self.sizes, [x.halo, residual.halo, y.halo]).for_each(
            images,
            #[inline(always)]
            |block, [x_at, residual_at, y_at], len| {
                // SAFETY: `affine` has three vectors of whole blocks.
                let channel = |which| unsafe { s.load(affine, which * padded + block * LANES) };
                let (mean, scale, shift) = (channel(0), channel(1), channel(2));
                for at in (0..len).step_by(LANES) {
                    // SAFETY: the lengths were checked, and runs lie within their images.
                    unsafe {
                        let mut value = s.mul_add(s.sub(s.load(x.data, x_at + at), mean), scale, shift);
                        if RESIDUAL {
                            value = s.add(value, s.load(residual.data, residual_at + at));
                        }
                        if RELU {
                            value = relu(s, value);
                        }
                        s.store(value, y.data, y_at + at);
                    }
                }
            },
        );
    }

    fn check_channels(&self, lens: &[usize]) -> Result<(), KernelError> {
        lens.iter().try_for_each(|&len| check_len("a parameter", len, self.sizes.channels))
    }
}

/// What rounding to f32 takes from a mean; nothing from an infinite one.
fn lost(mean: f64) -> f64 {
    let lost = f64::from(mean as f32) - mean;
    if lost.is_nan() { 0.0 } else { lost }
}

/// Sum and sum of squares of `x − shift` for each channel of a block.
#[inline(always)]
fn shifted<S: Simd>(
    _: S,
    runs: &Runs<1>,
    images: usize,
    block: usize,
    x: &[f32],
    shift: &[f64; LANES],
) -> [[f64; LANES]; 2] {
    let shift = *shift;
    let (mut sum, mut square) = ([0.0; LANES], [0.0; LANES]);
    for image in runs.images(images) {
        runs.for_each_in(
            image,
            block,
            #[inline(always)]
            |[start], len| {
                for pixel in x[start..start + len].as_chunks::<LANES>().0 {
                    for lane in 0..LANES {
                        let deviation = f64::from(pixel[lane]) - shift[lane];
                        sum[lane] += deviation;
                        square[lane] += deviation * deviation;
                    }
                }
            },
        );
    }
    [sum, square]
}
