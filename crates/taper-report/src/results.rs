//! The scores on the test images.

use taper_metrics::ClassScores;

use crate::card::ModelCard;
use crate::markdown::{count, facts, percent, table};
use crate::shade::{self, TOLD};

/// How many mistakes are listed.
const MISTAKES: usize = 5;

pub(crate) fn render(card: &ModelCard<'_>) -> String {
    let scores = card.evaluation;
    let images = usize::try_from(scores.images).unwrap_or(usize::MAX);
    let wrong = scores.images.saturating_sub(scores.correct());
    let rows = [
        ("Test images", count(images)),
        ("Accuracy", percent(scores.accuracy)),
        ("Images classified wrongly", count(usize::try_from(wrong).unwrap_or(usize::MAX))),
        ("Top-2 accuracy", percent(scores.top2_accuracy)),
        ("Loss (mean cross-entropy, nats)", format!("{:.4}", scores.loss)),
        ("Expected calibration error (15 bins)", percent(scores.ece)),
    ];
    let per_class = scores.per_class.iter().enumerate().map(|(index, class)| class_row(card, index, class));
    let mut text = format!(
        "## Results\n\n{}\n### By class\n\n{}",
        facts(rows),
        table(&["Class", "Precision", "Recall", "F1", "Images"], per_class),
    );
    text += &mistakes(card);
    text += &confusion(card);
    text
}

fn class_row(card: &ModelCard<'_>, index: usize, class: &ClassScores) -> Vec<String> {
    vec![
        card.class_name(index),
        percent(class.precision),
        percent(class.recall),
        percent(class.f1),
        class.support.to_string(),
    ]
}

/// The most frequent mistakes, in words.
fn mistakes(card: &ModelCard<'_>) -> String {
    let wrong = shade::mistakes(&card.evaluation.confusion_matrix);
    if wrong.is_empty() {
        return String::new();
    }
    let told = wrong.iter().take(MISTAKES).map(|&(n, truth, taken)| {
        format!("{} taken for {} ({n}×)", card.class_name(truth), card.class_name(taken))
    });
    format!("\nMost frequent mistakes: {}.\n", told.collect::<Vec<_>>().join(", "))
}

fn confusion(card: &ModelCard<'_>) -> String {
    let matrix = &card.evaluation.confusion_matrix;
    if matrix.len() > TOLD {
        return String::new();
    }
    let names: Vec<String> = (0..matrix.len()).map(|class| card.class_name(class)).collect();
    let mut header = vec!["Truth ↓ prediction →"];
    header.extend(names.iter().map(String::as_str));
    let rows = matrix.iter().zip(&names).map(|(row, name)| {
        let counts = row.iter().map(|&n| if n == 0 { "·".to_owned() } else { n.to_string() });
        std::iter::once(name.clone()).chain(counts).collect()
    });
    format!("\n### Confusion matrix\n\nNumber of test images.\n\n{}", table(&header, rows))
}
