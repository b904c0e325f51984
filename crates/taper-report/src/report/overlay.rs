//! [`Overlay`]: a page that lays the curves of several runs over each other.

use std::iter;
use std::path::Path;

use maud::{Markup, Render, html};
use taper_files::write_atomic;

use super::curves::by_step;
use super::page::shell;
use super::words::{Table, figure};
use super::{Curves, EpochPoint};
use crate::error::ReportError;
use crate::plot::{LineChart, Plot, Scale, Series, Style, draw_all, floor, smooth};

/// Runs in the columns of a table and as the lines of charts, each in a colour of its own; those of more than five runs come
/// again, with other dashes.
///
/// ```
/// use taper_report::{Curves, EpochPoint, OverlaidRun, Overlay};
/// let epochs = |loss| vec![EpochPoint { epoch: 1, step: 100, loss, accuracy: 0.9 }];
/// let run = |name: &str, loss| OverlaidRun {
///     name: name.to_owned(),
///     curves: Curves { steps: Vec::new(), epochs: epochs(loss) },
/// };
/// let mut overlay = Overlay::default();
/// overlay.runs = vec![run("adam", 0.3), run("sgd", 0.4)];
/// overlay.facts = vec![("learning rate".to_owned(), vec!["0.001".to_owned(), "0.1".to_owned()])];
/// assert!(overlay.render()?.contains("Validation loss, epoch by epoch"));
/// # Ok::<(), taper_report::ReportError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Overlay {
    /// The runs.
    pub runs: Vec<OverlaidRun>,
    /// The lines of the table: what each tells, and a text for every run.
    pub facts: Vec<(String, Vec<String>)>,
}

/// A run of an [`Overlay`].
#[derive(Debug, Clone, PartialEq)]
pub struct OverlaidRun {
    /// What it is called.
    pub name: String,
    /// How its training went.
    pub curves: Curves,
}

/// The smoothed line of a run has about so many independent points: fewer than alone, for lines lie on each other here.
const SMOOTHED: usize = 50;

impl Overlay {
    /// The page, with nothing to be loaded from elsewhere. The same runs give the same text.
    ///
    /// # Errors
    /// [`ReportError::Chart`] if a chart cannot be drawn.
    pub fn render(&self) -> Result<String, ReportError> {
        let plots = self.plots()?;
        let title = format!("{} runs side by side", self.runs.len());
        let body = html! {
            header { h1 { (title) } }
            section aria-label="Table" { (self.table()) }
            section aria-labelledby="curves-title" {
                h2 id="curves-title" { "Curves" }
                @if plots.is_empty() { p { "No run has a history that can be drawn." } }
                div.pair { @for plot in &plots { (figure(plot)) } }
            }
        };
        Ok(shell(&title, body))
    }

    /// Writes the page to `path` in one step.
    ///
    /// # Errors
    /// As [`Overlay::render`]; [`ReportError::Write`] with the path and the cause, and an earlier file then stays as it was.
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        let page = self.render()?;
        Ok(write_atomic(path, |file| file.write_all(page.as_bytes()))?)
    }

    fn table(&self) -> Markup {
        let names = self.runs.iter().map(|run| run.name.as_str());
        let row = |(name, cells): &(String, Vec<String>)| [&[name.clone()][..], cells].concat();
        let table = Table {
            class: Some("runs"),
            head: iter::once("").chain(names).collect(),
            rows: self.facts.iter().map(row).collect(),
            ..Table::default()
        };
        table.render()
    }

    /// Losses and accuracies: of validation by epoch, of training by step and smoothed.
    fn plots(&self) -> Result<Vec<Plot>, ReportError> {
        let chart = |name, title, x, y| LineChart::new(name, title, x, y);
        let mut charts = [
            chart("validation-loss", "Validation loss, epoch by epoch", "epoch", "loss (nats)"),
            chart("validation-accuracy", "Validation accuracy, epoch by epoch", "epoch", "accuracy"),
            chart("training-loss", "Training loss, step by step, smoothed", "step", "loss (nats)"),
            chart("training-accuracy", "Training accuracy, step by step, smoothed", "step", "accuracy"),
        ];
        for (color, run) in self.runs.iter().enumerate() {
            for (chart, points) in charts.iter_mut().zip(lines(&run.curves)) {
                let style = if chart.x_label == "epoch" { Style::Dots } else { Style::Line };
                if !points.is_empty() {
                    chart.series.push(Series::line(&run.name, points).with(style, color));
                }
            }
        }
        for (at, chart) in charts.iter_mut().enumerate() {
            match at % 2 {
                0 => chart.scale = Scale::Log,
                _ => chart.percent = true,
            }
        }
        let steps = charts[3].series.iter().flat_map(|series| &series.points);
        charts[3].lowest = floor(steps.map(|point| point[1]));
        draw_all(&charts)
    }
}

/// The points of a run in each chart.
fn lines(curves: &Curves) -> [Vec<[f64; 2]>; 4] {
    let by_epoch = |value: fn(&EpochPoint) -> f64| {
        curves.epochs.iter().map(|epoch| [epoch.epoch as f64, value(epoch)]).collect()
    };
    let by_step = |value| smooth(&by_step(curves, value), curves.steps.len() / SMOOTHED);
    [
        by_epoch(|epoch| epoch.loss),
        by_epoch(|epoch| epoch.accuracy),
        by_step(|step| step.loss),
        by_step(|step| step.accuracy),
    ]
}
