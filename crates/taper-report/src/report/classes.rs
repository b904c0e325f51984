//! The scores of each class.

use maud::html;

use super::words::{count, percent};
use super::{Report, Section};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let scores = report.parts.evaluation?;
    let classes = scores.per_class.iter().enumerate();
    let body = html! {
        p {
            "Precision: of the images taken for the class, the share that are of it. Recall: of the images of the class, the \
             share that were found. F1 is the harmonic mean of the two. Over all classes, the right one is among the two most \
             probable for " (percent(scores.top2_accuracy)) " of the images."
        }
        div.scroll tabindex="0" {
            table.names {
                thead {
                    tr {
                        th scope="col" { "Class" }
                        th scope="col" { "Precision" }
                        th scope="col" { "Recall" }
                        th scope="col" { "F1" }
                        th scope="col" { "Images" }
                        th scope="col" { "Wrong" }
                    }
                }
                tbody {
                    @for (index, class) in classes {
                        @let right = scores.confusion_matrix.get(index).and_then(|row| row.get(index)).copied();
                        tr {
                            th scope="row" { (report.numbered_name(index)) }
                            td { (percent(class.precision)) }
                            td { (percent(class.recall)) }
                            td { (percent(class.f1)) }
                            td { (count(class.support)) }
                            td { (count(class.support.saturating_sub(right.unwrap_or(0)))) }
                        }
                    }
                }
            }
        }
    };
    Some(Section { id: "classes", title: "Class by class", body })
}
