//! Softmax over the channels of each pixel.

use super::{Elementwise, first_lanes, lanes_from};
use crate::blocked::layout::{Values, ValuesMut};
use crate::error::KernelError;
use crate::exp::exp;
use crate::simd::{LANES, Simd, dispatch};

impl Elementwise {
    /// `y = exp(x) / Σ exp(x)` over the channels of each pixel. Rows of features are images of one pixel.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, Elementwise};
    /// // A row of two features.
    /// let map = Elementwise::new(Blocked::new([2, 1, 1], 0), Isa::current());
    /// let (x, mut y) = ([1000.0, 1000.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [9.0; 8]);
    /// map.softmax(1, x[..].into(), (&mut y[..]).into())?;
    /// assert_eq!(y, [0.5, 0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn softmax(&self, images: usize, x: Values<'_>, y: ValuesMut<'_>) -> Result<(), KernelError> {
        let from = x.check("x", self.sizes, images)?;
        let to = y.check("y", self.sizes, images)?;
        dispatch!(self.isa, |s| self.for_each_pixel(
            images,
            #[inline(always)]
            |image, row, column| {
                let x_at = image * from.image() + from.at(0, row, column);
                let y_at = image * to.image() + to.at(0, row, column);
                self.softmax_pixel(s, (x.data, x_at, from.plane()), (y.data, y_at, to.plane()));
            }
        ));
        Ok(())
    }

    /// Gradient of softmax from its output: `dx = y·(dy − Σ y·dy)` over the channels of each pixel.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, Elementwise};
    /// let map = Elementwise::new(Blocked::new([2, 1, 1], 0), Isa::current());
    /// let (mut y, mut dy, mut dx) = ([0.0; 8], [0.0; 8], [9.0; 8]);
    /// (y[0], y[1], dy[0]) = (0.5, 0.5, 1.0);
    /// map.softmax_backward(1, y[..].into(), dy[..].into(), (&mut dx[..]).into())?;
    /// assert_eq!(dx[..3], [0.25, -0.25, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn softmax_backward(
        &self,
        images: usize,
        y: Values<'_>,
        dy: Values<'_>,
        dx: ValuesMut<'_>,
    ) -> Result<(), KernelError> {
        let layouts = [y.check("y", self.sizes, images)?, dy.check("dy", self.sizes, images)?];
        let to = dx.check("gradient of x", self.sizes, images)?;
        dispatch!(self.isa, |s| self.for_each_pixel(
            images,
            #[inline(always)]
            |image, row, column| {
                let start =
                    |block, layout: super::Blocked| image * layout.image() + layout.at(block, row, column);
                let load = |block| {
                    let (y_at, dy_at) = (start(block, layouts[0]), start(block, layouts[1]));
                    // SAFETY: the lengths were checked, and the pixel is in the image.
                    unsafe { (s.load(y.data, y_at), s.load(dy.data, dy_at)) }
                };
                let mut dot = s.splat(0.0);
                for block in 0..self.sizes.blocks() {
                    let (y, dy) = load(block);
                    dot = s.mul_add(y, dy, dot);
                }
                let dot = s.splat(s.sum(dot));
                for block in 0..self.sizes.blocks() {
                    let (y, dy) = load(block);
                    let lanes = self.sizes.lanes(block);
                    let value = first_lanes(s, lanes, s.mul(y, s.sub(dy, dot)));
                    // SAFETY: as above.
                    unsafe { s.store(value, dx.data, start(block, to)) };
                }
            }
        ));
        Ok(())
    }

    /// One pixel, whose blocks stand a plane apart; both slices hold it.
    #[inline(always)]
    fn softmax_pixel<S: Simd>(
        &self,
        s: S,
        (x, x_at, x_step): (&[f32], usize, usize),
        (y, y_at, y_step): (&mut [f32], usize, usize),
    ) {
        let lowest = s.splat(f32::NEG_INFINITY);
        let mut greatest = lowest;
        for block in 0..self.sizes.blocks() {
            // SAFETY: the pixel is in the image.
            let channels = unsafe { s.load(x, x_at + block * x_step) };
            let channels = s.select(lanes_from(s, 0, self.sizes.lanes(block)), channels, lowest);
            greatest = s.select(s.gt(channels, greatest), channels, greatest);
        }
        let mut lanes = [0.0; LANES];
        // SAFETY: eight elements.
        unsafe { s.store(greatest, &mut lanes, 0) };
        let greatest = s.splat(lanes.into_iter().fold(f32::NEG_INFINITY, f32::max));
        let mut sums = s.splat(0.0);
        for block in 0..self.sizes.blocks() {
            let lanes = self.sizes.lanes(block);
            // SAFETY: the pixel is in the image.
            unsafe {
                let powers = exp(s, s.sub(s.load(x, x_at + block * x_step), greatest), s.splat(0.0));
                let powers = first_lanes(s, lanes, powers);
                sums = s.add(sums, powers);
                s.store(powers, y, y_at + block * y_step);
            }
        }
        let sum = s.splat(s.sum(sums));
        for block in 0..self.sizes.blocks() {
            let at = y_at + block * y_step;
            // SAFETY: as above.
            unsafe {
                let value = s.div(s.load(y, at), sum);
                s.store(first_lanes(s, self.sizes.lanes(block), value), y, at);
            }
        }
    }

    #[inline(always)]
    fn for_each_pixel(&self, images: usize, mut visit: impl FnMut(usize, usize, usize)) {
        // Of images with nothing in them there may be any number.
        for image in 0..if self.sizes.image() == 0 { 0 } else { images } {
            for row in 0..self.sizes.height {
                for column in 0..self.sizes.width {
                    visit(image, row, column);
                }
            }
        }
    }
}
