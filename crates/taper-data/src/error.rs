//! [`DataError`]: why no dataset could be loaded.

use std::path::PathBuf;

use thiserror::Error;

use crate::dataset::DatasetError;
use crate::hub::HubError;
use crate::idx::IdxError;
use crate::image_folder::ImageFolderError;
use crate::parquet::ParquetError;
use crate::stored::ReadError;

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
    /// A folder of images cannot be read.
    #[error(transparent)]
    ImageFolder(#[from] ImageFolderError),
    /// A folder of images is asked for, but no folder given.
    #[error("no folder of images is given; name it with --data-dir")]
    NoFolder,
    /// Settings for images of a folder, but other data.
    #[error(
        "{setting} is for folders of images, and the data are {name}, whose images are what they are; leave it out"
    )]
    ImageOption {
        /// The flag.
        setting: &'static str,
        /// The data.
        name: String,
    },
    /// A dataset that is not on the Hub, and no folder with its files.
    #[error("{title} is not on the Hub in a form that is known; give a folder with {files} with --data-dir")]
    NotOnHub {
        /// The dataset.
        title: &'static str,
        /// What its files are called.
        files: String,
    },
    /// The folder does not hold the dataset asked for.
    #[error(
        "the data folder {} holds no files of {title}: neither {files} nor Parquet files (train-*.parquet, test-*.parquet); give the \
         folder that does with --data-dir", folder.display()
    )]
    NoFilesOf {
        /// The folder.
        folder: PathBuf,
        /// The dataset.
        title: &'static str,
        /// What its files are called.
        files: String,
    },
    /// The files hold another dataset than they should.
    #[error(
        "{}: these are {found} (channels, height, width), but {title} has {expected}; the file is of another dataset: give the right \
         one with --data-dir, or another --revision", file.display()
    )]
    NotThat {
        /// The file.
        file: PathBuf,
        /// The dataset.
        title: &'static str,
        /// What it holds.
        found: String,
        /// What it should hold.
        expected: String,
    },
    /// The files of another dataset are MNIST's.
    #[error("{}: these files are MNIST's, not those of {title}; take --dataset mnist, or the folder of {title}", place.display())]
    IsMnist {
        /// The dataset asked for.
        title: &'static str,
        /// Where they are.
        place: PathBuf,
    },
    /// A file of CIFAR-10's binary version cannot be read.
    #[error("{}: {problem}", file.display())]
    Cifar {
        /// The file.
        file: PathBuf,
        /// What is wrong with it, and the remedy.
        problem: String,
    },
    /// Decoded images cannot be read from the file they are kept in.
    #[error(transparent)]
    Stored(#[from] ReadError),
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
         so on), nor Parquet files (train-*.parquet, test-*.parquet), nor, unless --dataset asks for others, folders of images \
         (train/<class>/*.png or <class>/*.png); give the folder that does with --data-dir",
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
