//! `taper predict`: the image that the network sees, and the classes it takes it for.

use std::path::{Path, PathBuf};

use taper::Error;
use taper::pipeline::{Prediction, Predictor};

use super::args::OutputArgs;
use super::commands::find_run;
use super::terminal;

/// Classes that are shown with their probabilities.
const SHOWN_CLASSES: usize = 3;

/// Columns of the widest image that is drawn.
const WIDEST: usize = 40;

/// Columns of the longest bar: with the image and the numbers, a name of ten letters fits into 80.
const BAR: usize = 24;

pub(super) fn predict(images: &[PathBuf], run: Option<&Path>, output: &OutputArgs) -> Result<(), Error> {
    let predictor = Predictor::open(&find_run(run)?)?;
    let predictions = images.iter().map(|image| predictor.predict(image));
    let predictions = predictions.collect::<Result<Vec<_>, Error>>()?;
    if output.json {
        terminal::json(&predictions);
        return Ok(());
    }
    for prediction in &predictions {
        terminal::result(if output.quiet { line(prediction) } else { picture(prediction) });
    }
    Ok(())
}

/// Columns of the image.
fn width_of(prediction: &Prediction) -> usize {
    prediction.pixels.first().map_or(0, |row| row.len() / prediction.channels)
}

/// The image's rows in grey: the mean of a pixel's values.
fn greys(prediction: &Prediction) -> Vec<Vec<u8>> {
    let mean = |pixel: &[u8]| {
        let sum: usize = pixel.iter().map(|&value| usize::from(value)).sum();
        (sum / pixel.len()) as u8
    };
    prediction.pixels.iter().map(|row| row.chunks(prediction.channels).map(mean).collect()).collect()
}

/// One line, for scripts.
fn line(prediction: &Prediction) -> String {
    let ranked = prediction.probabilities.iter().take(SHOWN_CLASSES);
    let ranked: Vec<String> =
        ranked.map(|(class, probability)| format!("{class} {:5.1} %", 100.0 * probability)).collect();
    format!("{}: {}", prediction.image, ranked.join("  "))
}

/// The image, and beside it the most probable classes with bars.
fn picture(prediction: &Prediction) -> String {
    let ink = terminal::ink();
    let shown = &prediction.probabilities[..SHOWN_CLASSES.min(prediction.probabilities.len())];
    let width = shown.iter().map(|(class, _)| class.chars().count()).max().unwrap_or(0);
    let classes = shown.iter().map(|(class, probability)| {
        let bar = ink.bar(*probability, BAR);
        format!("   {class:<width$}  {:5.1} %  {bar}", 100.0 * probability)
    });
    let mut lines = if width_of(prediction) <= WIDEST { ink.draw(&greys(prediction)) } else { Vec::new() };
    lines.resize(lines.len().max(shown.len()), String::new());
    let first = lines.len().saturating_sub(shown.len()) / 2;
    for (line, class) in lines.iter_mut().skip(first).zip(classes) {
        line.push_str(&class);
    }
    let lines: Vec<&str> = lines.iter().map(|line| line.trim_end()).collect();
    format!("{}: {}\n{}\n", prediction.image, prediction.class, lines.join("\n"))
}
