//! `taper predict`: the image that the network sees, and the classes it takes it for.

use std::path::{Path, PathBuf};

use taper::Error;
use taper::pipeline::{Prediction, Predictor};

use super::args::OutputArgs;
use super::commands::find_run;
use super::picture::{Ink, shrunk};
use super::{columns, terminal};

/// Classes that are shown with their probabilities.
const SHOWN_CLASSES: usize = 3;

/// Columns of the widest drawing, and rows of pixels of the highest; a larger image is drawn smaller.
const LARGEST: usize = 40;

/// Columns of the longest bar.
const LONGEST_BAR: usize = 24;

/// Columns of the shortest that are left where a name is long.
const SHORTEST_BAR: usize = 8;

/// Columns of all beside drawing, name and bar: the probability, and what is between them.
const BETWEEN: usize = "     100.0 %  ".len();

pub(super) fn predict(images: &[PathBuf], run: Option<&Path>, output: &OutputArgs) -> Result<(), Error> {
    let predictor = Predictor::open(&find_run(run)?)?;
    let predictions = images.iter().map(|image| predictor.predict(image));
    let predictions = predictions.collect::<Result<Vec<_>, Error>>()?;
    if output.json {
        terminal::json(&predictions);
        return Ok(());
    }
    for prediction in &predictions {
        if output.quiet {
            terminal::result(line(prediction));
        } else {
            show(prediction);
        }
    }
    Ok(())
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

/// Prints the image, and beside it the most probable classes with bars. The first line has the whole name of the class.
fn show(prediction: &Prediction) {
    let ink = terminal::ink();
    let pixels = shrunk(greys(prediction), LARGEST);
    let width = pixels.first().map_or(0, Vec::len);
    let classes = classes(prediction, width, ink);
    let drawing = ink.draw(&pixels);
    let first = drawing.len().saturating_sub(classes.len()) / 2;
    terminal::result(format!("{}: {}", prediction.image, prediction.class));
    for at in 0..drawing.len().max(first + classes.len()) {
        let class = at.checked_sub(first).and_then(|at| classes.get(at));
        // Where a wide and low image has fewer lines than there are classes, blanks take its place.
        let line = drawing.get(at).cloned().unwrap_or_else(|| " ".repeat(width));
        terminal::drawn(&line, class.map_or("", String::as_str));
    }
    terminal::result("");
}

/// The most probable classes, each a line that fits beside a drawing of `drawing` columns.
fn classes(prediction: &Prediction, drawing: usize, ink: Ink) -> Vec<String> {
    let room = columns::LINE - drawing - BETWEEN;
    let shown = prediction.probabilities.iter().take(SHOWN_CLASSES);
    let names: Vec<String> =
        shown.clone().map(|(class, _)| columns::cut(class, room - SHORTEST_BAR)).collect();
    let width = names.iter().map(|name| columns::width(name)).max().unwrap_or(0);
    let line = |(name, (_, probability)): (&String, &(String, f64))| {
        let (name, bar) =
            (columns::padded(name, width), ink.bar(*probability, LONGEST_BAR.min(room - width)));
        format!("   {name}  {:5.1} %  {bar}", 100.0 * probability)
    };
    names.iter().zip(shown).map(line).collect()
}
