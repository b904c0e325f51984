//! Where each element of a blocked image stands.

mod pack;
mod values;

use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::LANES;

pub(crate) use values::Runs;
pub use values::{Values, ValuesMut};

/// A side with its halo; [`usize::MAX`] if that is too large a number, so that no slice has the length it leads to.
fn padded(side: usize, halo: usize) -> usize {
    side.saturating_add(halo.saturating_mul(2))
}

/// The layout of an image of `channels`×`height`×`width`: `[⌈channels/8⌉, height + 2·halo, width + 2·halo, 8]`.
///
/// Channels beyond the last, which fill its block, are zero, and so is the halo: it stands for the padding of whatever
/// reads the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked {
    /// Channels, C.
    pub channels: usize,
    /// Height, H.
    pub height: usize,
    /// Width, W.
    pub width: usize,
    /// Zeros around each plane, on every side.
    pub halo: usize,
}

impl Blocked {
    /// An image of sizes `[C, H, W]` with `halo` zeros around it. Whatever does not fit a `usize` is [`usize::MAX`] in all
    /// that follows, which is the length of no slice.
    ///
    /// ```
    /// use taper_kernels::blocked::Blocked;
    /// let layout = Blocked::new([9, 2, 3], 1);
    /// assert_eq!((layout.blocks(), layout.pixels()), (2, 6));
    /// assert_eq!((layout.row(), layout.plane(), layout.image()), (5 * 8, 4 * 5 * 8, 2 * 4 * 5 * 8));
    /// ```
    pub fn new([channels, height, width]: [usize; 3], halo: usize) -> Self {
        Self { channels, height, width, halo }
    }

    /// The same image with another halo.
    #[must_use]
    pub fn with_halo(self, halo: usize) -> Self {
        Self { halo, ..self }
    }

    /// Blocks of eight channels.
    pub fn blocks(&self) -> usize {
        self.channels.div_ceil(LANES)
    }

    /// Elements from one row to the next.
    pub fn row(&self) -> usize {
        padded(self.width, self.halo).saturating_mul(LANES)
    }

    /// Elements from one block of channels to the next.
    pub fn plane(&self) -> usize {
        padded(self.height, self.halo).saturating_mul(self.row())
    }

    /// Elements of one image.
    pub fn image(&self) -> usize {
        self.blocks().saturating_mul(self.plane())
    }

    /// Elements of `images` images; [`usize::MAX`], which no slice has, where that is too large a number.
    ///
    /// ```
    /// use taper_kernels::blocked::Blocked;
    /// assert_eq!(Blocked::new([3, 2, 2], 1).elements(5), 5 * 4 * 4 * 8);
    /// ```
    pub fn elements(&self, images: usize) -> usize {
        self.image().saturating_mul(images)
    }

    /// Pixels of one channel, without the halo.
    pub fn pixels(&self) -> usize {
        self.height.saturating_mul(self.width)
    }

    /// Where in its image the eight channels `block` of the pixel at `row` and `column` start.
    ///
    /// ```
    /// use taper_kernels::blocked::Blocked;
    /// // Behind one plane of 4×4 pixels, a row of the halo, a row of the image, and the halo beside the pixel.
    /// assert_eq!(Blocked::new([16, 2, 2], 1).at(1, 1, 0), (16 + 4 + 4 + 1) * 8);
    /// ```
    #[inline]
    pub fn at(&self, block: usize, row: usize, column: usize) -> usize {
        let [row, column] = [row.saturating_add(self.halo), column.saturating_add(self.halo)];
        let start = block.saturating_mul(self.plane()).saturating_add(row.saturating_mul(self.row()));
        start.saturating_add(column.saturating_mul(LANES))
    }

    /// Channels of `block` that are real: eight, or what is left for the last block.
    pub(crate) fn lanes(&self, block: usize) -> usize {
        (self.channels - block * LANES).min(LANES)
    }

    /// Images `[N, C, H, W]` in this layout; the halo and the channels beyond the last become zero.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `x` and `y` are not the same number of images.
    ///
    /// ```
    /// use taper_kernels::blocked::Blocked;
    /// let layout = Blocked::new([1, 1, 2], 0);
    /// let mut y = [9.0; 16];
    /// layout.pack(&[1.0, 2.0], &mut y)?;
    /// assert_eq!([y[0], y[1], y[8], y[9]], [1.0, 0.0, 2.0, 0.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn pack(&self, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
        let images = self.check_images(x.len(), y.len())?;
        pack::pack(self, images, x, y, Isa::current());
        Ok(())
    }

    /// The inverse of [`Blocked::pack`]: `x` in this layout, `y` `[N, C, H, W]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `x` and `y` are not the same number of images.
    ///
    /// ```
    /// use taper_kernels::blocked::Blocked;
    /// let layout = Blocked::new([1, 1, 2], 0);
    /// let (mut x, mut y) = ([0.0; 16], [9.0; 2]);
    /// (x[0], x[8]) = (1.0, 2.0);
    /// layout.unpack(&x, &mut y)?;
    /// assert_eq!(y, [1.0, 2.0]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn unpack(&self, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
        let images = self.check_images(y.len(), x.len())?;
        pack::unpack(self, images, x, y, Isa::current());
        Ok(())
    }

    /// Copies images of these sizes from one halo to another. The halo of `y` keeps what it has.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `x` or `y` does not hold `images` images with its halo.
    ///
    /// ```
    /// use taper_kernels::blocked::{Blocked, Values, ValuesMut};
    /// let mut y = [0.0; 3 * 3 * 8];
    /// let x = [1.0; 8];
    /// Blocked::new([8, 1, 1], 0).repack(1, Values::new(&x, 0), ValuesMut::new(&mut y, 1))?;
    /// assert_eq!((y[31], y[32], y[39], y[40]), (0.0, 1.0, 1.0, 0.0));
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn repack(&self, images: usize, x: Values<'_>, y: ValuesMut<'_>) -> Result<(), KernelError> {
        x.check("x", *self, images)?;
        y.check("y", *self, images)?;
        let runs = Runs::new(*self, [x.halo, y.halo]);
        runs.for_all(images, |[from, to], len| {
            y.data[to..to + len].copy_from_slice(&x.data[from..from + len]);
        });
        Ok(())
    }

    /// The number of images that both lengths stand for.
    fn check_images(&self, plain: usize, blocked: usize) -> Result<usize, KernelError> {
        let image = [self.channels, self.height, self.width].into_iter().fold(1, usize::saturating_mul);
        let images = plain / image.max(1);
        check_len("plain images", plain, images * image)?;
        check_len("blocked images", blocked, self.elements(images))?;
        Ok(images)
    }
}
