//! Whether the network is right as often as it says.

use maud::html;

use super::words::{count, figure, percent};
use super::{Report, Section};
use crate::plot::{Plot, reliability};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let scores = report.parts.evaluation?;
    let plot = plot(report)?;
    let bins = scores.reliability.iter().filter(|bin| bin.images > 0);
    let body = html! {
        div.pair {
            (figure(&plot))
            div.scroll tabindex="0" {
                table {
                    caption { "Bins of confidence with images in them" }
                    thead {
                        tr {
                            th scope="col" { "Confidence" }
                            th scope="col" { "Images" }
                            th scope="col" { "Mean" }
                            th scope="col" { "Right" }
                        }
                    }
                    tbody {
                        @for bin in bins {
                            tr {
                                th scope="row" { (format!("{:.0}–{:.0} %", 100.0 * bin.lower, 100.0 * bin.upper)) }
                                td { (count(bin.images)) }
                                td { (percent(bin.confidence)) }
                                td { (percent(bin.accuracy)) }
                            }
                        }
                    }
                }
            }
        }
    };
    Some(Section { id: "calibration", title: "Reliability", body })
}

pub(super) fn plot(report: &Report<'_>) -> Option<Plot> {
    let scores = report.parts.evaluation?;
    let filled = scores.reliability.iter().any(|bin| bin.images > 0);
    filled.then(|| reliability(&scores.reliability, scores.ece))
}
