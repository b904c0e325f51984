//! [`Batches`]: a dataset as a sequence of float batches, in a seeded random order.

use std::num::NonZeroUsize;
use std::ops::Range;

use rayon::prelude::*;

use crate::augment::{Augment, Draw};
use crate::dataset::Dataset;
use crate::rng::{Purpose, Rng};
use crate::stored::ReadError;

/// One pass over a dataset, a batch at a time.
///
/// Pixels come as float in 0…1 (byte ÷ 255, as torchvision's `ToTensor`), shape `[B, C, H, W]`; the last
/// batch holds what is left and may be smaller.
///
/// # Examples
/// ```
/// use std::num::NonZeroUsize;
/// use taper_data::{Batches, Dataset, Images};
///
/// let data = Dataset::digits(Images::new(3, 1, 1, 1, vec![0, 51, 255])?, vec![7, 8, 9])?;
/// let two = NonZeroUsize::new(2).ok_or("zero")?;
/// let (mut images, mut labels) = (Vec::new(), Vec::new()); // reused from batch to batch
/// let mut seen = 0;
/// let mut batches = Batches::shuffled(&data, two, 42, 0);
/// while batches.next_into(&mut images, &mut labels)? {
///     assert_eq!(images.len(), labels.len());
///     seen += labels.len();
/// }
/// assert_eq!(seen, 3);
///
/// Batches::in_order(&data, two).next_into(&mut images, &mut labels)?;
/// assert_eq!((images, labels), (vec![0.0, 0.2], vec![7, 8]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Batches<'a> {
    dataset: &'a Dataset,
    order: Vec<usize>,
    batch_size: usize,
    position: usize,
    /// How the images are changed; the seed and epoch to draw from.
    augment: Option<(Augment, u64, u64)>,
}

impl<'a> Batches<'a> {
    /// All images once, in an order that depends on `seed` and `epoch` alone.
    #[must_use]
    pub fn shuffled(dataset: &'a Dataset, batch_size: NonZeroUsize, seed: u64, epoch: u64) -> Self {
        let order = Rng::new(seed, Purpose::Shuffle, epoch).permutation(dataset.len());
        Self { dataset, order, batch_size: batch_size.get(), position: 0, augment: None }
    }

    /// As [`Batches::shuffled`], with every image changed at random.
    ///
    /// ```
    /// use std::num::NonZeroUsize;
    /// use taper_data::synthetic::{Part, digits};
    /// use taper_data::{Augment, Batches};
    ///
    /// let (data, augment) = (digits(10, 0, Part::Train), Augment { rotation: 10.0, ..Augment::default() });
    /// let (mut images, mut labels) = (Vec::new(), Vec::new());
    /// let mut batches = Batches::augmented(&data, NonZeroUsize::new(10).ok_or("zero")?, 42, 1, &augment);
    /// assert!(batches.next_into(&mut images, &mut labels)?);
    /// assert_eq!(images.len(), 10 * 28 * 28);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn augmented(
        dataset: &'a Dataset,
        batch_size: NonZeroUsize,
        seed: u64,
        epoch: u64,
        augment: &Augment,
    ) -> Self {
        let augment = (!augment.is_off()).then_some((*augment, seed, epoch));
        Self { augment, ..Self::shuffled(dataset, batch_size, seed, epoch) }
    }

    /// All images once, in the dataset's own order: for evaluation.
    #[must_use]
    pub fn in_order(dataset: &'a Dataset, batch_size: NonZeroUsize) -> Self {
        let order = (0..dataset.len()).collect();
        Self { dataset, order, batch_size: batch_size.get(), position: 0, augment: None }
    }

    /// Number of batches in the whole pass.
    #[must_use]
    pub fn count(&self) -> usize {
        self.order.len().div_ceil(self.batch_size)
    }

    /// The images that are still to come, as indices into the dataset.
    #[must_use]
    pub fn remaining(&self) -> &[usize] {
        &self.order[self.position..]
    }

    /// Leaves out the next `count` batches.
    pub fn skip(&mut self, count: usize) {
        self.position =
            self.order.len().min(self.position.saturating_add(count.saturating_mul(self.batch_size)));
    }

    /// Replaces the contents of `images` (`[B, C, H, W]`, 0…1) and `labels` (`[B]`) by the next batch. At the
    /// end it leaves both empty and returns `false`.
    ///
    /// # Errors
    /// [`ReadError`] for images in a file that cannot be read.
    pub fn next_into(&mut self, images: &mut Vec<f32>, labels: &mut Vec<u8>) -> Result<bool, ReadError> {
        Ok(self.next_part_into(|batch| 0..batch, images, labels)? > 0)
    }

    /// As [`Batches::next_into`], but only a part of the next batch: of a batch of `B` images those in `part(B)`, exactly as they
    /// are in the whole one. Returns `B`, which is 0 at the end.
    ///
    /// ```
    /// use std::num::NonZeroUsize;
    /// use taper_data::synthetic::{Part, digits};
    /// use taper_data::Batches;
    ///
    /// let (data, ten) = (digits(16, 0, Part::Train), NonZeroUsize::new(10).ok_or("zero")?);
    /// let (mut images, mut labels, mut half) = (Vec::new(), Vec::new(), Vec::new());
    /// Batches::shuffled(&data, ten, 42, 1).next_into(&mut images, &mut labels)?;
    /// let batch = Batches::shuffled(&data, ten, 42, 1).next_part_into(|batch| batch / 2..batch, &mut half, &mut labels)?;
    /// assert_eq!((batch, labels.len()), (10, 5));
    /// assert_eq!(half, images[5 * 784..]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Batches::next_into`].
    ///
    /// # Panics
    /// If `part` gives images that a batch of `B` has not.
    pub fn next_part_into(
        &mut self,
        part: impl FnOnce(usize) -> Range<usize>,
        images: &mut Vec<f32>,
        labels: &mut Vec<u8>,
    ) -> Result<usize, ReadError> {
        let end = self.order.len().min(self.position.saturating_add(self.batch_size));
        let batch = &self.order[self.position..end];
        let indices = &batch[part(batch.len())];
        self.position = end;
        labels.clear();
        labels.extend(indices.iter().map(|&index| self.dataset.labels[index]));
        let source = &self.dataset.images;
        match self.augment {
            None => {
                images.clear();
                for &index in indices {
                    extend_unit(images, &source.image(index)?);
                }
            }
            Some((augment, seed, epoch)) => {
                let shape = [source.channels(), source.height(), source.width()];
                images.resize(indices.len() * source.image_len(), 0.0);
                let changed = images.par_chunks_exact_mut(source.image_len());
                changed.zip(indices).try_for_each(|(changed, &index)| {
                    let draw = Draw { seed, epoch, image: index as u64 };
                    augment.apply(&source.image(index)?, shape, draw, changed);
                    Ok(())
                })?;
            }
        }
        Ok(batch.len())
    }
}

/// `byte as f32 / 255.0` for every byte: a look-up is faster than the division, and as exact.
static UNIT: [f32; 256] = {
    let mut table = [0.0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte as f32 / 255.0;
        byte += 1;
    }
    table
};

/// `byte ÷ 255`.
pub(crate) fn unit(byte: u8) -> f32 {
    UNIT[usize::from(byte)]
}

/// Writes `bytes` as floats in 0…1 to the end of `floats`, as [`Batches`] does.
pub fn extend_unit(floats: &mut Vec<f32>, bytes: &[u8]) {
    floats.extend(bytes.iter().map(|&byte| unit(byte)));
}
