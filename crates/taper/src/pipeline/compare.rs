//! Finished runs side by side.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde::Serialize;
use taper_report::{OverlaidRun, Overlay};

use super::report::curves;
use super::resume::{DATA, asked};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::run::RunFolder;

/// Runs, and what they were made with as far as it differs between them.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Comparison {
    /// The names of the settings that not all runs have alike, such as `train.learning_rate`.
    pub differing: Vec<String>,
    /// Whether all were made with the same images, so that their scores can be compared.
    pub same_data: bool,
    /// The runs, in the order they were given.
    pub runs: Vec<ComparedRun>,
}

/// One run of a [`Comparison`]. What it has not come to yet is `None`, in JSON null.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ComparedRun {
    /// Its folder, as it was given.
    pub run: String,
    /// The name of the network.
    pub network: String,
    /// Its trainable parameters.
    pub parameters: usize,
    /// The values of the settings that differ; one that the run does not have is left out.
    pub settings: BTreeMap<String, String>,
    /// Epochs that were completed.
    pub epochs: usize,
    /// Whether it was stopped before it was through.
    pub interrupted: bool,
    /// The epoch whose weights were kept, from 1.
    pub best_epoch: Option<usize>,
    /// Mean loss over the validation images, in that epoch; with the label smoothing of the run.
    pub validation_loss: Option<f64>,
    /// Fraction of the validation images classified rightly, in that epoch.
    pub validation_accuracy: Option<f64>,
    /// Mean cross-entropy over the test images.
    pub test_loss: Option<f64>,
    /// Fraction of the test images classified rightly.
    pub test_accuracy: Option<f64>,
    /// Seconds of all training steps.
    pub seconds: f64,
    /// Training images per second.
    pub images_per_second: f64,
    /// Bytes of `model.onnx`, with the file of its weights if it has one.
    pub onnx_bytes: Option<u64>,
    /// Bytes of `model.safetensors`.
    pub safetensors_bytes: Option<u64>,
}

/// Reads finished runs and finds what differs between them: results, speed, sizes, and those settings that are not the same
/// in all.
///
/// # Errors
/// [`Error`] naming the folder that holds no finished run, or the file that cannot be read.
pub fn compare(folders: &[RunFolder]) -> Result<Comparison, Error> {
    let mut runs = folders.iter().map(read).collect::<Result<Vec<_>, Error>>()?;
    let names: BTreeSet<String> = runs.iter().flat_map(|run| run.settings.keys().cloned()).collect();
    let differs = |name: &String| runs.iter().any(|run| run.settings.get(name) != runs[0].settings.get(name));
    let differing: Vec<String> = names.into_iter().filter(differs).collect();
    for run in &mut runs {
        run.settings.retain(|name, _| differing.contains(name));
    }
    let same_data = !differing.iter().any(|name| name == DATA);
    Ok(Comparison { differing, same_data, runs })
}

/// The curves of finished runs, to be shown on one page ([`Overlay::write`]). The runs are called by their folders; the table is
/// the caller's.
///
/// # Errors
/// [`Error`] naming the history that cannot be read, and what is wrong with it.
pub fn overlay(folders: &[RunFolder]) -> Result<Overlay, Error> {
    let mut overlay = Overlay::default();
    for folder in folders {
        let name = folder.path().display().to_string();
        overlay.runs.push(OverlaidRun { name, curves: curves(&folder.read_history()?) });
    }
    Ok(overlay)
}

/// A run with all its settings.
fn read(folder: &RunFolder) -> Result<ComparedRun, Error> {
    let metrics = folder.metrics()?;
    let settings = settings(folder, &metrics)?;
    let Metrics { model, train, test, .. } = metrics;
    let onnx = [folder.onnx(), folder.path().join("model.onnx.data")];
    let onnx_bytes = bytes(&onnx[0]).map(|model| model + bytes(&onnx[1]).unwrap_or(0));
    Ok(ComparedRun {
        run: folder.path().display().to_string(),
        network: model.name,
        parameters: model.parameters,
        settings,
        epochs: train.epochs,
        interrupted: train.interrupted,
        best_epoch: train.best_epoch,
        validation_loss: train.validation_loss,
        validation_accuracy: train.validation_accuracy,
        test_loss: test.as_ref().map(|test| test.loss),
        test_accuracy: test.as_ref().map(|test| test.accuracy),
        seconds: train.seconds,
        images_per_second: train.images_per_second,
        onnx_bytes,
        safetensors_bytes: bytes(&folder.safetensors()),
    })
}

/// The configuration, and what else decides speed and bits. The name of a preset is that of the network, which is told anyway.
fn settings(folder: &RunFolder, metrics: &Metrics) -> Result<BTreeMap<String, String>, Error> {
    let mut settings = asked(&folder.config()?, &metrics.dataset.sha256)?;
    settings.remove("model.preset");
    let train = &metrics.train;
    let others = [
        ("threads", train.threads.to_string()),
        ("instruction set", train.instruction_set.clone()),
        ("Taper's version", metrics.taper_version.clone()),
    ];
    settings.extend(others.map(|(name, value)| (name.to_owned(), value)));
    // Texts come as TOML writes them.
    let plain = |value: String| value.trim_matches('"').to_owned();
    Ok(settings.into_iter().map(|(name, value)| (name, plain(value))).collect())
}

fn bytes(path: &Path) -> Option<u64> {
    fs::metadata(path).ok().map(|file| file.len())
}
