//! `metrics.json`: what a run used and what it reached.

use serde::{Deserialize, Serialize};
use taper_export::onnx::Profile;
use taper_metrics::Evaluation;
use taper_train::EpochTiming;

/// The whole of `metrics.json`. Training fills all but the last two parts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Metrics {
    /// The version of Taper.
    pub taper_version: String,
    /// The data actually used.
    pub dataset: DatasetMetrics,
    /// The network.
    pub model: ModelMetrics,
    /// The training run.
    pub train: TrainMetrics,
    /// Scores on the test images, looked at once, at the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Evaluation>,
    /// The same, on the mean of the answers to every image and to the image shifted by a pixel to all eight sides
    /// (test-time augmentation), if that was asked for. The model alone does not reach it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_shifted: Option<Evaluation>,
    /// The ONNX file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub export: Option<ExportMetrics>,
}

/// The data actually used.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DatasetMetrics {
    /// `mnist`, `synthetic`, `custom` for other data; for images in folders, the name of the data folder.
    pub name: String,
    /// Where they came from, the same on every machine.
    pub source: String,
    /// One hash over all decoded images and labels.
    pub sha256: String,
    /// The licence of the data, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub license: Option<String>,
    /// What each class is called, in the order of the logits.
    pub class_names: Vec<String>,
    /// Mean and standard deviation of each channel of the images trained on, of values from 0 to 1, if the network begins with a layer
    /// that normalises by them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub normalized_by: Option<NormalizedBy>,
    /// Files left out because they are no whole images.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub skipped: usize,
    /// Images trained on.
    pub train: usize,
    /// Images that chose the best epoch.
    pub validation: usize,
    /// Images that the scores under `test` are of.
    pub test: usize,
    /// Why these are synthetic digits although MNIST was wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// What pixels are normalised by, channel by channel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NormalizedBy {
    /// What is subtracted.
    pub mean: Vec<f32>,
    /// What is then divided by.
    pub std: Vec<f32>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ModelMetrics {
    /// Its name.
    pub name: String,
    /// Its trainable parameters.
    pub parameters: usize,
    /// Multiply-adds of one forward pass of one image.
    pub multiply_adds: u64,
}

/// The training run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrainMetrics {
    /// Epochs that were completed.
    pub epochs: usize,
    /// The epoch whose weights were kept, from 1: the one with the lowest validation loss.
    pub best_epoch: Option<usize>,
    /// Validation loss of that epoch.
    pub validation_loss: Option<f64>,
    /// Validation accuracy of that epoch, as a fraction.
    pub validation_accuracy: Option<f64>,
    /// Wall time of all training steps; validation excluded.
    pub seconds: f64,
    /// Images over those seconds.
    pub images_per_second: f64,
    /// The seed.
    pub seed: u64,
    /// Threads computed on.
    pub threads: usize,
    /// Processes that shared the work, each with so many threads.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub processes: usize,
    /// Seconds in which this one talked to the others or waited for them in training steps, if there were any; what went on beside
    /// the backward pass included, and the steps before a resumed run's last start left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exchange_seconds: Option<f64>,
    /// The instruction set computed on, which the last bits depend on: `avx2`, `neon` or `portable`.
    #[serde(default)]
    pub instruction_set: String,
    /// Whether the run was stopped before it was through.
    pub interrupted: bool,
    /// The time of each epoch's training steps.
    pub per_epoch: Vec<EpochTiming>,
}

/// The ONNX file and the proof that it computes what the trained network computes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ExportMetrics {
    /// The version of the operator set.
    pub opset: u32,
    /// The version of the file format.
    pub ir_version: u32,
    /// The runtimes it is for: `portable`, `onnxruntime`, ….
    #[serde(default = "portable")]
    pub profile: String,
    /// Why it is for ONNX Runtime only, if no profile was asked for and not all runtimes have what it needs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_portable: Option<String>,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Greatest difference of any logit from the trained network's.
    pub max_abs_diff: f64,
    /// Test images that were compared.
    pub verified_images: usize,
    /// The runtime that was compared with.
    pub runtime: String,
    /// What becomes of it in int8, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub int8: Option<Int8Metrics>,
}

/// A file in int8 beside the trained network, on all test images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Int8Metrics {
    /// The size of the float32 file that it was made from.
    pub float_bytes: usize,
    /// How the ranges of values were chosen: `min-max`, `percentile` or `entropy`.
    pub calibration: String,
    /// Training images that they were chosen on.
    pub calibration_images: usize,
    /// Mean absolute difference of all numbers answered from the network's: of logits, unless the file ends otherwise.
    pub mean_abs_diff: f64,
    /// The share of images for which both name the same class.
    pub agreement: f64,
    /// The network's accuracy.
    pub float_accuracy: f64,
    /// The file's accuracy.
    pub accuracy: f64,
}

/// What a run before processes were counted had.
fn one() -> usize {
    1
}

fn is_one(count: &usize) -> bool {
    *count == 1
}

/// What files of earlier versions of Taper are.
fn portable() -> String {
    Profile::Portable.name().to_owned()
}
