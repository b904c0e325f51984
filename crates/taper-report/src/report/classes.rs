//! The scores of each class.

use maud::html;
use taper_metrics::ClassScores;

use super::words::{Table, count, percent};
use super::{Report, Section};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let scores = report.parts.evaluation?;
    let row = |(index, class): (usize, &ClassScores)| {
        let right = scores.confusion_matrix.get(index).and_then(|row| row.get(index)).copied().unwrap_or(0);
        let (name, wrong) = (report.numbered_name(index), class.support.saturating_sub(right));
        let [precision, recall, f1] = [class.precision, class.recall, class.f1].map(percent);
        vec![name, precision, recall, f1, count(class.support), count(wrong)]
    };
    let table = Table {
        class: Some("names"),
        head: vec!["Class", "Precision", "Recall", "F1", "Images", "Wrong"],
        rows: scores.per_class.iter().enumerate().map(row).collect(),
        ..Table::default()
    };
    let body = html! {
        p {
            "Precision: of the images taken for the class, the share that are of it. Recall: of the images of the class, the \
             share that were found. F1 is the harmonic mean of the two. Over all classes, the right one is among the two most \
             probable for " (percent(scores.top2_accuracy)) " of the images."
        }
        (table)
    };
    Some(Section { id: "classes", title: "Class by class", body })
}
