//! The folder of a run.

mod lock;

pub use lock::RunLock;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use taper_export::{Metadata, safetensors};
use taper_files::{WriteError, check_writable, move_into_place, staging_folder, write_atomic};
use taper_graph::Weights;
use taper_train::{CheckpointFolder, History, TrainError};

use crate::config::{Config, read_text};
use crate::error::Error;
use crate::metrics::Metrics;

const METRICS: &str = "metrics.json";

/// TensorBoard reads files with `tfevents` in their name, and expects a time and a host in it, which a run does not tell.
const EVENTS: &str = "events.out.tfevents.taper";

/// What training leaves; `metrics.json`, which says that there is a run, comes last.
const TRAINED: [&str; 5] = ["model.safetensors", "history.csv", EVENTS, "config.toml", METRICS];

/// What evaluation and export add; a file of weights only above 2 GB.
const ADDED: [&str; 4] = ["model.onnx", "model.onnx.data", "README.md", "report.html"];

/// The folder of a run: `model.safetensors`, `model.onnx`, `metrics.json`, `history.csv`,
/// `events.out.tfevents.taper`, `config.toml`, `README.md`, `report.html` and the folder `plots`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// The run in this folder, whether it is there yet or not.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// The folder of a finished run.
    ///
    /// # Errors
    /// [`Error::NoRun`] if there is none.
    pub fn finished(path: &Path) -> Result<Self, Error> {
        let folder = Self::new(path);
        match [METRICS, "model.safetensors"].into_iter().find(|file| !folder.0.join(file).is_file()) {
            Some(missing) => Err(Error::NoRun { path: path.to_owned(), missing }),
            None => Ok(folder),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The weights.
    pub fn safetensors(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// The exported network.
    pub fn onnx(&self) -> PathBuf {
        self.0.join("model.onnx")
    }

    /// The loss and accuracy of every step and epoch.
    pub fn history(&self) -> PathBuf {
        self.0.join("history.csv")
    }

    /// The history as TensorBoard reads it.
    pub fn events(&self) -> PathBuf {
        self.0.join(EVENTS)
    }

    /// The same while the run trains, brought up to date with every checkpoint: a run that stands in the folder keeps its own.
    pub fn live_events(&self) -> PathBuf {
        self.checkpoints().join(EVENTS)
    }

    /// The model card.
    pub fn card(&self) -> PathBuf {
        self.0.join("README.md")
    }

    /// The report.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The folder of the report's plots.
    pub fn plots(&self) -> PathBuf {
        self.0.join(taper_report::PLOTS)
    }

    /// The folder of its checkpoints, which is there until the run is finished.
    pub fn checkpoints(&self) -> PathBuf {
        self.0.join("checkpoints")
    }

    /// Whether `path` is one of the run's own files.
    pub(crate) fn owns(&self, path: &Path) -> bool {
        let names = || TRAINED.iter().chain(&ADDED);
        names().any(|name| same_file(&self.0.join(name), path))
    }

    /// Whether `path` is the run's own ONNX file.
    pub(crate) fn is_onnx(&self, path: &Path) -> bool {
        same_file(&self.onnx(), path)
    }

    /// Proves that a run may be written here: into a folder with a run of Taper's, finished or not, which it replaces, or one
    /// where no file bears the name of one of its own.
    ///
    /// # Errors
    /// [`Error::Foreign`] naming the file in the way, or a folder that cannot be written.
    pub(crate) fn check_free(&self) -> Result<(), Error> {
        check_writable(&self.0)?;
        let mut names = TRAINED.iter().chain(&ADDED).map(|name| self.0.join(name));
        match names.find(|path| path.exists()) {
            Some(file) if self.metrics().is_err() && !self.is_unfinished()? => {
                Err(Error::Foreign { path: self.0.clone(), file })
            }
            _ => Ok(()),
        }
    }

    /// Whether there are checkpoints to go on from.
    fn is_unfinished(&self) -> Result<bool, Error> {
        Ok(CheckpointFolder::has_any(&self.checkpoints()).map_err(TrainError::from)?)
    }

    /// Deletes what [`RunFolder::replace`] had moved when its process was killed: without checkpoints, no one could tell
    /// whose it is. A run whose metrics are there stays.
    ///
    /// # Errors
    /// [`Error::Write`] naming the file that cannot be deleted.
    pub(crate) fn forget_unfinished(&self) -> Result<(), Error> {
        if self.0.join(METRICS).exists() || !self.is_unfinished()? {
            return Ok(());
        }
        TRAINED.iter().chain(&ADDED).try_for_each(|name| remove(&self.0.join(name)))
    }

    /// Deletes what a run goes on from: it is over, or begins anew.
    ///
    /// # Errors
    /// [`Error`] naming what cannot be deleted.
    pub(crate) fn clear_checkpoints(&self, checkpoints: &CheckpointFolder) -> Result<(), Error> {
        remove(&self.live_events())?;
        Ok(checkpoints.clear().map_err(TrainError::from)?)
    }

    /// Whether there is a run that was trained to its end.
    pub(crate) fn is_whole(&self) -> bool {
        self.metrics().is_ok_and(|metrics| !metrics.train.interrupted)
    }

    /// Takes the place of an earlier run: all files are written by `write` into a folder beside their places first, so
    /// that a full disk leaves the earlier run as it was. Other files in the folder stay.
    ///
    /// # Errors
    /// [`Error`] naming the file that could not be written.
    pub(crate) fn replace(&self, write: impl FnOnce(&RunFolder) -> Result<(), Error>) -> Result<(), Error> {
        let staging = staging_folder(&self.0)?;
        let staged = RunFolder::new(staging.path());
        write(&staged)?;
        for name in [METRICS].iter().chain(&ADDED) {
            remove(&self.0.join(name))?;
        }
        taper_report::remove_plots(&self.plots())?;
        for name in TRAINED {
            move_into_place(&staged.0.join(name), &self.0.join(name))?;
        }
        Ok(())
    }

    /// Reads the configuration the run was made with.
    ///
    /// # Errors
    /// [`Error`] naming the file and what is wrong with it.
    pub fn config(&self) -> Result<Config, Error> {
        Config::read(&self.0.join("config.toml"))
    }

    pub(crate) fn write_config(&self, text: &str) -> Result<(), WriteError> {
        write_text(&self.0.join("config.toml"), text)
    }

    /// Reads the metrics.
    ///
    /// # Errors
    /// [`Error`] naming the file and what is wrong with it.
    pub fn metrics(&self) -> Result<Metrics, Error> {
        let path = self.0.join(METRICS);
        let text = read_text(&path)?;
        serde_json::from_str(&text).map_err(|error| Error::Content {
            path,
            what: "metrics file of a run",
            cause: error.to_string(),
        })
    }

    pub(crate) fn write_metrics(&self, metrics: &Metrics) -> Result<(), WriteError> {
        let path = self.0.join(METRICS);
        let text = serde_json::to_string_pretty(metrics)
            .map_err(|error| WriteError::new(&path, io::Error::other(error)))?;
        write_text(&path, &(text + "\n"))
    }

    /// Reads the history.
    ///
    /// # Errors
    /// [`Error`] naming the file, the line and what is wrong with it.
    pub fn read_history(&self) -> Result<History, Error> {
        let path = self.history();
        History::from_csv(&read_text(&path)?).map_err(|error| Error::Content {
            path,
            what: "history of a run",
            cause: error.to_string(),
        })
    }

    /// Reads the weights, and the metadata with the network they are of.
    ///
    /// # Errors
    /// [`Error`] naming the file and what is wrong with it.
    pub fn network(&self) -> Result<(Weights, Metadata), Error> {
        Ok(safetensors::load_network(&self.safetensors())?)
    }
}

fn write_text(path: &Path, text: &str) -> Result<(), WriteError> {
    write_atomic(path, |file| file.write_all(text.as_bytes()))
}

/// Deletes a file, which need not be there.
fn remove(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(WriteError::new(path, cause).into()),
        _ => Ok(()),
    }
}

/// Whether two paths name one file, which need not be there.
pub(crate) fn same_file(a: &Path, b: &Path) -> bool {
    let folder = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        fs::canonicalize(parent.unwrap_or(Path::new("."))).ok()
    };
    a.file_name() == b.file_name() && folder(a).is_some() && folder(a) == folder(b)
}

/// The run under `runs` that was trained to its end and whose metrics are newest.
///
/// # Errors
/// [`Error::NoRuns`] if there is none.
pub fn newest_run(runs: &Path) -> Result<RunFolder, Error> {
    let entries = fs::read_dir(runs).map_err(|_| Error::NoRuns)?;
    let finished = entries.flatten().filter_map(|entry| {
        let folder = RunFolder::finished(&entry.path()).ok().filter(RunFolder::is_whole)?;
        let time = fs::metadata(folder.0.join(METRICS)).and_then(|metrics| metrics.modified()).ok()?;
        Some((time, folder))
    });
    finished.max_by_key(|(time, _)| *time).map(|(_, folder)| folder).ok_or(Error::NoRuns)
}
