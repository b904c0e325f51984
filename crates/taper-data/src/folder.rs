//! Finding a dataset's files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::error::DataError;

/// The files of one part, training or test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    Idx { images: PathBuf, labels: PathBuf },
    Parquet(Vec<PathBuf>),
}

/// Training and test files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) train: Files,
    pub(crate) test: Files,
}

/// Where below the given folder IDX files lie: in itself, or as torchvision lays them.
const IDX_FOLDERS: [&str; 3] = ["", "raw", "MNIST/raw"];
/// Where below the given folder Parquet files lie: in itself, or as in the Hub's repository.
const PARQUET_FOLDERS: [&str; 2] = ["", "mnist"];

/// The dataset in `folder`: IDX files first, else Parquet files.
pub(crate) fn find(folder: &Path) -> Result<Found, DataError> {
    // Whether it exists and is a folder, said by the system itself.
    fs::read_dir(folder).map_err(|cause| DataError::Folder { folder: folder.to_owned(), cause })?;
    for below in IDX_FOLDERS {
        if let Some(found) = find_idx(&folder.join(below))? {
            return Ok(found);
        }
    }
    for below in PARQUET_FOLDERS {
        if let Some(found) = find_parquet(&folder.join(below))? {
            return Ok(found);
        }
    }
    Err(DataError::NothingFound { folder: folder.to_owned() })
}

fn find_idx(folder: &Path) -> Result<Option<Found>, DataError> {
    let names = ["train-images", "train-labels", "t10k-images", "t10k-labels"];
    let paths = names.map(|name| idx_file(folder, name));
    let Some(present) = paths.iter().flatten().next() else { return Ok(None) };
    let lacks = |index: usize| DataError::Incomplete {
        folder: folder.to_owned(),
        missing: format!("{} (or the same with .gz)", idx_name(names[index], '-')),
        found: file_name(present),
    };
    let file = |index: usize| paths[index].clone().ok_or_else(|| lacks(index));
    Ok(Some(Found {
        train: Files::Idx { images: file(0)?, labels: file(1)? },
        test: Files::Idx { images: file(2)?, labels: file(3)? },
    }))
}

/// `train-images` → `train-images-idx3-ubyte`; the archives of some mirrors unpack to `train-images.idx3-ubyte`.
fn idx_name(name: &str, separator: char) -> String {
    let dimensions = if name.ends_with("images") { 3 } else { 1 };
    format!("{name}{separator}idx{dimensions}-ubyte")
}

fn idx_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let spellings = ['-', '.'].map(|separator| idx_name(name, separator));
    ["", ".gz"]
        .iter()
        .flat_map(|end| spellings.iter().map(move |spelling| folder.join(format!("{spelling}{end}"))))
        .find(|path| path.is_file())
}

fn find_parquet(folder: &Path) -> Result<Option<Found>, DataError> {
    let Ok(entries) = fs::read_dir(folder) else { return Ok(None) };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    let part = |start: &str| -> Vec<PathBuf> {
        let fits = |path: &&PathBuf| {
            let name = file_name(path);
            name.starts_with(start) && name.ends_with(".parquet") && path.is_file()
        };
        paths.iter().filter(fits).cloned().collect()
    };
    let (train, test) = (part("train-"), part("test-"));
    let lacks = |missing: &str, found: &PathBuf| DataError::Incomplete {
        folder: folder.to_owned(),
        missing: missing.to_owned(),
        found: file_name(found),
    };
    match (train.first(), test.first()) {
        (None, None) => return Ok(None),
        (None, Some(found)) => return Err(lacks("train-*.parquet", found)),
        (Some(found), None) => return Err(lacks("test-*.parquet", found)),
        (Some(_), Some(_)) => {}
    }
    for paths in [&train, &test] {
        check_shards(folder, paths)?;
    }
    Ok(Some(Found { train: Files::Parquet(train), test: Files::Parquet(test) }))
}

/// A file named `…-00000-of-00003.parquet` needs the other two.
fn check_shards(folder: &Path, paths: &[PathBuf]) -> Result<(), DataError> {
    for path in paths {
        let name = file_name(path);
        let Some((start, total)) = name.trim_end_matches(".parquet").rsplit_once("-of-") else { continue };
        let (Some((start, _)), Ok(count)) = (start.rsplit_once('-'), total.parse::<usize>()) else {
            continue;
        };
        // No dataset has so many; a name that says so is not believed.
        for shard in 0..count.min(100_000) {
            let missing = format!("{start}-{shard:05}-of-{total}.parquet");
            if !paths.iter().any(|path| file_name(path) == missing) {
                return Err(DataError::Incomplete { folder: folder.to_owned(), missing, found: name });
            }
        }
    }
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
