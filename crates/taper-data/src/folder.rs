//! Finding a dataset's files in a folder.

use std::fs;
use std::path::{Path, PathBuf};

use crate::choice::Choice;
use crate::error::DataError;
use crate::image_folder;

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

/// Whether `folder` holds folders of images and nothing that would go before them.
pub(crate) fn is_image_folder(folder: &Path) -> bool {
    matches!(find(folder), Err(DataError::NothingFound { .. })) && image_folder::is_image_folder(folder)
}

/// The name of a folder, if data can be called so: letters, digits, `.`, `_` and `-`, and no other data's name.
pub(crate) fn plain_name(folder: &Path) -> Option<String> {
    let whole = fs::canonicalize(folder).ok()?;
    let name = whole.file_name()?.to_str()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_plain = name.chars().all(is_plain) && !name.starts_with('.') && name.parse::<Choice>().is_err();
    is_plain.then(|| name.to_owned())
}

fn find_idx(folder: &Path) -> Result<Option<Found>, DataError> {
    let names = |part: &str| [format!("{part}-images-idx3-ubyte"), format!("{part}-labels-idx1-ubyte")];
    let found = four(folder, &[names("train"), names("t10k")])?;
    Ok(found.map(|[[train_images, train_labels], [test_images, test_labels]]| Found {
        train: Files::Idx { images: train_images, labels: train_labels },
        test: Files::Idx { images: test_images, labels: test_labels },
    }))
}

/// Images and labels of both parts, of which either all or none should be in `folder`, plain or with `.gz`.
pub(crate) fn four(folder: &Path, names: &[[String; 2]; 2]) -> Result<Option<[[PathBuf; 2]; 2]>, DataError> {
    let paths = names.each_ref().map(|part| part.each_ref().map(|name| idx_file(folder, name)));
    let Some(present) = paths.iter().flatten().flatten().next() else { return Ok(None) };
    let file = |part: usize, what: usize| {
        paths[part][what].clone().ok_or_else(|| DataError::Incomplete {
            folder: folder.to_owned(),
            missing: format!("{} (or the same with .gz)", names[part][what]),
            found: file_name(present),
        })
    };
    Ok(Some([[file(0, 0)?, file(0, 1)?], [file(1, 0)?, file(1, 1)?]]))
}

/// The error for a file that belongs to one that is there.
pub(crate) fn incomplete(folder: &Path, missing: &Path, present: &Path) -> DataError {
    DataError::Incomplete {
        folder: folder.to_owned(),
        missing: file_name(missing),
        found: file_name(present),
    }
}

/// The file of that name, plain or compressed. The archives of some mirrors unpack `train-images-idx3-ubyte` to
/// `train-images.idx3-ubyte`.
fn idx_file(folder: &Path, name: &str) -> Option<PathBuf> {
    let spellings = [name.to_owned(), name.replacen("-idx", ".idx", 1)];
    ["", ".gz"]
        .iter()
        .flat_map(|end| spellings.iter().map(move |spelling| folder.join(format!("{spelling}{end}"))))
        .find(|path| path.is_file())
}

fn find_parquet(folder: &Path) -> Result<Option<Found>, DataError> {
    let found = parquet_parts(folder)?;
    Ok(found.map(|[train, test]| Found { train: Files::Parquet(train), test: Files::Parquet(test) }))
}

/// The Parquet files of the training and of the test part, if there are any.
pub(crate) fn parquet_parts(folder: &Path) -> Result<Option<[Vec<PathBuf>; 2]>, DataError> {
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
    Ok(Some([train, test]))
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
