//! What an exported file says about the network in it.

use serde::{Deserialize, Serialize};
use taper_graph::Graph;

/// What an exported file says about the network in it: enough to use it without asking anyone.
///
/// It holds nothing that differs from run to run (no timing, no thread count, no local path), so that the same
/// training gives the same bytes. Fields are declared in alphabetical order, in which they are also written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The share of test images classified rightly, from 0 to 1, if it was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<f64>,
    /// The name of each class, in the order of the logits.
    pub class_names: Vec<String>,
    /// The data it was trained on.
    pub dataset: DatasetInfo,
    /// The network; in the file, its TOML text.
    pub graph: Graph,
    /// What becomes of a pixel before the network sees it.
    #[serde(default)]
    pub normalization: Normalization,
    /// The version of Taper that wrote the file.
    pub version: String,
}

/// The data a network was trained on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Its name: `mnist`, `synthetic`, ….
    pub name: String,
    /// The SHA-256 of the decoded images and labels, in hexadecimal.
    pub sha256: String,
    /// Where it came from, in words that are the same on every machine: `ylecun/mnist@main`, not a local path.
    pub source: String,
}

/// What becomes of a pixel before the network sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Normalization {
    /// Bytes from 0 to 255 are mapped to this range, linearly.
    pub range: [f32; 2],
}

impl Default for Normalization {
    /// Bytes divided by 255: from 0 to 1.
    fn default() -> Self {
        Self { range: [0.0, 1.0] }
    }
}

impl Metadata {
    /// What can be said about `graph` by itself, under the running version of Taper; the fields are public, to be
    /// filled in.
    pub fn new(graph: Graph, dataset: DatasetInfo, class_names: Vec<String>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { accuracy: None, class_names, dataset, graph, normalization: Normalization::default(), version }
    }

    /// As ONNX's `metadata_props`: name and text, sorted by name. Lists and ranges are JSON. The graph is left out:
    /// an ONNX file is one already.
    pub fn to_props(&self) -> Vec<(String, String)> {
        let mut props = vec![
            ("class_names", json(&self.class_names)),
            ("dataset", self.dataset.name.clone()),
            ("dataset_sha256", self.dataset.sha256.clone()),
            ("dataset_source", self.dataset.source.clone()),
            ("normalization", json(&self.normalization)),
            ("taper_version", self.version.clone()),
        ];
        props.extend(self.accuracy.map(|accuracy| ("accuracy", accuracy.to_string())));
        props.sort();
        props.into_iter().map(|(name, text)| (name.to_owned(), text)).collect()
    }

    /// What [`Metadata::to_props`] wrote of the network `graph`, in any order; `None` if these are other texts, or more.
    pub(crate) fn from_props(props: &[(String, String)], graph: &Graph) -> Option<Self> {
        let text = |name: &str| props.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str());
        let metadata = Self {
            accuracy: text("accuracy").map(str::parse).transpose().ok()?,
            class_names: serde_json::from_str(text("class_names")?).ok()?,
            dataset: DatasetInfo {
                name: text("dataset")?.to_owned(),
                sha256: text("dataset_sha256")?.to_owned(),
                source: text("dataset_source")?.to_owned(),
            },
            graph: graph.clone(),
            normalization: serde_json::from_str(text("normalization")?).ok()?,
            version: text("taper_version")?.to_owned(),
        };
        let mut props = props.to_vec();
        props.sort();
        (metadata.to_props() == props).then_some(metadata)
    }
}

/// Strings and numbers always have a JSON form.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
