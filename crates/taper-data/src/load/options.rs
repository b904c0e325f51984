//! What is to be loaded, and what is then known of it.

use std::path::PathBuf;

use crate::choice::Choice;
use crate::dataset::Dataset;
use crate::hash::Expected;
use crate::hub::HubOptions;
use crate::image_folder::{BadImage, ImageOptions};

/// What to load, and from where.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Which dataset.
    pub choice: Choice,
    /// The folder with its files, IDX or Parquet; once given it is used or refused, never passed over.
    pub data_dir: Option<PathBuf>,
    /// The branch, tag or commit on the Hub; `main` by default.
    pub revision: String,
    /// The seed of the synthetic digits; 0 by default.
    pub seed_of_synthetic: u64,
    /// How the images of a folder become a dataset; for no other data.
    pub images: ImageOptions,
    /// The folder that decoded images of folders are kept in and read from ([`read_cached`](crate::image_folder::read_cached)), so that they are
    /// decoded once and may be more than fit into memory; `None` decodes into memory. By default what `TAPER_CACHE` names,
    /// nothing if that is empty, or `taper` in `XDG_CACHE_HOME` or in `~/.cache`.
    pub image_cache: Option<PathBuf>,
    /// What IDX and Parquet files must hold; MNIST by default.
    pub expected: Expected,
    /// Where the Hub and its cache are.
    pub hub: HubOptions,
}

impl LoadOptions {
    /// `choice`, with everything else at its default and the Hub as the environment has it.
    #[must_use]
    pub fn new(choice: Choice) -> Self {
        Self {
            choice,
            data_dir: None,
            revision: "main".to_owned(),
            seed_of_synthetic: 0,
            images: ImageOptions::default(),
            image_cache: image_cache(),
            expected: Expected::default(),
            hub: HubOptions::from_env(),
        }
    }
}

/// What the environment says of the cache of decoded images.
fn image_cache() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    match std::env::var_os("TAPER_CACHE") {
        Some(folder) => Some(folder).filter(|folder| !folder.is_empty()).map(PathBuf::from),
        None => {
            let home = || std::env::home_dir().map(|home| home.join(".cache"));
            set("XDG_CACHE_HOME").or_else(home).map(|cache| cache.join("taper"))
        }
    }
}

/// A training set, a test set, and where they come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The training set: 60,000 images for MNIST and for the synthetic digits.
    pub train: Dataset,
    /// Images that the data set apart to choose the best epoch by, if there are such.
    pub validation: Option<Dataset>,
    /// The test set: 10,000 images.
    pub test: Dataset,
    /// What the data are.
    pub provenance: Provenance,
    /// Why these are synthetic digits although MNIST was wanted: to be said loudly.
    pub fallback: Option<String>,
    /// Files of a folder that are no whole images and were left out, as [`ImageOptions::skip_bad`] has it.
    pub skipped: Vec<BadImage>,
}

/// What the data are, in words that are the same on every machine (but for `location`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// `mnist`, `synthetic`, or `custom` for other data that [`Expected`] let pass; for images in folders, the name of the data
    /// folder.
    pub name: String,
    /// `idx`, `parquet`, `hub:ylecun/mnist@main`, `synthetic:seed=0`, `folder:photos`.
    pub source: String,
    /// One hash for all the data, whatever format they were read from: [`PartHashes::combined`](crate::PartHashes::combined); for images in folders, a hash of
    /// that, of the validation part if there is one, and of the names of the classes.
    pub sha256: String,
    /// What would have to be chosen for these data and no others.
    pub choice: Choice,
    /// The licence of the data, where known.
    pub license: Option<String>,
    /// The folder they were read from: for display only.
    pub location: Option<PathBuf>,
}

/// What [`load`](crate::load()) is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LoadEvent {
    /// It turns to a source.
    Trying {
        /// The source, in words.
        source: String,
    },
    /// It has received a part of a file.
    Download {
        /// The file, as its repository names it.
        file: String,
        /// Bytes that are here.
        received: u64,
        /// Bytes in all.
        total: u64,
    },
    /// It waits for another process that decodes the images of the same folder.
    Waiting {
        /// The folder.
        folder: PathBuf,
    },
    /// It has decoded so many images of a folder.
    Decoding {
        /// Images that are decoded.
        done: usize,
        /// Images in all.
        total: usize,
    },
    /// It has left out a file of a folder.
    Skipped(BadImage),
    /// It has the data, decoded and checked.
    Decoded {
        /// The source, as in [`Provenance::source`].
        source: String,
        /// Number of training images.
        train: usize,
        /// Number of test images.
        test: usize,
    },
    /// It could not reach the Hub and takes the synthetic digits.
    FellBack {
        /// Why.
        reason: String,
    },
}
