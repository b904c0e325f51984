//! The steps of a run: get the data, train, evaluate, export, predict.
//!
//! ```no_run
//! use taper::pipeline::{self, Form, Observer, RunOptions};
//! use taper::train::Control;
//!
//! let config = taper::Config::default();
//! let mut observer = Observer { data: &mut |_| (), run: &mut |_| (), train: &mut |_| Control::Continue };
//! let run = pipeline::train(&config, &RunOptions::default(), &mut observer)?;
//! let test = pipeline::evaluate(&run.folder, &run.data)?;
//! let exported = pipeline::export(&run.folder, &run.data, &run.folder.onnx(), &Form::default())?;
//! println!("{} of the test images, ONNX within {:e}", test.accuracy, exported.max_abs_diff);
//! # Ok::<(), taper::Error>(())
//! ```

mod compare;
mod demo;
mod evaluate;
mod export;
mod export_file;
mod find;
mod fit;
mod form;
mod predict;
mod ranks;
mod report;
mod resume;
mod timed;
mod train;

pub use compare::{ComparedRun, Comparison, compare, overlay};
pub use demo::{DemoSamples, demo, demo_samples};
pub use evaluate::{evaluate, evaluate_shifted};
pub use export::{export, reference};
pub use export_file::{Foreign, export_file};
pub use find::find_learning_rate;
pub use form::{Form, Int8Form};
pub use predict::{Prediction, Predictor};
pub use ranks::follow;
pub use report::report;
pub use resume::{RunEvent, RunOptions, Start};
pub use train::{TrainedRun, lead, train};

use taper_data::{Dataset, LoadEvent, Loaded, Provenance, load};
use taper_train::{Control, Event};

use crate::config::DataConfig;
use crate::error::Error;
use crate::metrics::Metrics;

/// Images classified at once where no gradient is needed.
const EVALUATION_BATCH: usize = 100;

/// Test images that every exported file is run on.
const VERIFIED_IMAGES: usize = 1000;

/// Who is told how a run goes.
pub struct Observer<'a> {
    /// Hears how the data are had.
    pub data: &'a mut dyn FnMut(LoadEvent),
    /// Hears what is found in the folder of the run.
    pub run: &'a mut dyn FnMut(RunEvent<'_>),
    /// Hears how training goes, and can stop it.
    pub train: &'a mut dyn FnMut(&Event<'_>) -> Control,
}

impl std::fmt::Debug for Observer<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Observer")
    }
}

/// The data of a run.
#[derive(Debug, Clone)]
pub struct Data {
    /// Images to train on and, unless the data set some apart for that, to validate with, not yet split.
    pub train: Dataset,
    /// Images that the data set apart to validate with.
    pub validation: Option<Dataset>,
    /// Images looked at once, at the end.
    pub test: Dataset,
    /// What they are.
    pub provenance: Provenance,
    /// Why these are synthetic digits although MNIST was wanted.
    pub fallback: Option<String>,
    /// Files left out because they are no whole images.
    pub skipped: usize,
}

/// Gets the data that `config` asks for: all files are read and checked.
///
/// # Errors
/// [`Error::Data`] naming the file, the place and the remedy.
pub fn load_data(config: &DataConfig, on_event: &mut dyn FnMut(LoadEvent)) -> Result<Data, Error> {
    let Loaded { train, validation, test, provenance, fallback, skipped, .. } =
        load(&config.load_options(), on_event)?;
    Ok(Data { train, validation, test, provenance, fallback, skipped: skipped.len() })
}

/// Proves that these are the data that a run was trained on.
fn check_same_data(metrics: &Metrics, data: &Data) -> Result<(), Error> {
    if metrics.dataset.sha256 == data.provenance.sha256 {
        return Ok(());
    }
    Err(Error::OtherData {
        expected_name: metrics.dataset.name.clone(),
        expected: metrics.dataset.sha256.clone(),
        found_name: data.provenance.name.clone(),
        found: data.provenance.sha256.clone(),
    })
}
