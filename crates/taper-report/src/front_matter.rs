//! The YAML header that the Hugging Face Hub reads: licence, tags, dataset and scores.

use crate::card::ModelCard;
use crate::markdown::is_written;

/// See <https://huggingface.co/docs/hub/model-cards>, "Model card metadata".
pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let mut yaml = String::from("---\n");
    if let Some(license) = &card.options.license {
        yaml += &format!("license: {}\n", quoted(license));
    }
    yaml += "library_name: taper\npipeline_tag: image-classification\ntags:\n- image-classification\n";
    if card.options.export.is_some() {
        yaml += "- onnx\n";
    }
    yaml += "- safetensors\n";
    match card.data.name.as_str() {
        "mnist" => yaml += &format!("- mnist\ndatasets:\n- {HUB_MNIST}\n"),
        _ if card.data.is_synthetic() => yaml += "- synthetic-data\n",
        _ => {}
    }
    yaml += "metrics:\n- accuracy\n";
    yaml += &results(card);
    yaml + "---"
}

/// The Hub's own name for the data, wherever this copy of it came from.
const HUB_MNIST: &str = "ylecun/mnist";

/// The scores as the Hub shows them beside the card and compares them: its `model-index`, which is Papers with Code's.
fn results(card: &ModelCard<'_>) -> String {
    let (kind, config) = match card.data.name.as_str() {
        "mnist" => (HUB_MNIST.to_owned(), "      config: mnist\n"),
        other => (quoted(other), ""),
    };
    let mut yaml = format!(
        "model-index:\n- name: {}\n  results:\n  - task:\n      type: image-classification\n      \
         name: Image classification\n    dataset:\n      type: {kind}\n      name: {}\n{config}      split: test\n    \
         metrics:\n",
        quoted(card.graph.name()),
        quoted(card.data.spoken_name()),
    );
    let scores = card.evaluation;
    for (kind, name, value) in
        [("accuracy", "Accuracy", scores.accuracy), ("loss", "Mean cross-entropy", scores.loss)]
    {
        yaml += &format!("    - type: {kind}\n      name: {name}\n      value: {}\n", number(value));
    }
    yaml
}

/// A YAML float. `1e-5` would be a text in YAML 1.1, which the Hub's Python reads.
fn number(value: f64) -> String {
    let text = value.to_string();
    match value {
        _ if value.is_nan() => ".nan".to_owned(),
        _ if value.is_infinite() => ".inf".to_owned(),
        _ if text.contains('.') => text,
        _ => text + ".0",
    }
}

/// A double-quoted YAML scalar: no text in it can become a key or a list, or a line of its own.
fn quoted(text: &str) -> String {
    let mut yaml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => yaml.extend(['\\', c]),
            c if !is_written(c) => yaml.push(' '),
            c => yaml.push(c),
        }
    }
    yaml + "\""
}
