//! The gradient of batch norm.

use super::{BlockedNorm, lost};
use crate::activation::relu_backward;
use crate::blocked::layout::{Runs, Values, ValuesMut};
use crate::error::{KernelError, check_len};
use crate::norm::BatchStatistics;
use crate::simd::{LANES, Simd, dispatch};

impl BlockedNorm {
    /// Σ dy of each channel over a group of `images` images and, behind all of them, Σ dy·(x − mean).
    ///
    /// `y` is given if ReLU followed: then `dy` counts only where `y > 0`. A `dy` that was masked already needs none.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo, `statistics` not an element for
    /// each channel, or `sums` is not [`BlockedNorm::sums_len`] long.
    pub fn backward_sums(
        &self,
        images: usize,
        x: Values<'_>,
        statistics: &BatchStatistics,
        y: Option<Values<'_>>,
        dy: Values<'_>,
        sums: &mut [f64],
    ) -> Result<(), KernelError> {
        x.check("x", self.sizes, images)?;
        dy.check("dy", self.sizes, images)?;
        if let Some(y) = &y {
            y.check("y", self.sizes, images)?;
        }
        self.check_channels(&[statistics.mean.len()])?;
        check_len("sums", sums.len(), self.sums_len())?;
        let (totals, products) = sums.split_at_mut(self.padded());
        let outputs = totals.chunks_exact_mut(LANES).zip(products.chunks_exact_mut(LANES));
        let runs = Runs::new(self.sizes, [x.halo, y.unwrap_or(dy).halo, dy.halo]);
        for (block, (totals, products)) in outputs.enumerate() {
            let mut mean = [0.0; LANES];
            mean.iter_mut().zip(&statistics.mean[block * LANES..]).for_each(|(to, from)| *to = *from);
            let [total, product] = dispatch!(self.isa, |s| match y {
                Some(y) => products_of::<_, true>(s, &runs, images, block, [x.data, y.data, dy.data], &mean),
                None => products_of::<_, false>(s, &runs, images, block, [x.data, dy.data, dy.data], &mean),
            });
            totals.copy_from_slice(&total);
            products.copy_from_slice(&product);
        }
        Ok(())
    }

    /// The gradients of the layer's weight and bias from the sums of all groups, added up in the order given, and in
    /// `affine` what [`BlockedNorm::backward_apply`] needs to know of each channel.
    ///
    /// `images` is the number of images in the batch; `None` says that the statistics are constants, such as running
    /// averages.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have an element for each channel, a group's sums are not
    /// [`BlockedNorm::sums_len`] or `affine` is not [`BlockedNorm::backward_affine_len`] long.
    #[expect(
        clippy::too_many_arguments,
        reason = "the sums and what they become, with the layer's parameters"
    )]
    pub fn backward_merge<'a>(
        &self,
        groups: impl IntoIterator<Item = &'a [f64], IntoIter: Clone>,
        images: Option<usize>,
        statistics: &BatchStatistics,
        weight: &[f32],
        eps: f64,
        [dweight, dbias]: [&mut [f32]; 2],
        affine: &mut [f32],
    ) -> Result<(), KernelError> {
        let BatchStatistics { mean, variance } = statistics;
        self.check_channels(&[weight.len(), mean.len(), variance.len(), dweight.len(), dbias.len()])?;
        check_len("affine", affine.len(), self.backward_affine_len())?;
        let groups = groups.into_iter();
        for sums in groups.clone() {
            check_len("sums", sums.len(), self.sums_len())?;
        }
        let padded = self.padded();
        let count = images.map_or(f64::INFINITY, |images| images as f64 * self.sizes.pixels() as f64);
        affine.fill(0.0);
        for channel in 0..self.sizes.channels {
            let add_up = |first: usize| groups.clone().map(|sums| sums[first + channel]).sum::<f64>();
            let inverse = 1.0 / (variance[channel] + eps).sqrt();
            let (total, product) = (add_up(0), add_up(padded) * inverse);
            (dweight[channel], dbias[channel]) = (product as f32, total as f32);
            // weight/std·(dy − Σ dy/count − x̂·Σ (dy·x̂)/count), in the order of powers of x − mean.
            let scale = f64::from(weight[channel]) * inverse;
            let slope = -scale * inverse * product / count;
            let values = [mean[channel], scale, slope, slope * lost(mean[channel]) - scale * total / count];
            values
                .iter()
                .enumerate()
                .for_each(|(which, &value)| affine[which * padded + channel] = value as f32);
        }
        Ok(())
    }

    /// Elements of what [`BlockedNorm::backward_merge`] fills: four vectors of channels.
    pub fn backward_affine_len(&self) -> usize {
        self.padded().saturating_mul(4)
    }

    /// The gradient of `x`; `y` as in [`BlockedNorm::backward_sums`]. It is rounded relative to its terms,
    /// weight/std·dy, of which little may remain.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo, or `affine` is not
    /// [`BlockedNorm::backward_affine_len`] long.
    ///
    /// ```
    /// use taper_kernels::blocked::{Blocked, BlockedNorm};
    /// use taper_kernels::{BatchStatistics, Isa};
    /// let norm = BlockedNorm::new(Blocked::new([1, 1, 2], 0), Isa::current());
    /// let (mut x, mut dy, mut dx) = ([0.0; 16], [0.0; 16], [9.0; 16]);
    /// (x[0], x[8], dy[0], dy[8]) = (3.0, 5.0, 1.0, 4.0);
    /// let statistics = BatchStatistics { mean: vec![4.0], variance: vec![1.0] };
    /// let (mut sums, mut affine) = (vec![0.0; norm.sums_len()], vec![0.0; norm.backward_affine_len()]);
    /// norm.backward_sums(1, x[..].into(), &statistics, None, dy[..].into(), &mut sums)?;
    /// let (mut dweight, mut dbias) = ([0.0], [0.0]);
    /// let gradients: [&mut [f32]; 2] = [&mut dweight, &mut dbias];
    /// norm.backward_merge([&sums[..]], Some(1), &statistics, &[2.0], 0.0, gradients, &mut affine)?;
    /// norm.backward_apply(1, x[..].into(), &affine, None, dy[..].into(), (&mut dx[..]).into())?;
    /// // Of two values, one is −1 and the other 1 whatever they were: nothing moves the output.
    /// assert_eq!((dweight, dbias, dx[0], dx[8]), ([3.0], [5.0], 0.0, 0.0));
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn backward_apply(
        &self,
        images: usize,
        x: Values<'_>,
        affine: &[f32],
        y: Option<Values<'_>>,
        dy: Values<'_>,
        dx: ValuesMut<'_>,
    ) -> Result<(), KernelError> {
        x.check("x", self.sizes, images)?;
        dy.check("dy", self.sizes, images)?;
        dx.check("gradient of x", self.sizes, images)?;
        check_len("affine", affine.len(), self.backward_affine_len())?;
        if let Some(y) = &y {
            y.check("y", self.sizes, images)?;
        }
        let runs = Runs::new(self.sizes, [x.halo, y.unwrap_or(dy).halo, dy.halo, dx.halo]);
        let inputs = [x.data, y.unwrap_or(dy).data, dy.data];
        let channels = (affine, self.padded());
        dispatch!(self.isa, |s| match y {
            None => backward_map::<_, false>(s, &runs, images, channels, inputs, dx.data),
            Some(_) => backward_map::<_, true>(s, &runs, images, channels, inputs, dx.data),
        });
        Ok(())
    }
}

