//! The model card of a training run: the `README.md` that goes with the weights.
//!
//! A [`ModelCard`] says in plain words what the network is, what data it was trained on, how well it does, and
//! how to run it, with a YAML header as the Hugging Face Hub reads it. It is made of plain values, never of
//! tensors, and holds no date, timing or path: the same run gives the same bytes.
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
mod front_matter;
mod markdown;
mod network;
mod results;
mod usage;

pub use card::{CardOptions, DataFacts, ExportFacts, ModelCard, SplitSizes};
