//! Whether the network is right as often as it says.

use maud::html;
use taper_metrics::ReliabilityBin;

use super::words::{Table, count, figure, percent};
use super::{Report, Section};
use crate::plot::{Plot, reliability};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let scores = report.parts.evaluation?;
    let plot = plot(report)?;
    let bins = scores.reliability.iter().filter(|bin| bin.images > 0);
    let row = |bin: &ReliabilityBin| {
        let range = format!("{:.0}–{:.0} %", 100.0 * bin.lower, 100.0 * bin.upper);
        vec![range, count(bin.images), percent(bin.confidence), percent(bin.accuracy)]
    };
    let table = Table {
        caption: Some("Bins of confidence with images in them"),
        head: vec!["Confidence", "Images", "Mean", "Right"],
        rows: bins.map(row).collect(),
        ..Table::default()
    };
    let body = html! { div.pair { (figure(&plot)) (table) } };
    Some(Section { id: "calibration", title: "Reliability", body })
}

pub(super) fn plot(report: &Report<'_>) -> Option<Plot> {
    let scores = report.parts.evaluation?;
    let filled = scores.reliability.iter().any(|bin| bin.images > 0);
    filled.then(|| reliability(&scores.reliability, scores.ece))
}
