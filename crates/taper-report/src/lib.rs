//! What people look at after a training run: the model card, the report, and plots.
//!
//! A [`ModelCard`], the `README.md` that goes with the weights, says in plain words what the network is, what data it was
//! trained on, how well it does, and how to run it, with a YAML header as the Hugging Face Hub reads it. A [`Report`] is a
//! page of its own, `report.html`, with curves, mistakes and a look into the network; [`plot`] draws what it shows. Both
//! are made of plain values, never of tensors, and hold no date or path: the same run gives the same bytes.
//!
//! ```
//! use taper_graph::Preset;
//! use taper_metrics::Evaluator;
//! use taper_report::{CardOptions, DataFacts, ModelCard};
//!
//! let graph = Preset::LeNet5.graph()?;
//! let data = DataFacts {
//!     name: "synthetic".into(),
//!     source: "synthetic:seed=0".into(),
//!     sha256: "0".repeat(64),
//!     license: None,
//! }; // or a `&taper_data::Provenance`
//! let mut evaluator = Evaluator::new(10);
//! evaluator.update(&[9.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0], &[0u8])?;
//! let evaluation = evaluator.finish()?;
//!
//! let card = ModelCard::new(&graph, data, &evaluation, CardOptions::default());
//! assert!(card.render().contains("never seen MNIST"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod card;
mod data;
mod error;
mod front_matter;
mod maps;
mod markdown;
mod network;
mod picture;
pub mod plot;
mod publish;
mod report;
mod results;
mod shade;
mod snippets;
mod usage;

pub use error::ReportError;
pub use maps::Maps;
pub use picture::Picture;
pub use report::{
    Curves, EpochPoint, Explanation, OverlaidRun, Overlay, PLOTS, Report, ReportParts, Sample, Speed,
    StepPoint, remove_plots,
};

pub use card::{CardOptions, DataFacts, ExportFacts, ModelCard, SplitSizes};
