//! [`DataError`]: why no dataset could be loaded.

use std::path::PathBuf;

use thiserror::Error;

use crate::dataset::DatasetError;
use crate::hub::HubError;
use crate::idx::IdxError;
use crate::parquet::ParquetError;

/// Why no dataset could be loaded. Each message names the file, the place in it and the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// An IDX file cannot be read.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// A Parquet file cannot be read.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
    /// The Hub did not give the files.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The folder is no folder, or cannot be listed.
    #[error("the data folder {} cannot be read ({cause}); check the path given with --data-dir", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// The folder holds no dataset.
    #[error(
        "the data folder {} holds neither MNIST's four IDX files (train-images-idx3-ubyte, with or without .gz, and \
         so on) nor Parquet files (train-*.parquet, test-*.parquet); give the folder that does with --data-dir",
        folder.display()
    )]
    NothingFound {
        /// The folder.
        folder: PathBuf,
    },
    /// The folder holds some of the files that belong together.
    #[error("the data folder {} lacks {missing}, though {found} is there; add it", folder.display())]
    Incomplete {
        /// The folder.
        folder: PathBuf,
        /// What is missing.
        missing: String,
        /// One of the files that are there.
        found: String,
    },
    /// Images and labels do not fit together.
    #[error("{}: {problem}", files(images, labels))]
    Content {
        /// The file with the images.
        images: PathBuf,
        /// The file with the labels; the same one for Parquet.
        labels: PathBuf,
        /// What is wrong.
        problem: DatasetError,
    },
    /// Training and test images have different shapes, `[C, H, W]`.
    #[error("{}: the test images have the shape {test:?}, but the training images {train:?}", file.display())]
    Shapes {
        /// The file with the test images.
        file: PathBuf,
        /// Channels, height and width of the training images.
        train: [usize; 3],
        /// Channels, height and width of the test images.
        test: [usize; 3],
    },
    /// The data are not those that were expected.
    #[error(
        "{}: the {part} have the SHA-256 {found}, but {expected} was expected; the file is damaged or of another \
         dataset: {remedy}", file.display()
    )]
    Hash {
        /// The file.
        file: PathBuf,
        /// Training or test, images or labels.
        part: &'static str,
        /// The hash that was expected.
        expected: String,
        /// The hash of what the file holds.
        found: String,
        /// What to do about it.
        remedy: &'static str,
    },
    /// A folder was given for digits that come from no folder.
    #[error(
        "the synthetic digits are drawn, not read: leave out --data-dir {}, or --dataset synthetic",
        folder.display()
    )]
    FolderForSynthetic {
        /// The folder.
        folder: PathBuf,
    },
}

fn files(images: &PathBuf, labels: &PathBuf) -> String {
    if images == labels {
        images.display().to_string()
    } else {
        format!("{} and {}", images.display(), labels.display())
    }
}
