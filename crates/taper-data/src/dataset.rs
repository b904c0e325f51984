//! [`Dataset`]: images with their labels, and its splits.

use thiserror::Error;

use crate::images::Images;
use crate::rng::{Purpose, Rng};

/// Images, their labels, and what the labels mean.
///
/// # Examples
/// ```
/// use taper_data::{Dataset, Images};
///
/// let images = Images::new(4, 1, 1, 2, vec![0, 1, 2, 3, 4, 5, 6, 7])?;
/// let data = Dataset::new(images, vec![0, 1, 1, 0], vec!["cat".into(), "dog".into()])?;
/// let (train, validation) = data.split(1, 42);
/// assert_eq!((train.len(), validation.len()), (3, 1));
/// # Ok::<(), taper_data::DatasetError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The images, `[N, C, H, W]`.
    pub images: Images,
    /// The class of each image, N of them, each below the number of classes.
    pub labels: Vec<u8>,
    /// What each class is called.
    pub class_names: Vec<String>,
}

/// Images and labels that do not make a dataset.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum DatasetError {
    /// A side or the number of channels is zero.
    #[error("an image of {channels} channels, {height}×{width} pixels is empty; give each at least 1")]
    EmptyImage {
        /// Values per pixel.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// The pixels do not fill the shape.
    #[error("{found} bytes of pixels do not fill the shape {shape:?}; one byte per value is needed")]
    Pixels {
        /// The shape asked for, `[N, C, H, W]`.
        shape: [usize; 4],
        /// Bytes given.
        found: usize,
    },
    /// Images and labels differ in number.
    #[error(
        "{images} images but {labels} labels; each image needs one label: are both files of the same set?"
    )]
    Counts {
        /// Number of images.
        images: usize,
        /// Number of labels.
        labels: usize,
    },
    /// A label names no class.
    #[error(
        "label {label} of image {index} is not one of the {classes} classes (0 to {}); \
         the labels are damaged or belong to another dataset", classes.saturating_sub(1)
    )]
    Label {
        /// Which image, from 0.
        index: usize,
        /// Its label.
        label: u8,
        /// Number of classes.
        classes: usize,
    },
    /// An index points past the end.
    #[error("image {index} was asked for, but the dataset has {len}")]
    Index {
        /// The index.
        index: usize,
        /// Number of images.
        len: usize,
    },
}

impl Dataset {
    /// Checks that there is one label per image and that each is below the number of classes.
    ///
    /// # Errors
    /// [`DatasetError::Counts`] and [`DatasetError::Label`].
    pub fn new(images: Images, labels: Vec<u8>, class_names: Vec<String>) -> Result<Self, DatasetError> {
        if images.count() != labels.len() {
            return Err(DatasetError::Counts { images: images.count(), labels: labels.len() });
        }
        let classes = class_names.len();
        if let Some((index, &label)) = labels.iter().enumerate().find(|&(_, &l)| usize::from(l) >= classes) {
            return Err(DatasetError::Label { index, label, classes });
        }
        Ok(Self { images, labels, class_names })
    }

    /// [`new`](Self::new) with the ten digits as classes.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn digits(images: Images, labels: Vec<u8>) -> Result<Self, DatasetError> {
        Self::new(images, labels, (0..10).map(|digit| digit.to_string()).collect())
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.images.count()
    }

    /// Whether there is no image.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The images at `indices`, in that order; an index may come twice.
    ///
    /// # Errors
    /// [`DatasetError::Index`] for an index past the end.
    pub fn subset(&self, indices: &[usize]) -> Result<Self, DatasetError> {
        match indices.iter().find(|&&index| index >= self.len()) {
            Some(&index) => Err(DatasetError::Index { index, len: self.len() }),
            None => Ok(self.gather(indices)),
        }
    }

    /// The first `count` images, or all when there are fewer.
    #[must_use]
    pub fn take(&self, count: usize) -> Self {
        self.gather(&(0..count.min(self.len())).collect::<Vec<_>>())
    }

    /// `count` images in even distances from the first on, or all when there are fewer: of images in the order of their classes,
    /// some of every class.
    ///
    /// ```
    /// use taper_data::{Dataset, Images};
    /// let data = Dataset::digits(Images::new(5, 1, 1, 1, vec![0; 5])?, vec![0, 1, 2, 3, 4])?;
    /// assert_eq!(data.spread(3).labels, [0, 1, 3]);
    /// # Ok::<(), taper_data::DatasetError>(())
    /// ```
    #[must_use]
    pub fn spread(&self, count: usize) -> Self {
        let count = count.min(self.len());
        self.gather(&(0..count).map(|place| place * self.len() / count).collect::<Vec<_>>())
    }

    /// The training and the validation part that [`split_indices`] names.
    #[must_use]
    pub fn split(&self, validation: usize, seed: u64) -> (Self, Self) {
        let (train, validation) = split_indices(self.len(), validation, seed);
        (self.gather(&train), self.gather(&validation))
    }

    /// The images without a tenth of each class, and that tenth, as [`tenth_of_each_class`] names them.
    #[must_use]
    pub fn split_tenth(&self, seed: u64) -> (Self, Self) {
        let (rest, tenth) = tenth_of_each_class(&self.labels, seed);
        (self.gather(&rest), self.gather(&tenth))
    }

    pub(crate) fn gather(&self, indices: &[usize]) -> Self {
        Self {
            images: self.images.gather(indices),
            labels: indices.iter().map(|&index| self.labels[index]).collect(),
            class_names: self.class_names.clone(),
        }
    }
}

/// Splits the numbers `0..len` at random into a training and a validation part, each in ascending order.
///
/// `validation` is the size of the second part; more than `len` takes all. The same `seed` gives the same
/// split on every machine.
#[must_use]
pub fn split_indices(len: usize, validation: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut train = Rng::new(seed, Purpose::Split, 0).permutation(len);
    let mut held_out = train.split_off(len.saturating_sub(validation));
    train.sort_unstable();
    held_out.sort_unstable();
    (train, held_out)
}

/// Splits the numbers `0..labels.len()` at random into the rest and a tenth of each class, each in ascending order.
///
/// The tenth is rounded; it is at least one image of a class that has two, and none of a class that has one. The same `seed` gives the
/// same split on every machine, and what is drawn of a class does not depend on the others.
///
/// ```
/// let labels = [0, 0, 0, 1, 1, 2].repeat(5);
/// let (rest, tenth) = taper_data::tenth_of_each_class(&labels, 42);
/// assert_eq!((rest.len(), tenth.len()), (26, 4)); // 2 of 15, 1 of 10, 1 of 5
/// ```
#[must_use]
pub fn tenth_of_each_class(labels: &[u8], seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); usize::from(u8::MAX) + 1];
    for (index, &label) in labels.iter().enumerate() {
        of_class[usize::from(label)].push(index);
    }
    let (mut rest, mut tenth) = (Vec::with_capacity(labels.len()), Vec::new());
    for (class, images) in of_class.iter().enumerate().filter(|(_, images)| !images.is_empty()) {
        let held_out = ((images.len() + 5) / 10).max(1).min(images.len() - 1);
        let order = Rng::new(seed, Purpose::SplitClass, class as u64).permutation(images.len());
        let (kept, drawn) = order.split_at(images.len() - held_out);
        rest.extend(kept.iter().map(|&place| images[place]));
        tenth.extend(drawn.iter().map(|&place| images[place]));
    }
    rest.sort_unstable();
    tenth.sort_unstable();
    (rest, tenth)
}
