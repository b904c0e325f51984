//! `taper compare`: runs in the columns of a table, what is known of them in its lines.

use std::path::{Path, PathBuf};

use taper::graph::thousands;
use taper::pipeline::{self, ComparedRun, Comparison};
use taper::{Error, RunFolder};

use super::args::OutputArgs;
use super::{columns, terminal};

/// Columns of a setting that are shown; hashes are longer.
const WIDEST: usize = 21;

/// A line of the table: what it tells, a text for each run, and which of them is best.
struct Line {
    name: String,
    cells: Vec<String>,
    best: Option<usize>,
}

pub(super) fn compare(runs: &[PathBuf], html: Option<&Path>, output: &OutputArgs) -> Result<(), Error> {
    let folders = runs.iter().map(|path| RunFolder::finished(path)).collect::<Result<Vec<_>, Error>>()?;
    let comparison = pipeline::compare(&folders)?;
    let lines = lines(&comparison);
    // What was found is shown even if the page cannot be written.
    if output.json {
        terminal::json(&comparison);
    } else {
        terminal::result(table(&lines));
    }
    match html {
        Some(path) => write_page(&folders, &lines, path),
        None => Ok(()),
    }
}

/// The same table on a page, with curves.
fn write_page(folders: &[RunFolder], lines: &[Line], path: &Path) -> Result<(), Error> {
    let Some((header, lines)) = lines.split_first() else { return Ok(()) };
    let _lock = RunFolder::lock_around(path)?;
    let mut overlay = pipeline::overlay(folders)?;
    for (run, name) in overlay.runs.iter_mut().zip(&header.cells) {
        run.name.clone_from(name);
    }
    overlay.facts = lines.iter().map(|line| (line.name.clone(), marked(line))).collect();
    Ok(overlay.write(path)?)
}

/// The cells of a line, with a star at the best.
fn marked(line: &Line) -> Vec<String> {
    let mark = |at| if line.best == Some(at) { " *" } else { "" };
    line.cells.iter().enumerate().map(|(at, cell)| format!("{cell}{}", mark(at))).collect()
}

fn lines(comparison: &Comparison) -> Vec<Line> {
    let runs = &comparison.runs;
    let told = |name: &str, cell: &dyn Fn(&ComparedRun) -> String| Line {
        name: name.to_owned(),
        cells: runs.iter().map(cell).collect(),
        best: None,
    };
    let mut lines = vec![
        told("", &|run| name(run, runs)),
        told("network", &|run| run.network.clone()),
        told("parameters", &|run| thousands(run.parameters as u64)),
    ];
    for setting in &comparison.differing {
        lines.push(told(setting, &|run| {
            run.settings.get(setting).map_or("-".to_owned(), |text| columns::cut(text, WIDEST))
        }));
    }
    let percent = |share: f64| format!("{:.2} %", 100.0 * share);
    let loss = |loss: f64| format!("{loss:.4}");
    let size = |bytes: f64| format!("{:.2} MB", bytes / 1e6);
    // Scores are of the images, and seconds of the epochs: with others, the better number is not of the better run.
    let same_epochs = runs.iter().all(|run| run.epochs == runs[0].epochs);
    let if_same = |is_same: bool, line: Line| Line { best: line.best.filter(|_| is_same), ..line };
    let score = |line| if_same(comparison.same_data, line);
    // The validation loss is with it; what differs is among the settings.
    let same_smoothing = runs.iter().all(|run| !run.settings.contains_key("train.label_smoothing"));
    lines.extend([
        told("epochs", &|run| {
            format!("{}{}", run.epochs, if run.interrupted { ", interrupted" } else { "" })
        }),
        told("best epoch", &|run| run.best_epoch.map_or("-".to_owned(), |epoch| epoch.to_string())),
        if_same(
            same_smoothing,
            score(ranked("validation loss", runs, |run| run.validation_loss, loss, Better::Lower)),
        ),
        score(ranked("validation accuracy", runs, |run| run.validation_accuracy, percent, Better::Higher)),
        score(ranked("test loss", runs, |run| run.test_loss, loss, Better::Lower)),
        score(ranked("test accuracy", runs, |run| run.test_accuracy, percent, Better::Higher)),
        if_same(
            same_epochs,
            ranked(
                "seconds",
                runs,
                |run| Some(run.seconds),
                |seconds| format!("{seconds:.1}"),
                Better::Lower,
            ),
        ),
        ranked(
            "images/s",
            runs,
            |run| Some(run.images_per_second),
            |speed| thousands(speed as u64),
            Better::Higher,
        ),
        ranked("model.onnx", runs, |run| run.onnx_bytes.map(|bytes| bytes as f64), size, Better::Lower),
        ranked(
            "model.safetensors",
            runs,
            |run| run.safetensors_bytes.map(|bytes| bytes as f64),
            size,
            Better::Lower,
        ),
    ]);
    lines
}

/// The name of a run's folder, or its path where another has the same name.
fn name(run: &ComparedRun, runs: &[ComparedRun]) -> String {
    let last = |run: &ComparedRun| Path::new(&run.run).file_name().map(|name| name.to_owned());
    let is_alone = runs.iter().filter(|other| last(other) == last(run)).count() == 1;
    match last(run) {
        Some(name) if is_alone => name.to_string_lossy().into_owned(),
        _ => run.run.clone(),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Higher,
    Lower,
}

/// A line of numbers. The best is marked, unless another looks the same.
fn ranked(
    name: &str,
    runs: &[ComparedRun],
    value: impl Fn(&ComparedRun) -> Option<f64>,
    text: impl Fn(f64) -> String,
    better: Better,
) -> Line {
    let values: Vec<Option<f64>> = runs.iter().map(value).collect();
    let cells: Vec<String> = values.iter().map(|value| value.map_or("-".to_owned(), &text)).collect();
    let sign = if better == Better::Higher { -1.0 } else { 1.0 };
    let known = || values.iter().enumerate().filter_map(|(index, value)| Some((index, sign * (*value)?)));
    let first = known().min_by(|a, b| a.1.total_cmp(&b.1)).map(|(index, _)| index);
    let is_alone = |&index: &usize| cells.iter().filter(|cell| **cell == cells[index]).count() == 1;
    let best = first.filter(is_alone).filter(|_| known().count() > 1);
    Line { name: name.to_owned(), cells, best }
}

/// The lines under each other; the first is the header.
fn table(lines: &[Line]) -> String {
    let left = lines.iter().map(|line| columns::width(&line.name)).max().unwrap_or(0);
    let runs = lines.first().map_or(0, |line| line.cells.len());
    let widths: Vec<usize> = (0..runs)
        .map(|column| lines.iter().map(|line| columns::width(&line.cells[column])).max().unwrap_or(0))
        .collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        text += &columns::padded(&line.name, left);
        for (column, (cell, width)) in line.cells.iter().zip(&widths).enumerate() {
            let mark = if line.best == Some(column) { '*' } else { ' ' };
            text += &format!("  {}{cell}{mark}", " ".repeat(width - columns::width(cell)));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
        if number == 0 {
            text += &"─".repeat(left + widths.iter().map(|width| width + 3).sum::<usize>());
            text.push('\n');
        }
    }
    if lines.iter().any(|line| line.best.is_some()) {
        text += "* the best";
    }
    text.truncate(text.trim_end().len());
    text
}
