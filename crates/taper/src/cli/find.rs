//! `taper lr-find`: the range test, its curve, and a suggestion.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use taper::train::{RangeCurve, RangePoint, RangeTest};
use taper::{Error, RunFolder, pipeline};

use super::args::{FindArgs, OutputArgs};
use super::progress::Progress;
use super::{INTERRUPTED, interrupt, terminal};

/// Lines of the curve that is printed.
const LINES: usize = 24;

/// Columns of its longest bar.
const WIDTH: f64 = 40.0;

pub(super) fn find(args: &FindArgs, output: &OutputArgs) -> Result<ExitCode, Error> {
    let config = args.settings.config()?;
    let range = RangeTest { from: args.from, to: args.to, steps: args.steps };
    let mut progress = Progress::new(output.quiet);
    let curve = pipeline::find_learning_rate(&config, &range, &mut |event| progress.data(event), &mut |_| {
        interrupt::training(true);
        !interrupt::asked()
    });
    interrupt::training(false);
    progress.finish();
    if interrupt::asked() {
        return Ok(ExitCode::from(INTERRUPTED));
    }
    let curve = curve?;
    // What was found is shown even if it cannot be written.
    if output.json {
        terminal::json(&curve);
    } else {
        print(&curve);
    }
    if let Some(path) = &args.out {
        let _lock = RunFolder::lock_around(path)?;
        write_csv(path, &curve)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn write_csv(path: &Path, curve: &RangeCurve) -> Result<(), Error> {
    let mut csv = String::from("learning_rate,loss,smoothed\n");
    for RangePoint { learning_rate, loss, smoothed } in &curve.points {
        // Writing to a string cannot fail.
        let _ = writeln!(csv, "{learning_rate:?},{loss:?},{smoothed:?}");
    }
    Ok(taper_files::write_atomic(path, |file| file.write_all(csv.as_bytes()))?)
}

/// A bar for every few steps, as long as the smoothed loss there.
fn print(curve: &RangeCurve) {
    let points = &curve.points;
    let highest = points.iter().map(|point| point.smoothed).fold(0.0, f64::max);
    for part in points.chunks(points.len().div_ceil(LINES).max(1)) {
        let Some(RangePoint { learning_rate, smoothed, .. }) = part.last() else { continue };
        let bar = "#".repeat((WIDTH * smoothed / highest).round() as usize);
        let here = part.iter().any(|point| Some(point.learning_rate) == curve.suggestion);
        let mark = if here { " <- suggested" } else { "" };
        terminal::result(format!("{learning_rate:9.2e}  loss {smoothed:8.4}  {bar}{mark}"));
    }
    terminal::result(match curve.suggestion {
        Some(rate) => format!("suggestion: --lr {rate:.2e}"),
        None => "no suggestion: the loss did not fall".to_owned(),
    });
}
