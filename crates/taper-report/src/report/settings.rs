//! What the run was made from: data, settings, versions.

use maud::html;

use super::words::{count, facts};
use super::{Report, Section};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let parts = &report.parts;
    let body = html! {
        div.pair {
            div { h3 { "Data" } (facts(&data(report))) }
            @if !parts.settings.is_empty() { div { h3 { "Training" } (facts(&parts.settings)) } }
        }
        @if !parts.versions.is_empty() { h3 { "Versions" } (facts(&parts.versions)) }
        @if let Some(config) = &parts.config {
            details { summary { "All settings, as a configuration file" } pre tabindex="0" { code { (config) } } }
        }
    };
    Some(Section { id: "settings", title: "Data and settings", body })
}

fn data(report: &Report<'_>) -> Vec<(String, String)> {
    let data = &report.data;
    let mut rows = vec![
        ("name".to_owned(), data.name.clone()),
        ("source".to_owned(), data.source.clone()),
        ("SHA-256 of the decoded images and labels".to_owned(), data.sha256.clone()),
    ];
    if let Some(license) = &data.license {
        rows.push(("licence".to_owned(), license.clone()));
    }
    if let Some(splits) = report.parts.splits {
        for (name, images) in [
            ("training images", splits.train),
            ("validation images", splits.validation),
            ("test images", splits.test),
        ] {
            rows.push((name.to_owned(), count(images as u64)));
        }
    }
    rows
}
