//! [`load`]: the dataset to train on, from wherever it is to be had.

use std::path::PathBuf;

use crate::choice::Choice;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::folder::{self, Files, Found};
use crate::hash::{Expected, PartHashes};
use crate::hub::{self, HubError, HubOptions};
use crate::{idx, parquet, synthetic};

/// The dataset repository on the Hub that MNIST is taken from.
pub const MNIST_REPOSITORY: &str = "ylecun/mnist";
/// Its files: training set and test set.
const MNIST_FILES: [&str; 2] = ["mnist/train-00000-of-00001.parquet", "mnist/test-00000-of-00001.parquet"];
const MNIST_LICENSE: &str = "CC BY-SA 3.0";

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
    /// What the data read from files must be; MNIST by default.
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
            expected: Expected::default(),
            hub: HubOptions::from_env(),
        }
    }
}

/// A training set, a test set, and where they come from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Loaded {
    /// The training set: 60,000 images for MNIST and for the synthetic digits.
    pub train: Dataset,
    /// The test set: 10,000 images.
    pub test: Dataset,
    /// What the data are.
    pub provenance: Provenance,
    /// Why these are synthetic digits although MNIST was wanted: to be said loudly.
    pub fallback: Option<String>,
}

/// What the data are, in words that are the same on every machine (but for `location`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Provenance {
    /// `mnist`, `synthetic`, or `custom` for other data that [`Expected`] let pass.
    pub name: String,
    /// `idx`, `parquet`, `hub:ylecun/mnist@main`, `synthetic:seed=0`.
    pub source: String,
    /// One hash for all the data, whatever format they were read from: [`PartHashes::combined`].
    pub sha256: String,
    /// The licence of the data, where known.
    pub license: Option<String>,
    /// The folder they were read from: for display only.
    pub location: Option<PathBuf>,
}

/// What [`load`] is doing.
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

