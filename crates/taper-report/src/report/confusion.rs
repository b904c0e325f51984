//! Which classes are taken for which.

use maud::{Markup, html};

use super::words::{Table, count, figure};
use super::{Report, Section};
use crate::plot::{Plot, matrix};
use crate::shade::{self, CellKind, STRONG, TOLD, kind_of, strength, total};

/// Letters up to which a name stands across its column; longer ones run upwards.
const ACROSS: usize = 5;

/// Classes up to which a matrix that is wider than a page can be unfolded and scrolled.
const UNFOLDED: usize = 64;

/// How many kinds of mistakes are told of, where not every count is.
const MISTAKES: usize = 20;

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let counts = counts(report)?;
    let body = html! {
        p { "Rows are the classes that the test images are of, columns those they were taken for. Mistakes lie off the diagonal." }
        @if counts.len() <= TOLD { (table(report, counts)) }
        @else if let Some(plot) = plot(report) {
            div.pair { (figure(&plot)) (most_frequent(report, counts)) }
            @if counts.len() <= UNFOLDED { details { summary { "Every count" } (table(report, counts)) } }
        }
    };
    Some(Section { id: "confusion", title: "Confusion matrix", body })
}

pub(super) fn plot(report: &Report<'_>) -> Option<Plot> {
    let counts = counts(report)?;
    let names: Vec<String> = (0..counts.len()).map(|class| report.drawn_name(class)).collect();
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
    let row = |&(n, truth, taken): &(u64, usize, usize)| {
        vec![report.numbered_name(truth), report.numbered_name(taken), count(n)]
    };
    let table = Table {
        class: Some("names"),
        caption: Some("Most frequent mistakes"),
        head: vec!["Class", "Taken for", "Images"],
        rows: mistakes.iter().take(MISTAKES).map(row).collect(),
        ..Table::default()
    };
    html! { @if !mistakes.is_empty() { (table) } }
}

fn table(report: &Report<'_>, counts: &[Vec<u64>]) -> Markup {
    let all = 0..counts.len();
    let is_long = |class| report.numbered_name(class).chars().count() > ACROSS;
    html! {
        div.scroll tabindex="0" {
            table.confusion.turned[all.clone().any(is_long)].wide[counts.len() > TOLD] {
                caption { "Number of test images: class down, prediction across" }
                thead {
                    tr {
                        td { "" }
                        @for taken in all { th scope="col" { (report.numbered_name(taken)) } }
                    }
                }
                tbody {
                    @for (truth, row) in counts.iter().enumerate() {
                        @let support = total(row);
                        tr {
                            th scope="row" { (report.numbered_name(truth)) }
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
