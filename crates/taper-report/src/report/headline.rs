//! What matters most, in a row of figures.

use maud::{Markup, html};

use super::Report;
use super::words::{count, percent};

pub(super) fn render(report: &Report<'_>) -> Markup {
    html! {
        p.lead {
            "An image classifier with " (count(report.graph.parameter_count() as u64)) " parameters, trained on "
            (report.data.spoken_name()) "."
        }
        @if report.data.is_synthetic() {
            p.warning role="note" {
                strong { "This network has never seen MNIST." }
                " It was trained and tested on digits drawn by a program. Its scores say nothing about real handwriting."
            }
        }
        @for note in &report.parts.notes { p.note { (note) } }
        @if report.parts.evaluation.is_none() {
            p.note {
                "It has not been scored on the test images yet: " code { "taper evaluate" } " does that."
            }
        }
        dl.tiles {
            @for (name, value, more) in tiles(report) {
                div { dt { (name) } dd { (value) @if !more.is_empty() { small { (more) } } } }
            }
        }
    }
}

/// Name, value, and what else there is to say.
fn tiles(report: &Report<'_>) -> Vec<(&'static str, String, String)> {
    let parts = &report.parts;
    let mut tiles = Vec::new();
    if let Some(scores) = parts.evaluation {
        let wrong = scores.images.saturating_sub(scores.correct());
        let of = format!("{} of {} test images wrong", count(wrong), count(scores.images));
        tiles.push(("Test accuracy", percent(scores.accuracy), of));
        tiles.push(("Test loss", format!("{:.4}", scores.loss), "mean cross-entropy, nats".to_owned()));
        let bins = format!("over {} bins of confidence", scores.reliability.len());
        tiles.push(("Calibration error", percent(scores.ece), bins));
    }
    if let Some(scores) = parts.shifted {
        let how = "on the mean of nine shifts of each image".to_owned();
        tiles.push(("With test-time augmentation", percent(scores.accuracy), how));
    }
    let epochs = &parts.curves.epochs;
    if let Some(kept) = epochs.iter().find(|epoch| Some(epoch.epoch) == parts.kept_epoch) {
        let epoch =
            format!("of the weights kept: epoch {} of {}, loss {:.4}", kept.epoch, epochs.len(), kept.loss);
        tiles.push(("Validation accuracy", percent(kept.accuracy), epoch));
    }
    if let Some(speed) = &parts.speed {
        let on = format!(
            "{} images/s on {} {} ({})",
            count(speed.images_per_second.round() as u64),
            speed.threads,
            if speed.threads == 1 { "thread" } else { "threads" },
            speed.instruction_set
        );
        tiles.push(("Training time", format!("{:.1} s", speed.seconds), on));
    }
    let macs = format!("{} multiply-adds an image", count(report.graph.macs()));
    tiles.push(("Parameters", count(report.graph.parameter_count() as u64), macs));
    if let Some(facts) = &parts.export {
        let verified = format!("on {} images in {}", count(facts.verified_images as u64), facts.runtime);
        tiles.push(("ONNX file differs by", format!("{:.1e}", facts.max_abs_diff), verified));
    }
    tiles
}
