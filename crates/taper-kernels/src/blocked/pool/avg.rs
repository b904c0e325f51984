//! Average pooling.

use taper_graph::{AvgPool2d, ShapeError};

use super::{Windows, put};
use crate::blocked::elementwise::first_lanes;
use crate::blocked::layout::{Blocked, Values, ValuesMut};
use crate::error::KernelError;
use crate::geometry::PoolGeometry;
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

/// Average pooling of blocked images of one size, with padding and ceil mode as in PyTorch.
///
/// ```
/// use taper_kernels::Isa;
/// use taper_kernels::blocked::{Blocked, BlockedAvgPool};
/// // The mean of each channel.
/// let pool = BlockedAvgPool::global(Blocked::new([8, 1, 2], 0), Isa::current())?;
/// let (mut y, mut dx) = ([0.0; 8], [9.0; 16]);
/// pool.forward(1, [3.0; 16][..].into(), (&mut y[..]).into())?;
/// pool.backward(1, [1.0; 8][..].into(), (&mut dx[..]).into())?;
/// assert_eq!((y[0], dx[15]), (3.0, 0.5));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct BlockedAvgPool {
    windows: Windows,
    isa: Isa,
}

impl BlockedAvgPool {
    /// For images of the sizes of `input`, whose halo does not matter: each argument says its own.
    ///
    /// # Errors
    /// [`ShapeError`] if the pooling does not fit the image.
    ///
    /// ```
    /// use taper_graph::AvgPool2d;
    /// use taper_kernels::{Isa, blocked::{Blocked, BlockedAvgPool}};
    /// let pool = BlockedAvgPool::new(&AvgPool2d::new(2), Blocked::new([8, 6, 4], 1), Isa::current())?;
    /// assert_eq!(pool.output(), Blocked::new([8, 3, 2], 0));
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    pub fn new(pool: &AvgPool2d, input: Blocked, isa: Isa) -> Result<Self, ShapeError> {
        let geometry = PoolGeometry::avg(pool, 1, [input.channels, input.height, input.width])?;
        Ok(Self { windows: Windows::new(&geometry, input.channels), isa })
    }

    /// The mean of each channel: one window that is the whole image.
    ///
    /// # Errors
    /// [`ShapeError`] if the image has no pixels.
    pub fn global(input: Blocked, isa: Isa) -> Result<Self, ShapeError> {
        let kernel = [input.height, input.width];
        let whole =
            AvgPool2d { kernel, stride: [1, 1], padding: [0, 0], ceil_mode: false, count_include_pad: false };
        Self::new(&whole, input, isa)
    }

    /// The sizes of the output, without a halo.
    pub fn output(&self) -> Blocked {
        self.windows.output
    }

    /// Mean of each window.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    pub fn forward(&self, images: usize, x: Values<'_>, y: ValuesMut<'_>) -> Result<(), KernelError> {
        let from = x.check("x", self.windows.input, images)?;
        let to = y.check("y", self.windows.output, images)?;
        dispatch!(self.isa, |s| self.pool(s, images, [from, to], x.data, y.data));
        Ok(())
    }

    #[inline(always)]
    fn pool<S: Simd>(&self, s: S, images: usize, [from, to]: [Blocked; 2], x: &[f32], y: &mut [f32]) {
        let (windows, steps) = (&self.windows, self.windows.steps(from));
        windows.for_each_output_row(
            images,
            to,
            #[inline(always)]
            |image, block, row, y_at| {
                let row = &windows.rows[row];
                for (at, column) in windows.columns.iter().enumerate() {
                    let first = windows.first_tap(from, image, block, row, column);
                    // SAFETY: the taps of a span fall on the input, and the length of `x` was checked.
                    let sum = unsafe {
                        match [row.taps.len(), column.taps.len()] {
                            // Sizes that are constants unroll.
                            [2, 2] => sum(s, x, first, steps, [2, 2]),
                            [3, 3] => sum(s, x, first, steps, [3, 3]),
                            counts => sum(s, x, first, steps, counts),
                        }
                    };
                    let mean = s.div(sum, s.splat((row.counted * column.counted) as f32));
                    // SAFETY: the pixel is in its row of the output, whose length was checked.
                    unsafe { s.store(first_lanes(s, to.lanes(block), mean), y, y_at + at * LANES) };
                }
            },
        );
    }

    /// Gradient of average pooling: each output's gradient is shared equally by its window.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    pub fn backward(&self, images: usize, dy: Values<'_>, dx: ValuesMut<'_>) -> Result<(), KernelError> {
        let to = dx.check("gradient of x", self.windows.input, images)?;
        let from = dy.check("dy", self.windows.output, images)?;
        self.windows.clear(images, to, dx.data);
        dispatch!(self.isa, |s| match self.windows.apart {
            true => self.share::<_, false>(s, images, [from, to], dy.data, dx.data),
            false => self.share::<_, true>(s, images, [from, to], dy.data, dx.data),
        });
        Ok(())
    }

    #[inline(always)]
    fn share<S: Simd, const ADD: bool>(
        &self,
        s: S,
        images: usize,
        [from, to]: [Blocked; 2],
        dy: &[f32],
        dx: &mut [f32],
    ) {
        let (windows, steps) = (&self.windows, self.windows.steps(to));
        windows.for_each_output_row(
            images,
            from,
            #[inline(always)]
            |image, block, row, dy_at| {
                let row = &windows.rows[row];
                for (at, column) in windows.columns.iter().enumerate() {
                    let first = windows.first_tap(to, image, block, row, column);
                    // SAFETY: the pixel is in its row of the output, whose length was checked.
                    let dy = unsafe { s.load(dy, dy_at + at * LANES) };
                    let value = s.div(dy, s.splat((row.counted * column.counted) as f32));
                    for down in 0..row.taps.len() {
                        for across in 0..column.taps.len() {
                            let at = first + down * steps[0] + across * steps[1];
                            // SAFETY: the taps of a span fall on the input, and the length of `dx` was checked.
                            unsafe { put::<_, ADD>(s, value, dx, at) };
                        }
                    }
                }
            },
        );
    }
}

/// The sum of a window of `counts` taps, by rows: of each row four partial sums, so that neither the latency of an
/// addition nor its rounding adds up over a large window.
///
/// # Safety
/// All taps must be within `x`.
#[inline(always)]
unsafe fn sum<S: Simd>(s: S, x: &[f32], first: usize, steps: [usize; 2], counts: [usize; 2]) -> S::F {
    // SAFETY: the caller's promise.
    let load = |down: usize, across: usize| unsafe { s.load(x, first + down * steps[0] + across * steps[1]) };
    let mut sum = s.splat(0.0);
    for down in 0..counts[0] {
        let mut row = s.splat(0.0);
        let fours = counts[1] / 4 * 4;
        if fours > 0 {
            let mut parts = [s.splat(0.0); 4];
            for across in (0..fours).step_by(4) {
                for (part, sum) in parts.iter_mut().enumerate() {
                    *sum = s.add(*sum, load(down, across + part));
                }
            }
            let [a, b, c, d] = parts;
            row = s.add(s.add(a, b), s.add(c, d));
        }
        for across in fours..counts[1] {
            row = s.add(row, load(down, across));
        }
        sum = s.add(sum, row);
    }
    sum
}
