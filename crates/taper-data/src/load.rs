//! [`load`]: the dataset to train on, from wherever it is to be had.

mod known;
mod options;

use std::path::{Path, PathBuf};

use crate::choice::Choice;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::folder::{self, Files, Found};
use crate::hash::{self, PartHashes};
use crate::hub::{self, HubError};
use crate::image_folder::{self, CacheEvent, ImageFolder, ImageOptions};
use crate::{idx, parquet, synthetic};
pub use options::{LoadEvent, LoadOptions, Loaded, Provenance};

/// The dataset repository on the Hub that MNIST is taken from.
pub const MNIST_REPOSITORY: &str = "ylecun/mnist";
/// Its files: training set and test set.
const MNIST_FILES: [&str; 2] = ["mnist/train-00000-of-00001.parquet", "mnist/test-00000-of-00001.parquet"];
const MNIST_LICENSE: &str = "CC BY-SA 3.0";

/// Loads the training and the test set that `options` asks for, and tells `on_event` about it.
///
/// MNIST is taken from `data_dir` when that is given, else from the Hub's cache, else from the Hub; a `data_dir` may hold
/// folders of images instead, with [`Choice::Auto`] or [`Choice::ImageFolder`]. Only [`Choice::Auto`] ever falls back to the synthetic digits, and only when the Hub cannot be reached: data that
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
    let loaded = match crate::known::known(options.choice) {
        Some(known) => known::load(known, options, on_event)?,
        None => first_of_all(options, on_event)?,
    };
    if loaded.provenance.choice != Choice::ImageFolder {
        refuse_image_options(&options.images, &loaded.provenance)?;
    }
    on_event(LoadEvent::Decoded {
        source: loaded.provenance.source.clone(),
        train: loaded.train.len(),
        test: loaded.test.len(),
    });
    Ok(loaded)
}

/// MNIST, the synthetic digits, or images in folders.
fn first_of_all(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Loaded, DataError> {
    let loaded = match (options.choice, &options.data_dir) {
        (Choice::Synthetic, Some(folder)) => {
            return Err(DataError::FolderForSynthetic { folder: folder.clone() });
        }
        (Choice::Synthetic, None) => draw(options, on_event)?,
        (Choice::ImageFolder, None) => return Err(DataError::NoFolder),
        (Choice::ImageFolder, Some(folder)) => from_images(folder, options, on_event)?,
        (Choice::Auto, Some(folder)) if folder::is_image_folder(folder) => {
            from_images(folder, options, on_event)?
        }
        (_, Some(folder)) => {
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
            Err(DataError::Hub(error)) if error.is_unreachable() => fall_back(&error, options, on_event)?,
            result => result?,
        },
        (_, None) => from_hub(options, on_event)?,
    };
    Ok(loaded)
}

fn fall_back(
    error: &HubError,
    options: &LoadOptions,
    on_event: &mut dyn FnMut(LoadEvent),
) -> Result<Loaded, DataError> {
    let reason = error.to_string();
    on_event(LoadEvent::FellBack { reason: reason.clone() });
    Ok(Loaded { fallback: Some(reason), ..draw(options, on_event)? })
}

fn draw(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Loaded, DataError> {
    on_event(LoadEvent::Trying { source: "the built-in synthetic digits".to_owned() });
    let seed = options.seed_of_synthetic;
    let (train, test) = synthetic::train_and_test(seed);
    let provenance = Provenance {
        name: "synthetic".to_owned(),
        source: format!("synthetic:seed={seed}"),
        sha256: PartHashes::of(&train, &test)?.combined(),
        choice: Choice::Synthetic,
        license: None,
        location: None,
    };
    Ok(Loaded { train, validation: None, test, provenance, fallback: None, skipped: Vec::new() })
}

/// The images of the folders in `folder`.
fn from_images(
    folder: &Path,
    options: &LoadOptions,
    on_event: &mut dyn FnMut(LoadEvent),
) -> Result<Loaded, DataError> {
    on_event(LoadEvent::Trying { source: format!("the folders of images in {}", folder.display()) });
    let found = match &options.image_cache {
        Some(cache) => image_folder::read_cached(folder, &options.images, cache, &mut |event| {
            on_event(match event {
                CacheEvent::Waiting => LoadEvent::Waiting { folder: folder.to_owned() },
                CacheEvent::Decoding { done, total } => LoadEvent::Decoding { done, total },
            });
        })?,
        None => image_folder::read(folder, &options.images, &mut |done, total| {
            on_event(LoadEvent::Decoding { done, total });
        })?,
    };
    let ImageFolder { train, validation, test, skipped } = found;
    skipped.iter().for_each(|bad| on_event(LoadEvent::Skipped(bad.clone())));
    let name = folder::plain_name(folder).unwrap_or_else(|| Choice::ImageFolder.name().to_owned());
    let provenance = Provenance {
        source: format!("folder:{name}"),
        sha256: hash::of_parts(&train, validation.as_ref(), &test)?,
        name,
        choice: Choice::ImageFolder,
        license: None,
        location: Some(folder.to_owned()),
    };
    Ok(Loaded { train, validation, test, provenance, fallback: None, skipped })
}

fn refuse_image_options(images: &ImageOptions, provenance: &Provenance) -> Result<(), DataError> {
    let given = [
        ("--image-size", images.size.is_some()),
        ("--channels", images.channels.is_some()),
        ("--skip-bad", images.skip_bad),
        // Seed 0 is what there is without the flag.
        ("--split-seed", images.split_seed != 0),
    ];
    match given.into_iter().find(|(_, given)| *given) {
        Some((setting, _)) => Err(DataError::ImageOption { setting, name: provenance.name.clone() }),
        None => Ok(()),
    }
}

/// MNIST from the Hub's cache or, where that lacks a file, from the Hub.
fn from_hub(options: &LoadOptions, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Loaded, DataError> {
    let paths = fetch(MNIST_REPOSITORY, &MNIST_FILES, options, on_event)?;
    let (train, test) = paths.split_at(1);
    let found = Found { train: Files::Parquet(train.to_vec()), test: Files::Parquet(test.to_vec()) };
    let source = format!("hub:{MNIST_REPOSITORY}@{}", options.revision);
    let remedy = "delete it from the cache and run again, or name another --revision";
    let mut loaded = read(&found, source, options, remedy)?;
    loaded.provenance.location = train[0].parent().map(PathBuf::from);
    Ok(loaded)
}

/// The paths of `files` of a repository: from the Hub's cache or, where that lacks one, from the Hub.
fn fetch(
    repository: &str,
    files: &[&str],
    options: &LoadOptions,
    on_event: &mut dyn FnMut(LoadEvent),
) -> Result<Vec<PathBuf>, HubError> {
    let LoadOptions { revision, hub, .. } = options;
    on_event(LoadEvent::Trying { source: format!("the Hub's cache {}", hub.cache.display()) });
    if let Some(paths) = hub::cached(repository, revision, files, hub) {
        return Ok(paths);
    }
    if !hub.offline {
        let source = format!("{}/datasets/{repository}@{revision}", hub.endpoint);
        on_event(LoadEvent::Trying { source });
    }
    hub::fetch(repository, revision, files, hub, &mut |progress| {
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
    let hashes = PartHashes::of(&train, &test)?;
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
        choice: if mnist { Choice::Mnist } else { options.choice },
        license: mnist.then(|| MNIST_LICENSE.to_owned()),
        location: None,
    };
    Ok(Loaded { train, validation: None, test, provenance, fallback: None, skipped: Vec::new() })
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
