//! Whether a run starts anew or goes on, and with what.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use taper_graph::Graph;
use taper_kernels::Isa;
use taper_train::{CheckpointFolder, Found, TrainError};

use super::{Data, Observer};
use crate::config::Config;
use crate::error::Error;
use crate::run::RunFolder;

/// Where a run goes, and how it is kept safe on its way there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunOptions {
    /// The folder of the run; `runs/<dataset>-<network>` if not given.
    pub out: Option<PathBuf>,
    /// What becomes of a run that is in the folder.
    pub start: Start,
    /// Steps from one checkpoint to the next; one more comes after every epoch, and one when the run is interrupted.
    pub checkpoint_every: NonZeroUsize,
    /// Checkpoints that are kept, the newest.
    pub keep_checkpoints: NonZeroUsize,
}

/// What becomes of a run that is in the folder already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// It is replaced; if it was not finished, it is forgotten.
    #[default]
    Anew,
    /// If it was not finished, it is gone on with; a finished one is replaced.
    Unfinished,
    /// If it was not finished, it is gone on with; a finished one is left as it is.
    Resume,
}

impl Default for RunOptions {
    fn default() -> Self {
        let [every, keep] = [250, 3].map(|number| NonZeroUsize::new(number).unwrap_or(NonZeroUsize::MIN));
        Self { out: None, start: Start::default(), checkpoint_every: every, keep_checkpoints: keep }
    }
}

/// What a run finds in its folder.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunEvent<'a> {
    /// It goes on from a checkpoint.
    GoesOn {
        /// The checkpoint.
        from: &'a Path,
        /// Steps that were made before.
        steps: usize,
    },
    /// A checkpoint is passed over.
    Damaged {
        /// The checkpoint.
        path: &'a Path,
        /// What is wrong with it.
        reason: &'a str,
    },
    /// The run in the folder is finished: there is nothing to do.
    Finished {
        /// The folder.
        folder: &'a Path,
    },
}

/// The checkpoints of a run with this configuration.
pub(super) fn checkpoints(
    folder: &RunFolder,
    config: &Config,
    data: &Data,
    options: &RunOptions,
) -> Result<CheckpointFolder, Error> {
    Ok(CheckpointFolder::new(folder.checkpoints(), options.keep_checkpoints, settings(config, data)?))
}

/// The checkpoint to go on from, if there is one to go on from.
pub(super) fn found(
    checkpoints: &CheckpointFolder,
    start: Start,
    graph: &Graph,
    observer: &mut Observer<'_>,
) -> Result<Option<Found>, Error> {
    if start == Start::Anew {
        checkpoints.clear().map_err(TrainError::from)?;
        return Ok(None);
    }
    let found = checkpoints.newest(graph).map_err(TrainError::from)?;
    if let Some(found) = &found {
        for (path, reason) in &found.damaged {
            (observer.run)(RunEvent::Damaged { path, reason });
        }
        let steps = found.checkpoint.history.steps.len();
        (observer.run)(RunEvent::GoesOn { from: &found.path, steps });
    }
    Ok(found)
}

/// Everything that decides what a run computes, by name: the configuration but for the threads and where its data lie, the
/// data themselves, and what the program is made of.
fn settings(config: &Config, data: &Data) -> Result<BTreeMap<String, String>, Error> {
    let no_toml = |cause: toml::ser::Error| Error::NoToml { cause: cause.to_string() };
    let mut settings = BTreeMap::new();
    flatten("", &toml::Value::try_from(config).map_err(no_toml)?, &mut settings);
    for elsewhere in ["threads", "data.data_dir", "data.revision"] {
        settings.remove(elsewhere);
    }
    settings.insert("the data's SHA-256".to_owned(), data.provenance.sha256.clone());
    settings.insert("Taper's version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    settings.insert("the instruction set (TAPER_ISA)".to_owned(), Isa::current().name().to_owned());
    Ok(settings)
}

fn flatten(name: &str, value: &toml::Value, settings: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (key, value) in table {
                let dot = if name.is_empty() { "" } else { "." };
                flatten(&format!("{name}{dot}{key}"), value, settings);
            }
        }
        other => {
            settings.insert(name.to_owned(), other.to_string());
        }
    }
}
