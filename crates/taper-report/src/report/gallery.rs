//! Test images that were classified rightly.

use maud::html;

use super::words::{image, probability};
use super::{Report, Section};
use crate::plot::{Cell, Plot, grid};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let samples = &report.parts.gallery;
    if samples.is_empty() {
        return None;
    }
    let body = html! {
        p {
            @if samples.len() < report.classes() { "Test images of some classes that were classified rightly." }
            @else { "The first test images of each class that were classified rightly." }
        }
        ul.gallery {
            @for sample in samples {
                @let name = report.class_name(sample.prediction());
                li {
                    (image(&sample.picture, "", &format!("Test image {}, of class {name}", sample.index)))
                    b { (name) } " " (probability(sample.probability(sample.prediction())))
                }
            }
        }
    };
    Some(Section { id: "results", title: "Some results", body })
}

pub(super) fn plot(report: &Report<'_>) -> Option<Plot> {
    let samples = &report.parts.gallery;
    if samples.is_empty() {
        return None;
    }
    let cells = samples.iter().map(|sample| {
        let class = sample.prediction();
        let lines = vec![report.drawn_name(class), probability(sample.probability(class))];
        Cell { picture: sample.picture.clone(), lines, good: Some(true) }
    });
    let description = format!("{} test images that were classified rightly.", samples.len());
    Some(grid(["results", "Some results"], &description, 10, 72.0, cells.collect()))
}
