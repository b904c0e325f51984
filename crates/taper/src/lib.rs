//! Train an image classifier in pure Rust and ship it as ONNX.
//!
//! This crate brings the others together: [`pipeline`] gets the data, trains, evaluates and exports as the program
//! `taper` does, and the parts are here under short names.
//!
//! ```
//! use taper::data::{Dataset, Images};
//! use taper::graph::{Conv2d, Graph, Linear, MaxPool2d, Op};
//! use taper::model::Model;
//! use taper::train::{Control, FitConfig, fit};
//!
//! // Two kinds of 8×8 images: bright at the top, and bright at the bottom.
//! let image = |kind: usize| (0..64).map(move |pixel| if pixel / 32 == kind { 200 } else { 10 });
//! let pixels: Vec<u8> = (0..64).flat_map(|i| image(i % 2)).collect();
//! let labels: Vec<u8> = (0..64).map(|i| (i % 2) as u8).collect();
//! let images = Images::new(64, 1, 8, 8, pixels)?;
//! let data = Dataset::new(images, labels, vec!["top".into(), "bottom".into()])?;
//!
//! let graph = Graph::sequential("small", &[1, 8, 8], [
//!     Op::Conv2d(Conv2d::new(4, 3).padding(1)),
//!     Op::Relu,
//!     Op::MaxPool2d(MaxPool2d::new(2)),
//!     Op::Flatten,
//!     Op::Linear(Linear::new(2)),
//! ])?;
//! let config = FitConfig { epochs: 10, batch_size: 16, learning_rate: 0.01, ..FitConfig::default() };
//! let fitted = fit(Model::new(graph, config.seed)?, &data, &data, &config, &mut |_| Control::Continue)?;
//! assert_eq!(fitted.history.epochs[9].validation_accuracy, 1.0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod config;
mod error;
mod metrics;
#[cfg(feature = "mpi")]
pub mod mpi;
pub mod pipeline;
mod run;

pub use config::{Config, DataConfig, ModelConfig, check_license};
pub use error::Error;
pub use metrics::{
    DatasetMetrics, ExportMetrics, Int8Metrics, Metrics, ModelMetrics, NormalizedBy, TrainMetrics,
};
pub use run::{RunFolder, RunLock, newest_run};

pub use taper_data as data;
pub use taper_demo as demo;
pub use taper_export as export;
pub use taper_graph as graph;
pub use taper_kernels as kernels;
pub use taper_metrics as scores;
pub use taper_model as model;
pub use taper_report as report;
pub use taper_train as train;

/// The examples of the README and of the pages in `docs/`, run as tests.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../../../README.md")]
    struct Readme;
    #[doc = include_str!("../../../docs/crates.md")]
    struct Crates;
    #[doc = include_str!("../../../docs/devices.md")]
    struct Devices;
    #[doc = include_str!("../../../docs/networks.md")]
    struct Networks;
    #[doc = include_str!("../../../docs/candle.md")]
    struct Candle;
    #[doc = include_str!("../../../docs/loading.md")]
    struct Loading;
    #[doc = include_str!("../../../docs/tutorial.md")]
    struct Tutorial;
}
