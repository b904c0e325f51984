//! The folder that holds the newest checkpoints of a run.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use taper_files::{WriteError, create_folder, write_atomic};
use taper_graph::Graph;

use super::file::{open, to_bytes};
use super::{Checkpoint, CheckpointError};

/// A folder of files `step-<steps>-epoch-<validated epochs>-<checksum>.safetensors`. The checksum is the start of the file's
/// SHA-256. Names alone say which is the newest: a clock may jump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointFolder {
    path: PathBuf,
    keep: NonZeroUsize,
    settings: BTreeMap<String, String>,
}

/// What a folder of checkpoints has to go on from.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Found {
    /// The file of the newest checkpoint that is whole, and what it holds.
    pub newest: Option<(PathBuf, Checkpoint)>,
    /// Newer ones that are damaged, each with what is wrong with it.
    pub damaged: Vec<(PathBuf, String)>,
}

/// A checkpoint by its name.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Named {
    /// The steps and validated epochs.
    place: [u64; 2],
    checksum: String,
    path: PathBuf,
}

/// Hexadecimal digits of the checksum in a file's name.
const DIGITS: usize = 16;

impl CheckpointFolder {
    /// The folder `path`, of which the newest `keep` files are kept. `settings` are all that decide what the run computes, by
    /// their names: [`CheckpointFolder::find`] refuses checkpoints of a run with others.
    pub fn new(path: impl Into<PathBuf>, keep: NonZeroUsize, settings: BTreeMap<String, String>) -> Self {
        Self { path: path.into(), keep, settings }
    }

    /// Whether there is a checkpoint in the folder `path`, damaged or not.
    ///
    /// # Errors
    /// [`CheckpointError::Read`] if the disk refuses.
    pub fn has_any(path: &Path) -> Result<bool, CheckpointError> {
        Ok(!files(path)?.is_empty())
    }

    /// Writes a checkpoint, whole or not at all, and deletes those that are too many, the oldest first, as well as those that
    /// claim to be of this step or a later one: a run that comes this way has passed over them. Gives its file.
    ///
    /// # Errors
    /// [`CheckpointError::Write`] naming the file.
    pub fn save(&self, checkpoint: &Checkpoint) -> Result<PathBuf, CheckpointError> {
        let bytes =
            to_bytes(checkpoint, &self.settings).map_err(|cause| CheckpointError::Encode { cause })?;
        create_folder(&self.path)?;
        let (step, epochs) = (checkpoint.trainer.step, checkpoint.history.epochs.len());
        let path =
            self.path.join(format!("step-{step:010}-epoch-{epochs:04}-{}.safetensors", checksum(&bytes)));
        write_atomic(&path, |file| file.write_all(&bytes))?;
        let place = [step, epochs as u64];
        let (later, others): (Vec<Named>, Vec<Named>) = files(&self.path)?
            .into_iter()
            .filter(|file| file.path != path)
            .partition(|file| file.place >= place);
        for old in later.iter().chain(others.iter().skip(self.keep.get() - 1)) {
            remove(&old.path)?;
        }
        Ok(path)
    }

    /// The newest checkpoint that is whole, and those that had to be passed over.
    ///
    /// # Errors
    /// [`CheckpointError::OtherRun`] if it was made with other settings, [`CheckpointError::Read`] if the disk refuses.
    pub fn find(&self, graph: &Graph) -> Result<Found, CheckpointError> {
        let mut found = Found::default();
        for Named { checksum: sum, path, .. } in files(&self.path)? {
            let bytes =
                fs::read(&path).map_err(|cause| CheckpointError::Read { path: path.clone(), cause })?;
            let opened = match checksum(&bytes) == sum {
                true => open(&bytes),
                false => Err("its checksum is not the one in its name".to_owned()),
            };
            // Of another run comes first: to its network the tensors need not fit.
            if let Ok(opened) = &opened {
                self.check_same(&path, opened.settings())?;
            }
            match opened.and_then(|opened| opened.checkpoint(graph)) {
                Ok(checkpoint) => {
                    found.newest = Some((path, checkpoint));
                    break;
                }
                Err(reason) => found.damaged.push((path, reason)),
            }
        }
        Ok(found)
    }

    /// Deletes the folder with all checkpoints, and nothing else: the run is over.
    ///
    /// # Errors
    /// [`CheckpointError::Write`] naming what could not be deleted.
    pub fn clear(&self) -> Result<(), CheckpointError> {
        for file in files(&self.path)? {
            remove(&file.path)?;
        }
        match fs::remove_dir(&self.path) {
            // What is not a checkpoint is not ours.
            Err(cause) if is_left(&cause) => Ok(()),
            Err(cause) => Err(WriteError::new(&self.path, cause).into()),
            Ok(()) => Ok(()),
        }
    }

    fn check_same(&self, path: &Path, settings: &BTreeMap<String, String>) -> Result<(), CheckpointError> {
        let names = self.settings.keys().chain(settings.keys());
        let of = |all: &BTreeMap<String, String>, name: &str| {
            all.get(name).cloned().unwrap_or_else(|| "not there".to_owned())
        };
        match names.into_iter().find(|name| self.settings.get(*name) != settings.get(*name)) {
            None => Ok(()),
            Some(name) => Err(CheckpointError::OtherRun {
                path: path.to_owned(),
                setting: name.clone(),
                was: of(settings, name),
                is: of(&self.settings, name),
            }),
        }
    }
}

/// Every checkpoint in the folder, the newest first.
fn files(folder: &Path) -> Result<Vec<Named>, CheckpointError> {
    let refuse = |cause| CheckpointError::Read { path: folder.to_owned(), cause };
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(refuse)?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(refuse)?.path();
        if let Some((place, checksum)) = path.file_name().and_then(|name| parse(name.to_str()?)) {
            files.push(Named { place, checksum, path });
        }
    }
    files.sort_by(|a, b| b.cmp(a));
    Ok(files)
}

/// The steps and validated epochs, and the checksum, in the name of a checkpoint.
fn parse(name: &str) -> Option<([u64; 2], String)> {
    let mut words = name.strip_suffix(".safetensors")?.split('-');
    let mut next = || words.next();
    let ("step", step, "epoch", epochs, sum, None) = (next()?, next()?, next()?, next()?, next()?, next())
    else {
        return None;
    };
    let is_sum = sum.len() == DIGITS && sum.bytes().all(|digit| digit.is_ascii_hexdigit());
    Some(([step.parse().ok()?, epochs.parse().ok()?], sum.to_owned())).filter(|_| is_sum)
}

fn checksum(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect()
}

fn remove(path: &Path) -> Result<(), CheckpointError> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(WriteError::new(path, cause).into()),
        _ => Ok(()),
    }
}

fn is_left(cause: &io::Error) -> bool {
    matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty)
}
