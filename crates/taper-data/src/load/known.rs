//! Datasets of the table in [`crate::known`]: found, read and checked.

use std::fs;
use std::path::{Path, PathBuf};

use super::options::{LoadEvent, LoadOptions, Loaded, Provenance};
use crate::cifar;
use crate::dataset::Dataset;
use crate::error::DataError;
use crate::hash::{Expected, PartHashes};
use crate::images::Images;
use crate::known::{Form, Hub, HubFiles, Known, Names};
use crate::stored::ReadError;
use crate::{folder, idx, parquet};

/// The dataset from the folder that is given, else from the Hub's cache, else from the Hub.
pub(super) fn load(
    known: &'static Known,
    options: &LoadOptions,
    on_event: &mut dyn FnMut(LoadEvent),
) -> Result<Loaded, DataError> {
    match (&options.data_dir, &known.hub) {
        (Some(folder), _) => {
            on_event(LoadEvent::Trying { source: format!("the folder {}", folder.display()) });
            from_folder(known, folder, options)
        }
        (None, Some(hub)) => from_hub(known, hub, options, on_event),
        (None, None) => Err(DataError::NotOnHub { title: known.title, files: described(known) }),
    }
}

fn from_folder(known: &Known, folder: &Path, options: &LoadOptions) -> Result<Loaded, DataError> {
    fs::read_dir(folder).map_err(|cause| DataError::Folder { folder: folder.to_owned(), cause })?;
    let Some(found) = find(known, folder)? else {
        let (folder, title) = (folder.to_owned(), known.title);
        return Err(DataError::NoFilesOf { folder, title, files: described(known) });
    };
    let source = match &found {
        Found::Idx(..) => "idx",
        Found::Cifar(..) => "binary",
        Found::Parquet(_) => "parquet",
    };
    loaded(known, &found, source.to_owned(), options, Some(folder.to_owned()))
}

fn from_hub(
    known: &Known,
    hub: &'static Hub,
    options: &LoadOptions,
    on_event: &mut dyn FnMut(LoadEvent),
) -> Result<Loaded, DataError> {
    let below = |name: String| format!("{}{name}", hub.folder);
    let mut fetch = |names: Vec<String>| {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        super::fetch(hub.repository, &names, options, on_event)
    };
    let found = match (&hub.files, &known.files) {
        (HubFiles::Idx, Names::Idx { train, test, form }) => {
            let names = idx_names([train, test], *form);
            let paths = fetch(names.into_iter().flatten().map(|name| below(name + ".gz")).collect())?;
            let [a, b, c, d] = <[PathBuf; 4]>::try_from(paths).unwrap_or_default();
            Found::Idx([[a, b], [c, d]], *form)
        }
        _ => {
            let names = ["train", "test"].map(|part| below(format!("{part}-00000-of-00001.parquet")));
            let [train, test] = <[PathBuf; 2]>::try_from(fetch(names.to_vec())?).unwrap_or_default();
            Found::Parquet([vec![train], vec![test]])
        }
    };
    let source = format!("hub:{}@{}", hub.repository, options.revision);
    let location = found.first_files()[0].parent().map(PathBuf::from);
    loaded(known, &found, source, options, location)
}

/// The files of both parts.
enum Found {
    /// Images and labels of each.
    Idx([[PathBuf; 2]; 2], Form),
    Cifar([Vec<PathBuf>; 2]),
    Parquet([Vec<PathBuf>; 2]),
}

impl Found {
    fn first_files(&self) -> [PathBuf; 2] {
        match self {
            Found::Idx(parts, _) => parts.each_ref().map(|[images, _]| images.clone()),
            Found::Cifar(parts) | Found::Parquet(parts) => {
                parts.each_ref().map(|files| files.first().cloned().unwrap_or_default())
            }
        }
    }

    fn read(&self, known: &Known) -> Result<[Dataset; 2], DataError> {
        match self {
            Found::Idx([train, test], form) => {
                Ok([read_idx(known, train, *form)?, read_idx(known, test, *form)?])
            }
            Found::Cifar([train, test]) => Ok([
                dataset(known, cifar::read(train)?, &train[0])?,
                dataset(known, cifar::read(test)?, &test[0])?,
            ]),
            Found::Parquet([train, test]) => {
                let column = match known.hub.as_ref().map(|hub| &hub.files) {
                    Some(HubFiles::Parquet { image_column }) => image_column,
                    _ => parquet::IMAGE_COLUMN,
                };
                Ok([read_parquet(known, train, column)?, read_parquet(known, test, column)?])
            }
        }
    }
}

/// What the IDX files of both parts are called: images and labels of each.
fn idx_names(parts: [&str; 2], form: Form) -> [[String; 2]; 2] {
    let labels = if form == Form::Qmnist { "labels-idx2-int" } else { "labels-idx1-ubyte" };
    parts.map(|part| [format!("{part}-images-idx3-ubyte"), format!("{part}-{labels}")])
}

