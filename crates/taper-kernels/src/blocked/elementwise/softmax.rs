//! Softmax over the channels of each pixel.

use super::{Elementwise, first_lanes, lanes_from};
use crate::blocked::layout::{Values, ValuesMut};
use crate::error::KernelError;
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
                    let places = layouts.map(|layout| start(block, layout));
                    // SAFETY: the lengths were checked, and the pixel is in the image.
                    unsafe { (s.load(y.data, places[0]), s.load(dy.data, places[1])) }
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
                let powers = exp(s, s.sub(s.load(x, x_at + block * x_step), greatest));
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
        for image in 0..images {
            for row in 0..self.sizes.height {
                for column in 0..self.sizes.width {
                    visit(image, row, column);
                }
            }
        }
    }
}

/// eˣ for x ≤ 0, to 2 units in the last place and as 0 where it would be subnormal: 2ⁿ times a polynomial of degree 6 in
/// what is left of x, |r| ≤ ln 2 / 2. NaN stays NaN.
#[inline(always)]
fn exp<S: Simd>(s: S, x: S::F) -> S::F {
    /// 1.5·2²³: adding it leaves a whole number in the low bits.
    const ROUND: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with few enough digits that n times it is exact.
    const LN2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    /// Below, the power of two would leave f32's range.
    const LOWEST: f32 = -87.0;
    let low = s.lt(x, s.splat(LOWEST));
    let x = s.select(low, s.splat(LOWEST), x);
    let rounded = s.mul_add(x, s.splat(std::f32::consts::LOG2_E), s.splat(ROUND));
    let n = s.sub(rounded, s.splat(ROUND));
    let r = s.neg_mul_add(n, s.splat(LN2[1]), s.neg_mul_add(n, s.splat(LN2[0]), x));
    let mut series = s.splat(1.0 / 720.0);
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        series = s.mul_add(series, r, s.splat(coefficient));
    }
    let mut power = [0.0f32; LANES];
    // SAFETY: eight elements each.
    let power = unsafe {
        s.store(rounded, &mut power, 0);
        // The low bits are n plus a multiple of 256, which shifts out.
        power.iter_mut().for_each(|p| *p = f32::from_bits(p.to_bits().wrapping_add(127) << 23));
        s.load(&power, 0)
    };
    s.select(low, s.splat(0.0), s.mul(series, power))
}
