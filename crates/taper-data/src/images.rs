//! [`Images`]: many images of one size, as bytes.

use crate::dataset::DatasetError;
use crate::hash;

/// Images of one size, shape `[N, C, H, W]`, one byte a value: 0 is black, 255 is white.
///
/// # Examples
/// ```
/// let images = taper_data::Images::new(2, 1, 1, 3, vec![0, 1, 2, 3, 4, 5])?;
/// assert_eq!(images.image(1), [3, 4, 5]);
/// assert!(taper_data::Images::new(2, 1, 28, 28, vec![0; 100]).is_err());
/// # Ok::<(), taper_data::DatasetError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    count: usize,
    channels: usize,
    height: usize,
    width: usize,
    pixels: Vec<u8>,
}

impl Images {
    /// Takes `pixels` in `[N, C, H, W]` order, that is row by row, channel by channel, image by image.
    ///
    /// # Errors
    /// [`DatasetError::EmptyImage`] when a side or the channel count is zero, [`DatasetError::Pixels`] when
    /// `pixels` is not `count × channels × height × width` long or that product overflows.
    pub fn new(
        count: usize,
        channels: usize,
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    ) -> Result<Self, DatasetError> {
        if channels == 0 || height == 0 || width == 0 {
            return Err(DatasetError::EmptyImage { channels, height, width });
        }
        let expected = [channels, height, width].iter().try_fold(count, |n, &side| n.checked_mul(side));
        if expected != Some(pixels.len()) {
            return Err(DatasetError::Pixels {
                shape: [count, channels, height, width],
                found: pixels.len(),
            });
        }
        Ok(Self { count, channels, height, width, pixels })
    }

    /// Number of images, N.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Values per pixel, C: 1 for grey, 3 for colour.
    #[must_use]
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Rows per image, H.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// Columns per image, W.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Bytes per image, `C × H × W`.
    #[must_use]
    pub fn image_len(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// The bytes of image `index`, shape `[C, H, W]`.
    ///
    /// # Panics
    /// When `index` is not below [`count`](Self::count), as for a slice.
    #[must_use]
    pub fn image(&self, index: usize) -> &[u8] {
        &self.pixels[index * self.image_len()..][..self.image_len()]
    }

    /// All bytes, shape `[N, C, H, W]`.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// SHA-256, as 64 hex digits, of the images written as an IDX file: `[N, H, W]` for grey images,
    /// `[N, C, H, W]` for others. For MNIST it equals the hash of the unpacked published file, whatever
    /// format the images were read from.
    #[must_use]
    pub fn sha256(&self) -> String {
        hash::hex(&hash::images(self))
    }

    /// The images at `indices`, which the caller has checked.
    pub(crate) fn gather(&self, indices: &[usize]) -> Self {
        let mut pixels = Vec::with_capacity(indices.len() * self.image_len());
        for &index in indices {
            pixels.extend_from_slice(self.image(index));
        }
        Self { count: indices.len(), pixels, ..*self }
    }
}

impl std::fmt::Debug for Images {
    // The pixels would fill the screen.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Images([{}, {}, {}, {}])", self.count, self.channels, self.height, self.width)
    }
}
