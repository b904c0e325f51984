//! [`Images`]: many images of one size, as bytes.

use std::borrow::Cow;
use std::sync::Arc;

use crate::dataset::DatasetError;
use crate::hash;
use crate::stored::{ReadError, Stored};

/// Images of one size, shape `[N, C, H, W]`, one byte a value: 0 is black, 255 is white. In memory, or in a file of the
/// [cache](crate::image_folder) that need not fit into it: then every look at a pixel can fail, as a disk can.
///
/// # Examples
/// ```
/// let images = taper_data::Images::new(2, 1, 1, 3, vec![0, 1, 2, 3, 4, 5])?;
/// assert_eq!(*images.image(1)?, [3, 4, 5]);
/// assert!(taper_data::Images::new(2, 1, 28, 28, vec![0; 100]).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Images {
    count: usize,
    channels: usize,
    height: usize,
    width: usize,
    store: Store,
}

#[derive(Clone)]
enum Store {
    Memory(Vec<u8>),
    /// The pixels of many images in a file, from `start` on, and which of them these are: image `places[i]` is number i here.
    File {
        file: Arc<Stored>,
        start: usize,
        places: Vec<usize>,
    },
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
        Ok(Self { count, channels, height, width, store: Store::Memory(pixels) })
    }

    /// All images of a file, which has them from byte `start` on; `shape` is `[N, C, H, W]`, and the caller has checked that it is
    /// not empty and fits into the file.
    pub(crate) fn of_file(file: Stored, start: usize, [count, channels, height, width]: [usize; 4]) -> Self {
        let store = Store::File { file: Arc::new(file), start, places: (0..count).collect() };
        Self { count, channels, height, width, store }
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
    /// # Errors
    /// [`ReadError`] for images in a file that cannot be read.
    ///
    /// # Panics
    /// When `index` is not below [`count`](Self::count), as for a slice.
    pub fn image(&self, index: usize) -> Result<Cow<'_, [u8]>, ReadError> {
        let len = self.image_len();
        match &self.store {
            Store::Memory(pixels) => Ok(Cow::Borrowed(&pixels[index * len..][..len])),
            Store::File { file, start, places } => {
                let mut image = vec![0; len];
                file.read(start + places[index] * len, &mut image)?;
                Ok(Cow::Owned(image))
            }
        }
    }

    /// Every image, shape `[C, H, W]` each, or why it cannot be read.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Result<Cow<'_, [u8]>, ReadError>> {
        (0..self.count).map(|index| self.image(index))
    }

    /// All bytes, shape `[N, C, H, W]`; of images in a file, a copy.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn pixels(&self) -> Result<Cow<'_, [u8]>, ReadError> {
        match &self.store {
            Store::Memory(pixels) => Ok(Cow::Borrowed(pixels)),
            Store::File { .. } => {
                let mut pixels = Vec::with_capacity(self.count * self.image_len());
                self.iter().try_for_each(|image| image.map(|image| pixels.extend_from_slice(&image)))?;
                Ok(Cow::Owned(pixels))
            }
        }
    }

    /// Mean and standard deviation of each channel over all images, of the values as training sees them, 0…1: what images are
    /// usually normalised by. The sums are exact, so that no order matters. Without an image, a mean of 0 and a deviation of 0.
    ///
    /// ```
    /// let images = taper_data::Images::new(2, 2, 1, 1, vec![0, 51, 255, 51])?;
    /// assert_eq!(images.channel_statistics()?, [(0.5, 0.5), (0.2, 0.0)]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn channel_statistics(&self) -> Result<Vec<(f64, f64)>, ReadError> {
        let plane = self.height * self.width;
        let mut sums = vec![(0u64, 0u64); self.channels];
        for image in self.iter() {
            for (values, (sum, squares)) in image?.chunks_exact(plane).zip(&mut sums) {
                for &value in values {
                    *sum += u64::from(value);
                    *squares += u64::from(value) * u64::from(value);
                }
            }
        }
        let count = (self.count * plane).max(1) as u128;
        let statistics = sums.into_iter().map(|(sum, squares)| {
            let (sum, squares) = (u128::from(sum), u128::from(squares));
            // The variance times the square of the count, in whole numbers.
            let spread = count * squares - sum * sum;
            let scale = 255.0 * count as f64;
            (sum as f64 / scale, (spread as f64).sqrt() / scale)
        });
        Ok(statistics.collect())
    }

    /// SHA-256, as 64 hex digits, of the images written as an IDX file: `[N, H, W]` for grey images,
    /// `[N, C, H, W]` for others. For MNIST it equals the hash of the unpacked published file, whatever
    /// format the images were read from.
    ///
    /// # Errors
    /// As [`image`](Self::image).
    pub fn sha256(&self) -> Result<String, ReadError> {
        Ok(hash::hex(&hash::images(self)?))
    }

    /// As many images of another shape `[C, H, W]`, of which the caller knows that they have as many values.
    pub(crate) fn reshaped(&self, [channels, height, width]: [usize; 3], pixels: Vec<u8>) -> Self {
        Self { count: self.count, channels, height, width, store: Store::Memory(pixels) }
    }

    /// The images at `indices`, which the caller has checked.
    pub(crate) fn gather(&self, indices: &[usize]) -> Self {
        let store = match &self.store {
            Store::Memory(all) => {
                let len = self.image_len();
                let mut pixels = Vec::with_capacity(indices.len() * len);
                indices.iter().for_each(|&index| pixels.extend_from_slice(&all[index * len..][..len]));
                Store::Memory(pixels)
            }
            Store::File { file, start, places } => Store::File {
                file: Arc::clone(file),
                start: *start,
                places: indices.iter().map(|&index| places[index]).collect(),
            },
        };
        Self { count: indices.len(), store, ..*self }
    }
}

/// The same bytes, wherever they are. Images that cannot be read are equal to none.
impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        let shape = |images: &Self| [images.count, images.channels, images.height, images.width];
        let mut pairs = self.iter().zip(other.iter());
        shape(self) == shape(other) && pairs.all(|pair| matches!(pair, (Ok(a), Ok(b)) if a == b))
    }
}

impl std::fmt::Debug for Images {
    // The pixels would fill the screen.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Images([{}, {}, {}, {}])", self.count, self.channels, self.height, self.width)
    }
}
