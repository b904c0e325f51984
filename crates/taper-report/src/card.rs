//! [`ModelCard`]: what goes in, and the order in which it is told.

use std::borrow::Cow;
use std::path::Path;

use taper_data::Provenance;
use taper_files::WriteError;
use taper_graph::Graph;
use taper_metrics::Evaluation;

use crate::markdown::escape;
use crate::{data, front_matter, network, publish, results, usage};

/// The model card of one trained network.
///
/// Its layout follows the Hugging Face Hub's model cards (Mitchell et al. 2018, "Model Cards for Model
/// Reporting").
#[derive(Debug, Clone)]
pub struct ModelCard<'a> {
    pub(crate) graph: &'a Graph,
    pub(crate) data: DataFacts,
    pub(crate) evaluation: &'a Evaluation,
    pub(crate) options: CardOptions,
}

/// What the data are, in words that are the same on every machine.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DataFacts {
    /// `mnist`, `synthetic`, or the name of other data.
    pub name: String,
    /// Where they came from, such as `hub:ylecun/mnist@main`.
    pub source: String,
    /// One hash over all decoded images and labels.
    pub sha256: String,
    /// The licence of the data, where known.
    pub license: Option<String>,
}

impl From<&Provenance> for DataFacts {
    /// All but the folder, which differs from machine to machine.
    fn from(provenance: &Provenance) -> Self {
        Self {
            name: provenance.name.clone(),
            source: provenance.source.clone(),
            sha256: provenance.sha256.clone(),
            license: provenance.license.clone(),
        }
    }
}

/// What a card can say beyond the network, its data and its scores. What is left out is not mentioned.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct CardOptions {
    /// What each class is called, in order; numbered from 0 when there are not as many as classes.
    pub class_names: Vec<String>,
    /// The licence of the weights, as the Hub spells it, such as `mit`.
    pub license: Option<String>,
    /// How many images each part of the data had.
    pub splits: Option<SplitSizes>,
    /// The training recipe: pairs of setting and value, in the order they are to be shown.
    pub training: Vec<(String, String)>,
    /// What is known of the ONNX file, if there is one.
    pub export: Option<ExportFacts>,
    /// The version of Taper that trained the network.
    pub taper_version: Option<String>,
}

/// Number of images in each part of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SplitSizes {
    /// Images the weights were fitted to.
    pub train: usize,
    /// Images the best epoch was chosen by.
    pub validation: usize,
    /// Images the scores come from.
    pub test: usize,
}

/// What is known of the exported `model.onnx`.
#[derive(Debug, Clone, PartialEq)]
pub struct ExportFacts {
    /// The version of the ONNX operator set.
    pub opset: u32,
    /// The version of the ONNX file format.
    pub ir_version: u32,
    /// The runtime that the file was verified in, such as `rten 0.27.0`.
    pub runtime: String,
    /// How many images it was verified on.
    pub verified_images: usize,
    /// The greatest absolute difference of any logit from the trained network's.
    pub max_abs_diff: f64,
}

impl<'a> ModelCard<'a> {
    /// A card for the network `graph`, trained on `data` (facts, or a [`&Provenance`](Provenance)) and scored as
    /// `evaluation` on its test images.
    #[must_use]
    pub fn new(
        graph: &'a Graph,
        data: impl Into<DataFacts>,
        evaluation: &'a Evaluation,
        options: CardOptions,
    ) -> Self {
        Self { graph, data: data.into(), evaluation, options }
    }

    /// The card as Markdown with a YAML header. The same inputs give the same text.
    #[must_use]
    pub fn render(&self) -> String {
        let sections = [
            front_matter::render(self),
            data::introduction(self),
            network::render(self),
            data::render(self),
            network::training(self),
            results::render(self),
            usage::render(self),
            data::limits(self),
            publish::render(self),
        ];
        let told: Vec<&str> =
            sections.iter().map(|section| section.trim_end()).filter(|s| !s.is_empty()).collect();
        told.join("\n\n") + "\n"
    }

    /// Writes the card to `path`, usually `README.md` of the run's folder, in one step.
    ///
    /// # Errors
    /// [`WriteError`] with the path and the cause; an earlier file then stays as it was.
    pub fn write(&self, path: &Path) -> Result<(), WriteError> {
        taper_files::write_atomic(path, |file| file.write_all(self.render().as_bytes()))
    }

    /// What class `index` is called, as given.
    pub(crate) fn plain_class_name(&self, index: usize) -> Cow<'_, str> {
        let names = &self.options.class_names;
        let name = names.get(index).filter(|_| names.len() == self.evaluation.per_class.len());
        name.map_or_else(|| index.to_string().into(), |name| name.into())
    }

    /// What class `index` is called, safe in a Markdown table.
    pub(crate) fn class_name(&self, index: usize) -> String {
        escape(&self.plain_class_name(index))
    }
}