/// The dataset's own files in `folder` or where archives unpack them, else Parquet files as on the Hub.
fn find(known: &Known, folder: &Path) -> Result<Option<Found>, DataError> {
    match &known.files {
        Names::Idx { train, test, form } => {
            for below in ["", "raw", "gzip", "FashionMNIST/raw", "KMNIST/raw", "QMNIST/raw", "EMNIST/raw"] {
                let names = idx_names([train, test], *form);
                if let Some(files) = folder::four(&folder.join(below), &names)? {
                    return Ok(Some(Found::Idx(files, *form)));
                }
            }
        }
        Names::CifarBinary => {
            for below in ["", "cifar-10-batches-bin"] {
                let at = |name: String| folder.join(below).join(name);
                let train: Vec<PathBuf> =
                    (1..=5).map(|batch| at(format!("data_batch_{batch}.bin"))).collect();
                let test = vec![at("test_batch.bin".to_owned())];
                let all = || train.iter().chain(&test);
                if let Some(present) = all().find(|path| path.is_file()) {
                    if let Some(missing) = all().find(|path| !path.is_file()) {
                        return Err(folder::incomplete(folder, missing, present));
                    }
                    return Ok(Some(Found::Cifar([train, test])));
                }
            }
        }
    }
    let below = known.hub.as_ref().map_or("", |hub| hub.folder);
    for below in ["", below] {
        if let Some(parts) = folder::parquet_parts(&folder.join(below))? {
            return Ok(Some(Found::Parquet(parts)));
        }
    }
    Ok(None)
}

/// What the files of a dataset are called, for messages.
fn described(known: &Known) -> String {
    match &known.files {
        Names::Idx { train, test, .. } => {
            format!(
                "IDX files ({train}-images-idx3-ubyte, {test}-images-idx3-ubyte and their labels, plain or .gz)"
            )
        }
        Names::CifarBinary => {
            "the binary version (data_batch_1.bin to data_batch_5.bin and test_batch.bin)".to_owned()
        }
    }
}

fn read_idx(known: &Known, [images, labels]: &[PathBuf; 2], form: Form) -> Result<Dataset, DataError> {
    let read = idx::read_images(images)?;
    let rows = match form {
        Form::Mnist => (read, idx::read_labels(labels)?),
        Form::Qmnist => (read, idx::read_first_of_rows(labels)?),
        Form::Emnist { first_label } => {
            // One below the first wraps to a label that no class has, and is refused as such.
            let labels = idx::read_labels(labels)?.into_iter().map(|label| label.wrapping_sub(first_label));
            (transposed(&read)?, labels.collect())
        }
    };
    dataset(known, rows, images)
}

/// Rows as columns: EMNIST's images lie on their side, mirrored.
fn transposed(images: &Images) -> Result<Images, ReadError> {
    let (height, width) = (images.height(), images.width());
    let mut pixels = Vec::with_capacity(images.count() * height * width);
    for image in images.iter() {
        let image = image?;
        pixels.extend((0..height * width).map(|place| image[place % height * width + place / height]));
    }
    Ok(images.reshaped([1, width, height], pixels))
}

fn read_parquet(known: &Known, paths: &[PathBuf], column: &'static str) -> Result<Dataset, DataError> {
    let rows = parquet::read_column(paths, column)?;
    dataset(known, (rows.images, rows.labels), &paths.first().cloned().unwrap_or_default())
}

fn dataset(known: &Known, (images, labels): (Images, Vec<u8>), file: &Path) -> Result<Dataset, DataError> {
    let at = |problem| DataError::Content { images: file.to_owned(), labels: file.to_owned(), problem };
    Dataset::new(images, labels, known.classes.names()).map_err(at)
}

/// Reads the files, and checks what they hold against the table.
fn loaded(
    known: &Known,
    found: &Found,
    source: String,
    options: &LoadOptions,
    location: Option<PathBuf>,
) -> Result<Loaded, DataError> {
    let ([train, test], [train_file, test_file]) = (found.read(known)?, found.first_files());
    for (part, file, count) in [(&train, train_file, known.counts[0]), (&test, test_file, known.counts[1])] {
        let images = &part.images;
        let image = [images.channels(), images.height(), images.width()];
        let has_count = part.len() == count || options.expected == Expected::Any;
        if image != known.image || !has_count {
            let found = format!("{} images of {image:?}", part.len());
            let expected = format!("{count} of {:?}", known.image);
            return Err(DataError::NotThat { file, title: known.title, found, expected });
        }
    }
    let hashes = PartHashes::of(&train, &test)?;
    if hashes == PartHashes::mnist() {
        return Err(DataError::IsMnist { title: known.title, place: location.unwrap_or_default() });
    }
    let provenance = Provenance {
        name: known.choice.name().to_owned(),
        source,
        sha256: hashes.combined(),
        choice: known.choice,
        license: known.license.map(str::to_owned),
        location,
    };
    Ok(Loaded { train, validation: None, test, provenance, fallback: None, skipped: Vec::new() })
}
