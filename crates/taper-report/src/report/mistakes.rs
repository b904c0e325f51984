//! The mistakes that cost most, and where the network found its reasons.

use maud::{Markup, html};

use super::words::{image, probability};
use super::{Report, Sample, Section};
use crate::plot::{Cell, Plot, grid};

pub(super) fn section(report: &Report<'_>) -> Option<Section> {
    let samples = &report.parts.mistakes;
    if samples.is_empty() {
        return None;
    }
    let explained = samples.iter().find_map(|sample| sample.explanations.first());
    let body = html! {
        p {
            "The test images with the greatest loss: those whose right class the network thought least probable."
            @if let Some(explanation) = explained {
                " The heat is Grad-CAM (Selvaraju et al. 2017): bright where the maps of " code { (explanation.map.name()) }
                " speak for the class that was named, and for the right one, on one scale for both."
            }
        }
        ul.cards { @for sample in samples { (card(report, sample)) } }
    };
    Some(Section { id: "mistakes", title: "Worst mistakes", body })
}

fn card(report: &Report<'_>, sample: &Sample) -> Markup {
    let (taken, label) = (sample.prediction(), sample.label);
    let [taken_name, name] = [taken, label].map(|class| report.class_name(class));
    let strongest = sample.explanations.iter().map(|e| e.map.strongest()).fold(0.0, f32::max);
    html! {
        li {
            div.looks {
                figure {
                    (image(&sample.picture, "", &format!("Test image {}, of class {name}", sample.index)))
                    figcaption { "image " (sample.index) }
                }
                @for explanation in &sample.explanations {
                    @let class = report.class_name(explanation.class);
                    figure {
                        (image(
                            &explanation.map.over(&sample.picture, strongest),
                            "",
                            &format!("The same image, bright where it speaks for {class}"),
                        ))
                        figcaption { "reasons for " (class) }
                    }
                }
            }
            b { (name) span.bad { " taken for " (taken_name) } }
            br;
            (taken_name) ": " (probability(sample.probability(taken)))
            " · " (name) ": " (probability(sample.probability(label)))
        }
    }
}

pub(super) fn plot(report: &Report<'_>) -> Option<Plot> {
    let samples = &report.parts.mistakes;
    if samples.is_empty() {
        return None;
    }
    let cells = samples.iter().map(|sample| {
        let (taken, label) = (sample.prediction(), sample.label);
        let [taken_name, name] = [taken, label].map(|class| report.drawn_name(class));
        let lines = vec![
            name,
            format!("as {taken_name}"),
            format!(
                "{} / {}",
                probability(sample.probability(taken)),
                probability(sample.probability(label))
            ),
        ];
        Cell { picture: sample.picture.clone(), lines, good: Some(false) }
    });
    let description = format!(
        "The {} test images with the greatest loss: the right class, the class named, and the probabilities of the class named \
         and the right one.",
        samples.len()
    );
    Some(grid(["mistakes", "Worst mistakes"], &description, 6, 104.0, cells.collect()))
}
