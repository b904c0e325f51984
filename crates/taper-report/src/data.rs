//! What the network was trained on: first thing said, and repeated among the limits.

use crate::card::{DataFacts, ModelCard};
use crate::markdown::{code, count, escape, facts, percent};

impl DataFacts {
    /// Whether the data are Taper's own drawings and not MNIST.
    pub(crate) fn is_synthetic(&self) -> bool {
        self.source.starts_with("synthetic:")
    }

    /// Whether they are images in folders, which are what they are whatever their folder is called.
    pub(crate) fn is_folder(&self) -> bool {
        self.source.starts_with("folder:")
    }

    /// The data's name in a sentence.
    pub(crate) fn spoken_name(&self) -> &str {
        match self.name.as_str() {
            _ if self.is_synthetic() => "synthetic digits",
            "mnist" if !self.is_folder() => "MNIST",
            other => other,
        }
    }
}

pub(crate) fn introduction(card: &ModelCard<'_>) -> String {
    let name = escape(card.data.spoken_name());
    let scores = card.evaluation;
    let mut text = format!("# {} on {name}\n\n", code(card.graph.name()));
    if card.data.is_synthetic() {
        text += "> **Warning: this network has never seen MNIST.** It was trained and tested on synthetic digits, drawn \
                 by a program. Its scores say nothing about MNIST or about real handwriting.\n\n";
    }
    text += &format!(
        "An image classifier with {} parameters, trained on {name} with Taper{}. It classifies **{}** of {} test \
         images rightly.",
        count(card.graph.parameter_count()),
        card.options.taper_version.as_ref().map(|v| format!(" {}", escape(v))).unwrap_or_default(),
        percent(scores.accuracy),
        count(scores.images as usize),
    );
    text
}

pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let data = &card.data;
    let mut rows = vec![
        ("Name", code(&data.name)),
        ("Source", code(&data.source)),
        ("SHA-256 of the decoded images and labels", code(&data.sha256)),
    ];
    if let Some(license) = &data.license {
        rows.push(("Licence of the data", escape(license)));
    }
    if let Some(splits) = card.options.splits {
        rows.push(("Training images", count(splits.train)));
        rows.push(("Validation images, to choose the best epoch", count(splits.validation)));
        rows.push(("Test images, looked at once, at the end", count(splits.test)));
    }
    format!("## Data\n\n{}", facts(rows))
}

pub(crate) fn limits(card: &ModelCard<'_>) -> String {
    let mut text = String::from("## Limits\n\n");
    if card.data.is_synthetic() {
        text += "- It knows only digits as a program draws them. On real handwriting it may fail; measure before use.\n";
    }
    text += &format!(
        "- Every image is given one of the {} classes, also one that shows none of them: the network cannot say \
         \"neither\".\n\
         - An image must look like the training images in size, framing, contrast and sense (light on dark or dark \
         on light); the scores above hold for such images only.\n\
         - Its probabilities are estimates. On the test images they differ from how often it is right by {} on \
         average (the expected calibration error).\n",
        card.evaluation.per_class.len(),
        percent(card.evaluation.ece),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_are_told_by_their_source_and_not_by_the_name_of_a_folder() {
        for (name, source, spoken, is_synthetic) in [
            ("synthetic", "synthetic:seed=0", "synthetic digits", true),
            ("synthetic", "folder:synthetic", "synthetic", false),
            ("mnist", "hub:ylecun/mnist@main", "MNIST", false),
            ("mnist", "idx", "MNIST", false),
            ("mnist", "folder:mnist", "mnist", false),
            ("photos", "folder:photos", "photos", false),
        ] {
            let data = DataFacts { name: name.to_owned(), source: source.to_owned(), ..DataFacts::default() };
            assert_eq!((data.spoken_name(), data.is_synthetic()), (spoken, is_synthetic), "{name}, {source}");
        }
    }
}
