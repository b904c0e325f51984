//! Functions that act on each element by itself, and joining images along their channels.

mod channels;
mod softmax;

use crate::activation;
use crate::error::KernelError;
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

use super::layout::{Blocked, Runs, Values, ValuesMut};

pub use channels::ChannelSlice;

/// Functions of each element by itself, on blocked images of one size.
///
/// Each argument has the halo that it says; a halo is neither read nor written.
///
/// ```
/// use taper_kernels::Isa;
/// use taper_kernels::blocked::{Blocked, Elementwise};
/// let map = Elementwise::new(Blocked::new([8, 1, 1], 0), Isa::current());
/// let (a, b, mut y) = ([1.0; 8], [-3.0; 8], [9.0; 8]);
/// map.add(1, a[..].into(), b[..].into(), true, (&mut y[..]).into())?;
/// assert_eq!(y, [0.0; 8]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Elementwise {
    sizes: Blocked,
    isa: Isa,
}

impl Elementwise {
    /// For images of the sizes of `sizes`, whose halo does not matter.
    pub fn new(sizes: Blocked, isa: Isa) -> Self {
        Self { sizes: sizes.with_halo(0), isa }
    }

    /// `y = a + b`, or `max(a + b, 0)` with `relu`; NaN stays NaN.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    pub fn add(
        &self,
        images: usize,
        a: Values<'_>,
        b: Values<'_>,
        relu: bool,
        y: ValuesMut<'_>,
    ) -> Result<(), KernelError> {
        dispatch!(self.isa, |s| match relu {
            true => self.zip(
                s,
                images,
                [("a", a), ("b", b)],
                ("y", y),
                #[inline(always)]
                |a, b| activation::relu(s, s.add(a, b))
            ),
            false => self.zip(
                s,
                images,
                [("a", a), ("b", b)],
                ("y", y),
                #[inline(always)]
                |a, b| s.add(a, b)
            ),
        })
    }

    /// `y = max(x, 0)`; NaN stays NaN.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, Elementwise};
    /// let map = Elementwise::new(Blocked::new([8, 1, 1], 0), Isa::current());
    /// let (x, mut y) = ([-1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [9.0; 8]);
    /// map.relu(1, x[..].into(), (&mut y[..]).into())?;
    /// assert_eq!(y[..3], [0.0, 2.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn relu(&self, images: usize, x: Values<'_>, y: ValuesMut<'_>) -> Result<(), KernelError> {
        dispatch!(self.isa, |s| self.zip(
            s,
            images,
            [("x", x), ("x", x)],
            ("y", y),
            #[inline(always)]
            |x, _| activation::relu(s, x)
        ))
    }

    /// Gradient of ReLU from its output `y`: `dx = dy` where `y > 0`, else 0.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, Elementwise};
    /// let map = Elementwise::new(Blocked::new([8, 1, 1], 0), Isa::current());
    /// let (y, mut dx) = ([0.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], [9.0; 8]);
    /// map.relu_backward(1, y[..].into(), [5.0; 8][..].into(), (&mut dx[..]).into())?;
    /// assert_eq!(dx[..3], [0.0, 5.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn relu_backward(
        &self,
        images: usize,
        y: Values<'_>,
        dy: Values<'_>,
        dx: ValuesMut<'_>,
    ) -> Result<(), KernelError> {
        dispatch!(self.isa, |s| self.zip(
            s,
            images,
            [("y", y), ("dy", dy)],
            ("gradient of x", dx),
            #[inline(always)]
            |y, dy| activation::relu_backward(s, y, dy)
        ))
    }

    /// `function(x, y)` for every run of contiguous elements, which should fill `y` element by element; then sets the
    /// channels beyond the last to zero, so that the function need not map 0 to 0.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, Elementwise};
    /// let (x, mut y) = ([1.0; 8], [9.0; 8]);
    /// let map = Elementwise::new(Blocked::new([3, 1, 1], 0), Isa::current());
    /// map.map(1, x[..].into(), (&mut y[..]).into(), |x, y| {
    ///     x.iter().zip(y).for_each(|(x, y)| *y = x + 1.0);
    /// })?;
    /// assert_eq!(y, [2.0, 2.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn map(
        &self,
        images: usize,
        x: Values<'_>,
        y: ValuesMut<'_>,
        mut function: impl FnMut(&[f32], &mut [f32]),
    ) -> Result<(), KernelError> {
        x.check("x", self.sizes, images)?;
        y.check("y", self.sizes, images)?;
        Runs::new(self.sizes, [x.halo, y.halo]).for_all(images, |[from, to], len| {
            function(&x.data[from..from + len], &mut y.data[to..to + len]);
        });
        self.clear_pads(images, y)
    }

    /// As [`Elementwise::map`] with two arguments: a derivative, of a value and the gradient.
    ///
    /// # Errors
    /// [`KernelError::Length`] if an argument does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::Isa;
    /// use taper_kernels::blocked::{Blocked, Elementwise};
    /// let (a, b, mut y) = ([2.0; 8], [3.0; 8], [9.0; 8]);
    /// let map = Elementwise::new(Blocked::new([1, 1, 1], 0), Isa::current());
    /// map.map2(1, a[..].into(), b[..].into(), (&mut y[..]).into(), |a, b, y| {
    ///     a.iter().zip(b).zip(y).for_each(|((a, b), y)| *y = a * b);
    /// })?;
    /// assert_eq!(y[..2], [6.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn map2(
        &self,
        images: usize,
        a: Values<'_>,
        b: Values<'_>,
        y: ValuesMut<'_>,
        mut function: impl FnMut(&[f32], &[f32], &mut [f32]),
    ) -> Result<(), KernelError> {
        a.check("a", self.sizes, images)?;
        b.check("b", self.sizes, images)?;
        y.check("y", self.sizes, images)?;
        Runs::new(self.sizes, [a.halo, b.halo, y.halo]).for_all(images, |[a_at, b_at, to], len| {
            function(&a.data[a_at..a_at + len], &b.data[b_at..b_at + len], &mut y.data[to..to + len]);
        });
        self.clear_pads(images, y)
    }

    /// Sets the channels beyond the last to zero.
    fn clear_pads(&self, images: usize, y: ValuesMut<'_>) -> Result<(), KernelError> {
        y.check("y", self.sizes, images)?;
        let Some(block) = self.sizes.blocks().checked_sub(1) else { return Ok(()) };
        let lanes = self.sizes.lanes(block);
        let runs = Runs::new(self.sizes, [y.halo]);
        for image in runs.images(if lanes < LANES { images } else { 0 }) {
            runs.for_each_in(image, block, |[at], len| {
                y.data[at..at + len].chunks_exact_mut(LANES).for_each(|pixel| pixel[lanes..].fill(0.0));
            });
        }
        Ok(())
    }

    /// `y = f(a, b)`.
    #[inline(always)]
    fn zip<S: Simd>(
        &self,
        s: S,
        images: usize,
        [(what_a, a), (what_b, b)]: [(&'static str, Values<'_>); 2],
        (what, y): (&'static str, ValuesMut<'_>),
        f: impl Fn(S::F, S::F) -> S::F,
    ) -> Result<(), KernelError> {
        a.check(what_a, self.sizes, images)?;
        b.check(what_b, self.sizes, images)?;
        y.check(what, self.sizes, images)?;
        Runs::new(self.sizes, [a.halo, b.halo, y.halo]).for_all(
            images,
            #[inline(always)]
            |[a_at, b_at, y_at], len| {
                for at in (0..len).step_by(LANES) {
                    // SAFETY: each length was checked, and runs lie within their images.
                    unsafe {
                        let value = f(s.load(a.data, a_at + at), s.load(b.data, b_at + at));
                        s.store(value, y.data, y_at + at);
                    }
                }
            },
        );
        Ok(())
    }
}

/// The first `lanes` lanes of `x`, and zero in the others.
#[inline(always)]
pub(super) fn first_lanes<S: Simd>(s: S, lanes: usize, x: S::F) -> S::F {
    s.select(lanes_from(s, 0, lanes), x, s.splat(0.0))
}

/// True in `count` lanes from `first` on.
#[inline(always)]
pub(super) fn lanes_from<S: Simd>(s: S, first: usize, count: usize) -> S::M {
    let numbers: [u32; LANES] = [0, 1, 2, 3, 4, 5, 6, 7];
    // SAFETY: eight elements.
    let lane = unsafe { s.load_u(&numbers, 0) };
    let below = s.lt_u(lane, s.splat_u((first + count) as u32));
    match first {
        0 => below,
        _ => s.and(below, s.lt_u(s.splat_u(first as u32 - 1), lane)),
    }
}
