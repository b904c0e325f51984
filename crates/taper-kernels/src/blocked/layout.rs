//! Where each element of a blocked image stands.

use crate::error::{KernelError, check_len};
use crate::simd::LANES;

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
    /// An image of sizes `[C, H, W]` with `halo` zeros around it.
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
        (self.width + 2 * self.halo) * LANES
    }

    /// Elements from one block of channels to the next.
    pub fn plane(&self) -> usize {
        (self.height + 2 * self.halo) * self.row()
    }

    /// Elements of one image.
    pub fn image(&self) -> usize {
        self.blocks() * self.plane()
    }

    /// Pixels of one channel, without the halo.
    pub fn pixels(&self) -> usize {
        self.height * self.width
    }

    /// Where in its image the eight channels `block` of the pixel at `row` and `column` start.
    pub fn at(&self, block: usize, row: usize, column: usize) -> usize {
        block * self.plane() + (row + self.halo) * self.row() + (column + self.halo) * LANES
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
        self.check_images(x.len(), y.len())?;
        y.fill(0.0);
        self.for_each_row(y.len(), |plain, blocked| {
            for (column, value) in x[plain..plain + self.width].iter().enumerate() {
                y[blocked + column * LANES] = *value;
            }
        });
        Ok(())
    }

    /// The inverse of [`Blocked::pack`]: `x` in this layout, `y` `[N, C, H, W]`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `x` and `y` are not the same number of images.
    pub fn unpack(&self, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
        self.check_images(y.len(), x.len())?;
        self.for_each_row(x.len(), |plain, blocked| {
            for (column, value) in y[plain..plain + self.width].iter_mut().enumerate() {
                *value = x[blocked + column * LANES];
            }
        });
        Ok(())
    }

    fn check_images(&self, plain: usize, blocked: usize) -> Result<(), KernelError> {
        let images = plain / (self.channels * self.pixels()).max(1);
        check_len("plain images", plain, images * self.channels * self.pixels())?;
        check_len("blocked images", blocked, images * self.image())
    }

    /// Calls `visit(plain, blocked)` with where each row of each channel of each image starts.
    fn for_each_row(&self, blocked_len: usize, mut visit: impl FnMut(usize, usize)) {
        let mut plain = 0;
        for image in 0..blocked_len / self.image().max(1) {
            for channel in 0..self.channels {
                for row in 0..self.height {
                    let start = self.at(channel / LANES, row, 0) + channel % LANES;
                    visit(plain, image * self.image() + start);
                    plain += self.width;
                }
            }
        }
    }
}