/// Loads the training and the test set that `options` asks for, and tells `on_event` about it.
///
/// MNIST is taken from `data_dir` when that is given, else from the Hub's cache, else from the Hub. Only
/// [`Choice::Auto`] ever falls back to the synthetic digits, and only when the Hub cannot be reached: data that
/// are damaged, or are not MNIST, are an error.
///
/// # Errors
/// [`DataError`], which names the file, the place and the remedy.
///
/// # Examples
/// ```no_run
/// use taper_data::{Choice, LoadOptions, load};
///
/// let mut options = LoadOptions::new(Choice::Auto);
/// options.data_dir = Some("data/mnist".into());
/// let loaded = load(&options, &mut |event| eprintln!("{event:?}"))?;
/// assert_eq!(loaded.train.len(), 60_000);
/// # Ok::<(), taper_data::DataError>(())
/// ```
pub fn load(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Loaded, DataError> {
    let loaded = match (options.choice, &options.data_dir) {
        (Choice::Synthetic, Some(folder)) => {
            return Err(DataError::FolderForSynthetic { folder: folder.clone() });
        }
        (Choice::Synthetic, None) => draw(options, on_event),
        (Choice::Auto | Choice::Mnist, Some(folder)) => {
            on_event(LoadEvent::Trying { source: format!("the folder {}", folder.display()) });
            let found = folder::find(folder)?;
            let source = match &found.train {
                Files::Idx { .. } => "idx",
                Files::Parquet(_) => "parquet",
            };
            let remedy = "copy the files again, or give a folder with MNIST by --data-dir";
            let mut loaded = read(&found, source.to_owned(), options, remedy)?;
            loaded.provenance.location = Some(folder.clone());
            loaded
        }
        (Choice::Auto, None) => match from_hub(options, on_event) {
            Err(DataError::Hub(error)) if error.is_unreachable() => fall_back(&error, options, on_event),
            result => result?,
        },
        (Choice::Mnist, None) => from_hub(options, on_event)?,
    };
    on_event(LoadEvent::Decoded {
        source: loaded.provenance.source.clone(),
        train: loaded.train.len(),
        test: loaded.test.len(),
    });
    Ok(loaded)
}

fn fall_back(error: &HubError, options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Loaded {
    let reason = error.to_string();
    on_event(LoadEvent::FellBack { reason: reason.clone() });
    Loaded { fallback: Some(reason), ..draw(options, on_event) }
}

fn draw(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Loaded {
    on_event(LoadEvent::Trying { source: "the built-in synthetic digits".to_owned() });
    let seed = options.seed_of_synthetic;
    let (train, test) = synthetic::train_and_test(seed);
    let provenance = Provenance {
        name: "synthetic".to_owned(),
        source: format!("synthetic:seed={seed}"),
        sha256: PartHashes::of(&train, &test).combined(),
        license: None,
        location: None,
    };
    Loaded { train, test, provenance, fallback: None }
}

/// MNIST from the Hub's cache or, where that lacks a file, from the Hub.
fn from_hub(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Loaded, DataError> {
    let cache = &options.hub.cache;
    on_event(LoadEvent::Trying { source: format!("the Hub's cache {}", cache.display()) });
    let paths = match hub::cached(MNIST_REPOSITORY, &options.revision, &MNIST_FILES, &options.hub) {
        Some(paths) => paths,
        None => download(options, on_event)?,
    };
    let (train, test) = paths.split_at(1);
    let found = Found { train: Files::Parquet(train.to_vec()), test: Files::Parquet(test.to_vec()) };
    let source = format!("hub:{MNIST_REPOSITORY}@{}", options.revision);
    let remedy = "delete it from the cache and run again, or name another --revision";
    let mut loaded = read(&found, source, options, remedy)?;
    loaded.provenance.location = train[0].parent().map(PathBuf::from);
    Ok(loaded)
}

fn download(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Vec<PathBuf>, HubError> {
    let LoadOptions { revision, hub, .. } = options;
    if !hub.offline {
        let source = format!("{}/datasets/{MNIST_REPOSITORY}@{revision}", hub.endpoint);
        on_event(LoadEvent::Trying { source });
    }
    hub::fetch(MNIST_REPOSITORY, revision, &MNIST_FILES, hub, &mut |progress| {
        on_event(LoadEvent::Download {
            file: progress.file.to_owned(),
            received: progress.received,
            total: progress.total,
        });
    })
}

/// Decodes the files and checks what they hold.
fn read(
    found: &Found,
    source: String,
    options: &LoadOptions,
    remedy: &'static str,
) -> Result<Loaded, DataError> {
    let (train, test) = (read_part(&found.train)?, read_part(&found.test)?);
    let hashes = PartHashes::of(&train, &test);
    if let Some(expected) = options.expected.hashes() {
        check_hashes(found, &hashes, &expected, remedy)?;
    }
    let shape = |data: &Dataset| [data.images.channels(), data.images.height(), data.images.width()];
    if shape(&train) != shape(&test) {
        let (file, _) = files(&found.test);
        return Err(DataError::Shapes { file, train: shape(&train), test: shape(&test) });
    }
    let mnist = hashes == PartHashes::mnist();
    let provenance = Provenance {
        name: if mnist { "mnist" } else { "custom" }.to_owned(),
        source,
        sha256: hashes.combined(),
        license: mnist.then(|| MNIST_LICENSE.to_owned()),
        location: None,
    };
    Ok(Loaded { train, test, provenance, fallback: None })
}

fn read_part(part: &Files) -> Result<Dataset, DataError> {
    let (images, labels) = match part {
        Files::Idx { images, labels } => (idx::read_images(images)?, idx::read_labels(labels)?),
        Files::Parquet(paths) => {
            let rows = parquet::read(paths)?;
            (rows.images, rows.labels)
        }
    };
    Dataset::digits(images, labels).map_err(|problem| {
        let (images, labels) = files(part);
        DataError::Content { images, labels, problem }
    })
}

/// The file with the images, and the one with the labels.
fn files(part: &Files) -> (PathBuf, PathBuf) {
    match part {
        Files::Idx { images, labels } => (images.clone(), labels.clone()),
        Files::Parquet(paths) => {
            let first = paths.first().cloned().unwrap_or_default();
            (first.clone(), first)
        }
    }
}

fn check_hashes(
    found: &Found,
    hashes: &PartHashes,
    expected: &PartHashes,
    remedy: &'static str,
) -> Result<(), DataError> {
    let ((train_images, train_labels), (test_images, test_labels)) =
        (files(&found.train), files(&found.test));
    let files = [train_images, train_labels, test_images, test_labels];
    for ((file, (part, found)), (_, expected)) in files.into_iter().zip(hashes.parts()).zip(expected.parts())
    {
        if found != expected {
            let (expected, found) = (expected.to_owned(), found.to_owned());
            return Err(DataError::Hash { file, part, expected, found, remedy });
        }
    }
    Ok(())
}
