//! Files that are complete, but not yet in their place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use taper_files::{WriteError, move_into_place, staging_folder, write_atomic};
use tempfile::TempDir;

use super::external::{Split, location};
use super::inspect::inspect_file;
use super::model::OnnxModel;
use super::write::write_model;

/// A larger file than this has its large constants within.
const MOST_BESIDE: u64 = 1 << 26;

/// A model's files in a hidden folder beside their place: what is there can be read as it will be, and vanishes unless it
/// is [published](Self::publish).
pub(crate) struct Staged {
    folder: TempDir,
    /// Where the model is to stand.
    path: PathBuf,
    /// Where its large constants are to stand, if they are a file of their own.
    data: Option<PathBuf>,
    bytes: usize,
}

impl OnnxModel {
    /// Writes the model's files beside `path`, as [`OnnxModel::write`] says.
    pub(crate) fn stage(&self, path: &Path, most: usize) -> Result<Staged, WriteError> {
        let refuse = |path: &Path, kind: io::ErrorKind| Err(WriteError::new(path, kind.into()));
        let split = Split::of(self, path, most)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let data = split.as_ref().map(|split| folder.join(&split.location));
        // Staging would create the folder, and a file that cannot be moved would be found out too late.
        match folder.is_dir() {
            true => {}
            false if folder.exists() => return refuse(path, io::ErrorKind::NotADirectory),
            false => return refuse(path, io::ErrorKind::NotFound),
        }
        if let Some(taken) = [Some(path), data.as_deref()].into_iter().flatten().find(|path| path.is_dir()) {
            return refuse(taken, io::ErrorKind::IsADirectory);
        }
        let mut staged = Staged { folder: staging_folder(folder)?, path: path.to_owned(), data, bytes: 0 };
        // The hidden folder is nobody's business.
        let at_path = |error: WriteError| WriteError::new(path, error.cause);
        staged.bytes = match &split {
            None => {
                write_atomic(&staged.model(), |file| self.write_to(file)).map_err(at_path)?;
                self.encoded_len()
            }
            Some(split) => {
                let data = staged.folder.path().join(&split.location);
                write_atomic(&data, |file| split.write_data(file)).map_err(at_path)?;
                write_atomic(&staged.model(), |file| write_model(&split.proto, file)).map_err(at_path)?;
                prost::Message::encoded_len(&split.proto) + split.data_len()
            }
        };
        Ok(staged)
    }
}

impl Staged {
    /// The model, as it can be loaded; a file of large constants stands beside it.
    pub(crate) fn model(&self) -> PathBuf {
        self.folder.path().join("model.onnx")
    }

    /// Moves the files into their place, over earlier ones, and gives the bytes of both. Where the earlier model had its
    /// large constants in another file and this one has not, that file goes too.
    pub(crate) fn publish(self) -> Result<usize, WriteError> {
        let Some(data) = &self.data else {
            let earlier = data_of(&self.path);
            move_into_place(&self.model(), &self.path)?;
            if let Some(earlier) = earlier {
                // It is only in the way: the new model is whole without it.
                let _ = fs::remove_file(earlier);
            }
            return Ok(self.bytes);
        };
        let staged_data = self.folder.path().join(data.file_name().unwrap_or_default());
        replace_both([(&staged_data, data), (&self.model(), &self.path)], self.folder.path())?;
        Ok(self.bytes)
    }
}

/// Moves new files into their places. Earlier ones are put aside before, so that at no moment an earlier model stands beside
/// new weights, and come back if a file cannot be moved.
fn replace_both(files: [(&Path, &Path); 2], aside: &Path) -> Result<(), WriteError> {
    let [old_data, old_model] = ["old data", "old model"].map(|name| aside.join(name));
    let [(_, data), (_, model)] = files;
    // The model first: without it nothing reads the data.
    let earlier = [(model, old_model), (data, old_data)];
    let earlier: Vec<_> = earlier.iter().filter(|(path, old)| fs::rename(path, old).is_ok()).collect();
    let moved = files.into_iter().try_for_each(|(from, to)| move_into_place(from, to));
    if moved.is_err() {
        for (path, old) in earlier.into_iter().rev() {
            // What cannot be moved back is named by the error that is on its way.
            let _ = fs::rename(old, path);
        }
    }
    moved
}

/// The file with the large constants of the model that stands at `path`, if it has one of the name that Taper gives it.
fn data_of(path: &Path) -> Option<PathBuf> {
    let location = location(path)?;
    let data = path.with_file_name(&location);
    if !data.is_file() || fs::metadata(path).ok()?.len() > MOST_BESIDE {
        return None;
    }
    let earlier = inspect_file(path).ok()?;
    earlier.constants.iter().any(|constant| constant.file.as_ref() == Some(&location)).then_some(data)
}
