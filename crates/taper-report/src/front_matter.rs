//! The YAML header that the Hugging Face Hub reads: licence, tags, dataset and metrics.

use crate::card::ModelCard;
use crate::data;

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
        // The Hub's own name for the data, wherever this copy of it came from.
        "mnist" => yaml += "- mnist\ndatasets:\n- ylecun/mnist\n",
        _ if data::is_synthetic(card) => yaml += "- synthetic-data\n",
        _ => {}
    }
    yaml + "metrics:\n- accuracy\n---"
}

/// A double-quoted YAML scalar: no text in it can become a key or a list.
fn quoted(text: &str) -> String {
    let mut yaml = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => yaml.extend(['\\', c]),
            c if c.is_control() => yaml.push(' '),
            c => yaml.push(c),
        }
    }
    yaml + "\""
}
