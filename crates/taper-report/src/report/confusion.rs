//! Which classes are taken for which.

use maud::{Markup, html};

use super::words::{count, figure};
use super::{Report, Section};
use crate::plot::{Plot, matrix};
use crate::shade::{self, CellKind, STRONG, TOLD, kind_of, strength, total};

/// Letters up to which a name stands across its column; longer ones run upwards.
const ACROSS: usize = 5;

/// How many kinds of mistakes are told of, where not every count is.
const MISTAKES: usize = 20;

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let counts = counts(report)?;
    let body = html! {
        p { "Rows are the classes that the test images are of, columns those they were taken for. Mistakes lie off the diagonal." }
        @if counts.len() <= TOLD { (table(report, counts)) }
        @else if let Some(plot) = plot(report) { div.pair { (figure(&plot)) (most_frequent(report, counts)) } }
    };
    Some(Section { id: "confusion", title: "Confusion matrix", body })
}

pub(super) fn plot(report: &Report<'_>) -> Option<Plot> {
    let counts = counts(report)?;
    let names: Vec<String> = (0..counts.len()).map(|class| report.class_name(class)).collect();
    Some(matrix(&names, counts))
}

/// The matrix, if there is one and it is square.
fn counts<'a>(report: &Report<'a>) -> Option<&'a [Vec<u64>]> {
    let counts = &report.parts.evaluation?.confusion_matrix;
    let square = !counts.is_empty() && counts.iter().all(|row| row.len() == counts.len());
    square.then_some(counts)
}

/// What a picture does not tell in numbers.
fn most_frequent(report: &Report<'_>, counts: &[Vec<u64>]) -> Markup {
    let mistakes = shade::mistakes(counts);
    html! {
        @if !mistakes.is_empty() {
            div.scroll tabindex="0" {
                table.names {
                    caption { "Most frequent mistakes" }
                    thead {
                        tr { th scope="col" { "Class" } th scope="col" { "Taken for" } th scope="col" { "Images" } }
                    }
                    tbody {
                        @for (n, truth, taken) in mistakes.into_iter().take(MISTAKES) {
                            tr {
                                th scope="row" { (report.numbered_name(truth)) }
                                td { (report.numbered_name(taken)) }
                                td { (count(n)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn table(report: &Report<'_>, counts: &[Vec<u64>]) -> Markup {
    let is_long = |class| report.class_name(class).chars().count() > ACROSS;
    html! {
        div.scroll tabindex="0" {
            table.confusion.turned[(0..counts.len()).any(is_long)] {
                caption { "Number of test images: class down, prediction across" }
                thead {
                    tr {
                        td { "" }
                        @for taken in 0..counts.len() { th scope="col" { (report.class_name(taken)) } }
                    }
                }
                tbody {
                    @for (truth, row) in counts.iter().enumerate() {
                        @let support = total(row);
                        tr {
                            th scope="row" { (report.class_name(truth)) }
                            @for (taken, &n) in row.iter().enumerate() { (cell((truth, taken), n, support)) }
                        }
                    }
                }
            }
        }
    }
}

fn cell((truth, taken): (usize, usize), n: u64, support: u64) -> Markup {
    let kind = kind_of(truth, taken, n);
    let strength = strength(n, support, kind);
    let class = match kind {
        CellKind::None => return html! { td { "" } },
        CellKind::Right => "right",
        CellKind::Wrong => "wrong",
    };
    let class = if strength >= STRONG { format!("{class} strong") } else { class.to_owned() };
    html! { td class=(class) style={ "--a:" (format!("{strength:.2}")) } { (n) } }
}
