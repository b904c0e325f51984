//! The YAML header that the Hugging Face Hub reads: licence, tags, dataset and scores.

use taper_data::Choice;

use crate::card::{DataFacts, ModelCard};
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
    if let Some([repository, _]) = on_hub(&card.data) {
        yaml += &format!("- {}\ndatasets:\n- {repository}\n", card.data.name);
    } else if card.data.is_synthetic() {
        yaml += "- synthetic-data\n";
    }
    yaml += "metrics:\n- accuracy\n";
    yaml += &results(card);
    yaml + "---"
}

/// The Hub's own names for the data and their configuration, wherever this copy of them came from. A folder of images is no such
/// data, whatever its name.
fn on_hub(data: &DataFacts) -> Option<[&'static str; 2]> {
    let choice = data.name.parse::<Choice>().ok()?;
    if data.is_folder() { None } else { choice.on_hub() }
}

/// The scores as the Hub shows them beside the card and compares them: its `model-index`, which is Papers with Code's.
fn results(card: &ModelCard<'_>) -> String {
    let (kind, config) = match on_hub(&card.data) {
        Some([repository, config]) => (repository.to_owned(), format!("      config: {config}\n")),
        None => (quoted(&card.data.name), String::new()),
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

#[cfg(test)]
mod tests {
    use taper_graph::Preset;
    use taper_metrics::Evaluator;

    use super::*;
    use crate::card::CardOptions;

    /// The header for data of that name and source.
    fn header(name: &str, source: &str) -> String {
        let graph = Preset::LeNet5.graph().unwrap();
        let mut evaluator = Evaluator::new(2);
        evaluator.update(&[0.5, -0.5], &[0usize]).unwrap();
        let evaluation = evaluator.finish().unwrap();
        let data = DataFacts {
            name: name.to_owned(),
            source: source.to_owned(),
            sha256: String::new(),
            license: None,
        };
        render(&ModelCard::new(&graph, data, &evaluation, CardOptions::default()))
    }

    #[test]
    fn data_are_named_as_the_hub_names_them() {
        for (name, repository, config) in [
            ("mnist", "ylecun/mnist", "mnist"),
            ("fashion-mnist", "zalando-datasets/fashion_mnist", "fashion_mnist"),
            ("kmnist", "tanganke/kmnist", "kmnist"),
            ("cifar10", "uoft-cs/cifar10", "plain_text"),
        ] {
            let header = header(name, "idx");
            assert!(header.contains(&format!("- {name}\ndatasets:\n- {repository}\nmetrics:")), "{header}");
            assert!(header.contains(&format!("      type: {repository}\n")), "{header}");
            assert!(header.contains(&format!("      config: {config}\n")), "{header}");
        }
    }

    #[test]
    fn what_the_hub_does_not_have_is_not_said_to_be_there() {
        for (name, source) in [
            ("qmnist", "idx"),
            ("synthetic", "synthetic:seed=0"),
            ("photos", "folder:photos"),
            ("mnist", "folder:mnist"),
            ("synthetic", "folder:synthetic"),
        ] {
            let header = header(name, source);
            assert!(!header.contains("datasets:") && !header.contains("config:"), "{header}");
            assert!(header.contains(&format!("      type: \"{name}\"\n")), "{header}");
        }
    }
}
