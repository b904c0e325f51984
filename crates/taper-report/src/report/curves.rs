//! How training went: loss, accuracy and learning rate, per step and per epoch.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::words::{Table, figure, percent};
use super::{Curves, EpochPoint, Report, Section, StepPoint};
use crate::error::ReportError;
use crate::plot::{LineChart, Plot, Scale, Series, Style, draw_all, floor, mean, smooth};

/// Steps on either side that a point of the smoothed line is the mean of, as a share of all.
const SMOOTHED: usize = 80;

/// Rows up to which the table of epochs grows.
const ROWS: usize = 100;

/// Mean loss and mean accuracy of the steps of each epoch; NaN where they have no value.
type Means = BTreeMap<usize, [f64; 2]>;

pub(super) fn section(report: &Report<'_>, plots: &[Plot]) -> Option<Section> {
    let curves = &report.parts.curves;
    if curves.steps.is_empty() && curves.epochs.is_empty() {
        return None;
    }
    let body = html! {
        p {
            "Training values are those of each batch, before its step, with dropout, changes to the images and smoothed labels \
             where the run has them; the smooth line is their moving mean. Validation is on images held out, after each epoch, \
             without all that: it is therefore often the better of the two."
        }
        div.pair.charts { @for plot in plots { (figure(plot)) } }
        @if !curves.epochs.is_empty() { (table(curves)) }
    };
    Some(Section { id: "training", title: "Training", body })
}

fn table(curves: &Curves) -> Markup {
    let (means, epochs) = (epoch_means(curves), &curves.epochs);
    let apart = epochs.len().div_ceil(ROWS).max(1);
    let (shown, last) = (epochs.iter().skip(apart - 1).step_by(apart), epochs.last());
    let last = last.filter(|_| !epochs.len().is_multiple_of(apart));
    let row = |epoch: &EpochPoint| {
        let [loss, accuracy] = match means.get(&epoch.epoch) {
            Some([loss, accuracy]) => [format!("{loss:.4}"), percent(*accuracy)],
            None => [String::new(), String::new()],
        };
        vec![epoch.epoch.to_string(), loss, accuracy, format!("{:.4}", epoch.loss), percent(epoch.accuracy)]
    };
    let table = Table {
        head: vec!["Epoch", "Training loss", "Training accuracy", "Validation loss", "Validation accuracy"],
        rows: shown.chain(last).map(row).collect(),
        ..Table::default()
    };
    html! {
        details {
            summary {
                @if apart == 1 { "The numbers of every epoch" }
                @else { "The numbers of one epoch in " (apart) ", and of the last" }
            }
            (table)
        }
    }
}

/// All curves that have a value to draw; none without a history.
pub(super) fn plots(report: &Report<'_>) -> Result<Vec<Plot>, ReportError> {
    let curves = &report.parts.curves;
    let mut charts = vec![loss_by_step(curves), accuracy_by_step(curves)];
    if curves.epochs.len() > 1 {
        charts.extend(by_epoch(curves));
    }
    charts.push(learning_rate(curves));
    // Steps are what the charts are about; the validation alone is in those by epoch.
    charts.retain(|chart| chart.x_label == "epoch" || !curves.steps.is_empty());
    draw_all(&charts)
}

fn loss_by_step(curves: &Curves) -> LineChart {
    let mut chart = LineChart::new("loss", "Loss, step by step", "step", "loss (nats)");
    chart.scale = Scale::Log;
    chart.series = training(curves, |step| step.loss);
    let points = curves.epochs.iter().map(|epoch| [epoch.step as f64, epoch.loss]).collect();
    chart.series.push(Series::line("validation", points).with(Style::Dots, 1));
    chart
}

fn accuracy_by_step(curves: &Curves) -> LineChart {
    let mut chart = LineChart::new("accuracy", "Accuracy, step by step", "step", "accuracy");
    chart.percent = true;
    let lowest_validation = curves.epochs.iter().map(|epoch| epoch.accuracy).reduce(f64::min);
    let floors = [floor(curves.steps.iter().map(|step| step.accuracy)), floor(lowest_validation)];
    chart.lowest = floors.into_iter().flatten().reduce(f64::min);
    chart.series = training(curves, |step| step.accuracy);
    let points = curves.epochs.iter().map(|epoch| [epoch.step as f64, epoch.accuracy]).collect();
    chart.series.push(Series::line("validation", points).with(Style::Dots, 1));
    chart
}

/// The values of each step, and their moving mean.
fn training(curves: &Curves, value: fn(&StepPoint) -> f64) -> Vec<Series> {
    let points = by_step(curves, value);
    let smoothed = Series::line("training, smoothed", smooth(&points, points.len() / SMOOTHED));
    vec![Series::line("training", points).with(Style::Raw, 0), smoothed]
}

/// A value of every step, over the steps.
pub(super) fn by_step(curves: &Curves, value: fn(&StepPoint) -> f64) -> Vec<[f64; 2]> {
    curves.steps.iter().map(|step| [step.step as f64, value(step)]).collect()
}

fn by_epoch(curves: &Curves) -> [LineChart; 2] {
    let means = epoch_means(curves);
    let chart = |name, title, label, which: usize| {
        let mut chart = LineChart::new(name, title, "epoch", label);
        let training = means.iter().map(|(&epoch, mean)| [epoch as f64, mean[which]]).collect();
        let validation =
            curves.epochs.iter().map(|e| [e.epoch as f64, [e.loss, e.accuracy][which]]).collect();
        chart.series = vec![
            Series::line("training", training).with(Style::Dots, 0),
            Series::line("validation", validation).with(Style::Dots, 1),
        ];
        chart
    };
    let mut loss = chart("loss-by-epoch", "Loss, epoch by epoch", "loss (nats)", 0);
    loss.scale = Scale::Log;
    let mut accuracy = chart("accuracy-by-epoch", "Accuracy, epoch by epoch", "accuracy", 1);
    accuracy.percent = true;
    [loss, accuracy]
}

fn epoch_means(curves: &Curves) -> Means {
    let means = curves.steps.chunk_by(|a, b| a.epoch == b.epoch).map(|steps| {
        let of = |value: fn(&StepPoint) -> f64| mean(steps.iter().map(value)).unwrap_or(f64::NAN);
        (steps[0].epoch, [of(|step| step.loss), of(|step| step.accuracy)])
    });
    means.collect()
}

fn learning_rate(curves: &Curves) -> LineChart {
    let mut chart = LineChart::new("learning-rate", "Learning rate", "step", "learning rate");
    chart.series = vec![Series::line("learning rate", by_step(curves, |step| step.learning_rate))];
    chart
}
