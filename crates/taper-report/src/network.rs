//! What the network is, and the recipe it was trained by.

use crate::card::ModelCard;
use crate::markdown::{code, escape, facts};

pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let graph = card.graph;
    format!(
        "## Network\n\nInput {}, float32 in 0…1 (byte ÷ 255), no other normalisation. Output {}: one logit for each \
         class; softmax makes probabilities of them.\n\n```text\n{}\n```",
        code(&graph.input_shape().to_string()),
        code(&graph.output_shape().to_string()),
        graph.summary(),
    )
}

pub(crate) fn training(card: &ModelCard<'_>) -> String {
    let settings = &card.options.training;
    if settings.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = settings.iter().map(|(setting, value)| (escape(setting), escape(value))).collect();
    let rows = rows.iter().map(|(setting, value)| (setting.as_str(), value.clone()));
    format!("## Training\n\n{}", facts(rows))
}
