//! Whether a run starts anew or goes on, and with what.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use taper_graph::Graph;
use taper_train::{Checkpoint, CheckpointFolder, TrainError};

use super::{Data, Observer};
use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
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
    /// If it was not finished, it is gone on with; a finished one is replaced, unless only its scores or its ONNX file are
    /// missing.
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
    /// Training begins, anew or from a checkpoint.
    Begins {
        /// The folder of the run.
        folder: &'a RunFolder,
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

/// The checkpoint to go on from, if there is one to go on from, and its file.
pub(super) fn found(
    folder: &RunFolder,
    checkpoints: &CheckpointFolder,
    start: Start,
    graph: &Graph,
    observer: &mut Observer<'_>,
) -> Result<Option<(PathBuf, Checkpoint)>, Error> {
    if start == Start::Anew {
        folder.forget_unfinished()?;
        folder.clear_checkpoints(checkpoints)?;
        return Ok(None);
    }
    let found = checkpoints.find(graph).map_err(TrainError::from)?;
    for (path, reason) in &found.damaged {
        (observer.run)(RunEvent::Damaged { path, reason });
    }
    if let Some((from, checkpoint)) = &found.newest {
        (observer.run)(RunEvent::GoesOn { from, steps: checkpoint.history.steps.len() });
    }
    Ok(found.newest)
}

/// Whether the trained run in `folder` is the one that is asked for, and is not to be trained anew: one that was stopped
/// before it was scored and exported needs no more than that.
///
/// # Errors
/// [`Error::OtherSettings`] for another run, where one that is there is to be left.
pub(super) fn is_kept(folder: &RunFolder, start: Start, config: &Config, data: &Data) -> Result<bool, Error> {
    let metrics = folder.metrics()?;
    let same = check_finished(folder, &metrics, config, data);
    let is_of_now = metrics.taper_version == env!("CARGO_PKG_VERSION")
        && metrics.train.instruction_set == config.computes_with();
    match start {
        Start::Resume => same.map(|()| true),
        Start::Unfinished => {
            Ok(same.is_ok() && is_of_now && (metrics.test.is_none() || metrics.export.is_none()))
        }
        Start::Anew => Ok(false),
    }
}

/// Proves that the finished run in `folder` is the one that is asked for.
fn check_finished(folder: &RunFolder, metrics: &Metrics, config: &Config, data: &Data) -> Result<(), Error> {
    let is = asked(config, &data.provenance.sha256)?;
    let mut was = asked(&folder.config()?, &metrics.dataset.sha256)?;
    // A licence may have been written into the run's configuration since.
    if config.license.is_none() {
        was.remove("license");
    }
    let of = |settings: &BTreeMap<String, String>, name: &str| {
        settings.get(name).map_or("not given", String::as_str).to_owned()
    };
    match is.keys().chain(was.keys()).find(|name| is.get(*name) != was.get(*name)) {
        None => Ok(()),
        Some(name) => Err(Error::OtherSettings {
            path: folder.path().to_owned(),
            setting: name.clone(),
            was: of(&was, name),
            is: of(&is, name),
        }),
    }
}

/// Everything that decides what a run computes, by name: what was asked for, and what the program is made of.
pub(super) fn settings(config: &Config, data: &Data) -> Result<BTreeMap<String, String>, Error> {
    let mut settings = asked(config, &data.provenance.sha256)?;
    settings.insert("Taper's version".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    settings.insert(
        "the instruction set (TAPER_ISA, --deterministic-portable)".to_owned(),
        config.computes_with().to_owned(),
    );
    Ok(settings)
}

/// What the hash of the data is called among the settings.
pub(super) const DATA: &str = "the data's SHA-256";

/// What was asked for, by name: the configuration but for the threads and where its data lie, and the hash of the data.
pub(super) fn asked(config: &Config, sha256: &str) -> Result<BTreeMap<String, String>, Error> {
    let no_toml = |cause: toml::ser::Error| Error::NoToml { cause: cause.to_string() };
    let mut settings = BTreeMap::new();
    flatten("", &toml::Value::try_from(config).map_err(no_toml)?, &mut settings);
    for elsewhere in ["threads", "data.data_dir", "data.revision"] {
        settings.remove(elsewhere);
    }
    settings.insert(DATA.to_owned(), sha256.to_owned());
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
        // A whole network would drown the error that names it.
        toml::Value::String(text) if text.contains('\n') => {
            let digest: String = Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect();
            settings.insert(name.to_owned(), format!("a text with the SHA-256 {digest}"));
        }
        other => {
            settings.insert(name.to_owned(), other.to_string());
        }
    }
}
