//! What can be wrong with a folder of images.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use taper_files::WriteError;
use thiserror::Error;

use crate::dataset::DatasetError;

/// A file, or a folder, that stands where a whole image should.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadImage {
    /// Where it is.
    pub path: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// A picture that cannot be made what a network takes.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
#[error("{name}: {reason}; give a whole PNG, JPEG or WebP file")]
pub struct PictureError {
    /// The file's name.
    pub name: String,
    /// What is wrong with it.
    pub reason: String,
}

/// Why a folder of images makes no dataset. Each message names the place and the remedy.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageFolderError {
    /// A folder cannot be listed.
    #[error("the folder {} cannot be read ({cause}); check the path and its permissions", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        cause: std::io::Error,
    },
    /// It is laid out in neither way.
    #[error("{}: {problem}", folder.display())]
    Layout {
        /// The folder.
        folder: PathBuf,
        /// What is in it, and what should be.
        problem: String,
    },
    /// The name of a class's folder is no name for a class.
    #[error("{}: the name of this folder is not a plain text in UTF-8, as the name of a class must be; rename it", path.display())]
    ClassName {
        /// The folder.
        path: PathBuf,
    },
    /// The classes are too few or too many.
    #[error("{}: there are {found} classes; give a folder for each of 2 to 256", folder.display())]
    Classes {
        /// The folder whose folders are the classes.
        folder: PathBuf,
        /// How many it has.
        found: usize,
    },
    /// Another part has a class that the training part lacks.
    #[error("{}: there is no class of that name in the part `train`; add training images of it, or remove the folder", path.display())]
    UnknownClass {
        /// The folder of the class.
        path: PathBuf,
    },
    /// A class has nothing to train on.
    #[error("{}: the class `{class}` has no image to train on; add some, or remove its folder", folder.display())]
    EmptyClass {
        /// The data folder.
        folder: PathBuf,
        /// The class.
        class: String,
    },
    /// Images differ in size, and no size was asked for.
    #[error(
        "the images are not of one size: {} has {} and {} has {} (height x width); say which they are to be scaled to, with \
         --image-size, such as --image-size 32", first.display(), by(*first_size), other.display(), by(*other_size)
    )]
    Sizes {
        /// The first image.
        first: PathBuf,
        /// Its height and width.
        first_size: [usize; 2],
        /// One of another size.
        other: PathBuf,
        /// Its height and width.
        other_size: [usize; 2],
    },
    /// Files that are no whole images, all of them; the message names the first 20.
    #[error("{}", list(folder, bad))]
    Bad {
        /// The data folder.
        folder: PathBuf,
        /// The files, in the order of their paths.
        bad: Vec<BadImage>,
    },
    /// A number of channels that no image has.
    #[error("images of {channels} channels are none; give --channels 1 for grey or 3 for colour")]
    Channels {
        /// The number asked for.
        channels: usize,
    },
    /// A size that no image is scaled to.
    #[error("images cannot be scaled to {}; give sides from 1 to {} with --image-size", by(*size), super::decode::LARGEST)]
    Size {
        /// The height and width asked for.
        size: [usize; 2],
    },
    /// The decoded images cannot be kept.
    #[error("{0}, let TAPER_CACHE name another folder, or set it to nothing to decode into memory")]
    Cache(#[from] WriteError),
    /// The decoded images are not what was written a moment ago.
    #[error("{} is not what was written; check the disk, let TAPER_CACHE name another folder, or set it to nothing to decode into memory", path.display())]
    CacheChanged {
        /// The file in the cache.
        path: PathBuf,
    },
    /// The images fill no shape.
    #[error(transparent)]
    Shape(DatasetError),
    /// The images do not make a dataset.
    #[error("{}: {problem}", folder.display())]
    Content {
        /// The data folder.
        folder: PathBuf,
        /// What is wrong.
        problem: DatasetError,
    },
}

/// The most files that a message names: more of them would hide what comes before.
const LISTED: usize = 20;

fn by([height, width]: [usize; 2]) -> String {
    format!("{height}x{width}")
}

fn list(folder: &Path, bad: &[BadImage]) -> String {
    let count = if bad.len() == 1 { "1 file is".to_owned() } else { format!("{} files are", bad.len()) };
    let mut text = format!("{}: {count} no whole image:", folder.display());
    for BadImage { path, reason } in bad.iter().take(LISTED) {
        let shown = path.strip_prefix(folder).unwrap_or(path);
        let _ = write!(text, "\n  {}: {reason}", shown.display());
    }
    if bad.len() > LISTED {
        let _ = write!(text, "\n  and {} more", bad.len() - LISTED);
    }
    text + "\nRepair or remove them, or leave them out with --skip-bad"
}
