//! The folder of a run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use taper_export::{Metadata, safetensors};
use taper_files::{WriteError, write_atomic};
use taper_graph::Weights;

use crate::config::{Config, read_text};
use crate::error::Error;
use crate::metrics::Metrics;

const METRICS: &str = "metrics.json";

/// Everything a run leaves, in the order it is deleted when another run replaces it: `metrics.json`, which says that a
/// run is finished, goes first and comes last.
const FILES: [&str; 6] =
    [METRICS, "model.onnx", "model.safetensors", "history.csv", "config.toml", "README.md"];

/// The folder of a run: `model.safetensors`, `model.onnx`, `metrics.json`, `history.csv`, `config.toml`, `README.md`.
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

    /// The model card.
    pub fn card(&self) -> PathBuf {
        self.0.join("README.md")
    }

    /// Deletes what an earlier run left, and nothing else: a folder may hold other files too.
    ///
    /// # Errors
    /// [`WriteError`] naming the file that could not be deleted.
    pub(crate) fn clear(&self) -> Result<(), WriteError> {
        for path in FILES.map(|file| self.0.join(file)) {
            match fs::remove_file(&path) {
                Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                    return Err(WriteError::new(&path, cause));
                }
                _ => {}
            }
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

    pub(crate) fn write_config(&self, config: &Config) -> Result<(), WriteError> {
        write_text(&self.0.join("config.toml"), &config.to_toml())
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

/// The finished run under `runs` whose metrics are newest.
///
/// # Errors
/// [`Error::NoRuns`] if there is none.
pub fn newest_run(runs: &Path) -> Result<RunFolder, Error> {
    let entries = fs::read_dir(runs).map_err(|_| Error::NoRuns)?;
    let finished = entries.flatten().filter_map(|entry| {
        let folder = RunFolder::finished(&entry.path()).ok()?;
        let time = fs::metadata(folder.0.join(METRICS)).and_then(|metrics| metrics.modified()).ok()?;
        Some((time, folder))
    });
    finished.max_by_key(|(time, _)| *time).map(|(_, folder)| folder).ok_or(Error::NoRuns)
}
