//! SHA-256 of decoded images and labels, and what they are expected to be.

use sha2::{Digest, Sha256};

use crate::dataset::Dataset;
use crate::idx;
use crate::images::Images;
use crate::stored::ReadError;

pub(crate) type Sha = [u8; 32];

pub(crate) fn images(images: &Images) -> Result<Sha, ReadError> {
    let mut hasher = Sha256::new();
    hasher.update(idx::images_header(images));
    images.iter().try_for_each(|image| image.map(|image| hasher.update(image)))?;
    Ok(hasher.finalize().into())
}

pub(crate) fn labels(labels: &[u8]) -> Sha {
    let mut hasher = Sha256::new();
    hasher.update(idx::labels_header(labels.len()));
    hasher.update(labels);
    hasher.finalize().into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble & 15)]);
    bytes.iter().flat_map(|&byte| [digit(byte >> 4), digit(byte)]).collect()
}

/// The SHA-256 of the four parts of a dataset, each over the part written as an uncompressed IDX file, as 64
/// lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartHashes {
    /// Training images.
    pub train_images: String,
    /// Training labels.
    pub train_labels: String,
    /// Test images.
    pub test_images: String,
    /// Test labels.
    pub test_labels: String,
}

impl PartHashes {
    /// The hashes of a training and a test set.
    ///
    /// # Errors
    /// [`ReadError`] for images in a file that cannot be read.
    pub fn of(train: &Dataset, test: &Dataset) -> Result<Self, ReadError> {
        Ok(Self {
            train_images: train.images.sha256()?,
            train_labels: hex(&labels(&train.labels)),
            test_images: test.images.sha256()?,
            test_labels: hex(&labels(&test.labels)),
        })
    }

    /// The hashes of MNIST as Y. LeCun, C. Cortes and C. Burges published it.
    #[must_use]
    pub fn mnist() -> Self {
        let owned = str::to_owned;
        Self {
            train_images: owned("ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            train_labels: owned("65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            test_images: owned("0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            test_labels: owned("ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        }
    }

    /// One hash for the whole dataset: SHA-256 over the four hashes, as text joined by newlines, in the order
    /// training images, training labels, test images, test labels.
    #[must_use]
    pub fn combined(&self) -> String {
        let parts = [&self.train_images, &self.train_labels, &self.test_images, &self.test_labels];
        hex(&Sha256::digest(parts.map(String::as_str).join("\n")))
    }

    /// Name, and hash, of each part.
    pub(crate) fn parts(&self) -> [(&'static str, &str); 4] {
        [
            ("training images", &self.train_images),
            ("training labels", &self.train_labels),
            ("test images", &self.test_images),
            ("test labels", &self.test_labels),
        ]
    }
}

/// One hash for the parts of a folder of images and the names of its classes.
pub(crate) fn of_parts(
    train: &Dataset,
    validation: Option<&Dataset>,
    test: &Dataset,
) -> Result<String, ReadError> {
    let mut lines = vec![PartHashes::of(train, test)?.combined()];
    if let Some(validation) = validation {
        lines.extend([validation.images.sha256()?, hex(&labels(&validation.labels))]);
    }
    lines.extend(train.class_names.iter().cloned());
    Ok(hex(&Sha256::digest(lines.join("\n"))))
}

/// What the decoded data must be, beyond well-formed.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Expected {
    /// Exactly MNIST, as [`PartHashes::mnist`] has it.
    #[default]
    Mnist,
    /// Exactly the data with these hashes.
    Hashes(PartHashes),
    /// Whatever the files hold: for data of one's own.
    Any,
}

impl Expected {
    /// The hashes to hold, if any.
    #[must_use]
    pub fn hashes(&self) -> Option<PartHashes> {
        match self {
            Self::Mnist => Some(PartHashes::mnist()),
            Self::Hashes(hashes) => Some(hashes.clone()),
            Self::Any => None,
        }
    }
}