/// Σ dy and Σ dy·(x − mean) for each channel of a block, of `[x, y, dy]`, whose lengths were checked.
#[inline(always)]
fn products_of<S: Simd, const MASK: bool>(
    s: S,
    runs: &Runs<3>,
    images: usize,
    block: usize,
    [x, y, dy]: [&[f32]; 3],
    mean: &[f64; LANES],
) -> [[f64; LANES]; 2] {
    let mean = *mean;
    let (mut total, mut product) = ([0.0; LANES], [0.0; LANES]);
    for image in runs.images(images) {
        runs.for_each_in(
            image,
            block,
            #[inline(always)]
            |[x_at, y_at, dy_at], len| {
                for at in (0..len).step_by(LANES) {
                    let (mut values, mut gradients) = ([0.0; LANES], [0.0; LANES]);
                    // SAFETY: the lengths were checked, and runs lie within their images.
                    unsafe {
                        let mut dy = s.load(dy, dy_at + at);
                        if MASK {
                            dy = relu_backward(s, s.load(y, y_at + at), dy);
                        }
                        s.store(dy, &mut gradients, 0);
                        s.store(s.load(x, x_at + at), &mut values, 0);
                    }
                    for lane in 0..LANES {
                        let dy = f64::from(gradients[lane]);
                        total[lane] += dy;
                        product[lane] += dy * (f64::from(values[lane]) - mean[lane]);
                    }
                }
            },
        );
    }
    [total, product]
}

/// [`BlockedNorm::backward_apply`] of `[x, y, dy]`, whose lengths were checked.
#[inline(always)]
fn backward_map<S: Simd, const MASK: bool>(
    s: S,
    runs: &Runs<4>,
    images: usize,
    (affine, padded): (&[f32], usize),
    [x, y, dy]: [&[f32]; 3],
    dx: &mut [f32],
) {
    runs.for_each(
        images,
        #[inline(always)]
        |block, [x_at, y_at, dy_at, dx_at], len| {
            // SAFETY: `affine` has four vectors of whole blocks.
            let channel = |which| unsafe { s.load(affine, which * padded + block * LANES) };
            let (mean, scale, slope, shift) = (channel(0), channel(1), channel(2), channel(3));
            for at in (0..len).step_by(LANES) {
                // SAFETY: the lengths were checked, and runs lie within their images.
                unsafe {
                    let mut dy = s.load(dy, dy_at + at);
                    if MASK {
                        dy = relu_backward(s, s.load(y, y_at + at), dy);
                    }
                    let deviation = s.sub(s.load(x, x_at + at), mean);
                    let value = s.mul_add(scale, dy, s.mul_add(slope, deviation, shift));
                    s.store(value, dx, dx_at + at);
                }
            }
        },
    );
}
