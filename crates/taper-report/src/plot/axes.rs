//! The axes of a chart, drawn by plotters.

use std::convert::Infallible;
use std::ops::Range;

use plotters::chart::ChartBuilder;
use plotters::coord::ranged1d::{AsRangedCoord, Ranged, ValueFormatter};
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::IntoLogRange;
use plotters::style::{Color, IntoFont, IntoTextStyle, TextStyle};

use super::canvas::{TENTHS, area, pixels};
use super::items::{Anchor, Item, text};
use super::labels::number;
use super::line::{LineChart, Scale, Series};
use super::palette::{INK, MUTED, Paint, RULE};

/// The height of the title and of one row of the legend.
const HEAD: f32 = 52.0;

/// The width of what stands left of the lines, and of what is free right of them.
const AXIS: f32 = 76.0;
const MARGIN: f32 = 16.0;

/// The least ratio of values for a logarithmic axis: it is labelled at powers of ten.
const WIDE: f64 = 20.0;

/// The size of the text at the axes, in pixels.
pub(super) const LABELS: f32 = 12.5;

/// The axes of a chart.
pub(super) struct Axes<'a> {
    pub(super) chart: &'a LineChart,
    /// Width and height of the whole.
    pub(super) size: [f32; 2],
    /// How much more than one row the legend takes.
    pub(super) top: f32,
    /// The values from left to right, and from the lowest to the highest.
    pub(super) x: Range<f64>,
    pub(super) y: Range<f64>,
    /// Whether the lowest value is where the axis begins.
    pub(super) fixed: bool,
}

/// Where the points of each series lie.
type Places = Vec<Vec<[f32; 2]>>;

type Drawn = Result<Places, DrawingAreaErrorKind<Infallible>>;

impl Axes<'_> {
    /// Draws the axes, and finds the places of the points.
    pub(super) fn draw(&self, items: &mut Vec<Item>, series: &[Series]) -> Drawn {
        let y = self.y.clone();
        let places = match self.chart.scale {
            Scale::Log if y.end > WIDE * y.start => self.divide(items, series, labelled(y).log_scale()),
            Scale::Log | Scale::Linear => self.divide(items, series, self.roomy()),
        };
        self.name(items);
        places
    }

    /// The values with some room at both ends, but not beyond what they can be.
    fn roomy(&self) -> Range<f64> {
        let Range { start, end } = self.y;
        let room = (end - start) / 20.0;
        let least = if start >= 0.0 || self.chart.percent { 0.0 } else { f64::NEG_INFINITY };
        let most = if self.chart.percent { 1.0 } else { f64::INFINITY };
        let low = if self.fixed { start } else { (start - room).max(least) };
        low..(end + room).min(most)
    }

    fn divide<Y>(&self, items: &mut Vec<Item>, series: &[Series], y: Y) -> Drawn
    where
        Y: AsRangedCoord<Value = f64>,
        Y::CoordDescType: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let (_, body) = area(items, self.size).split_vertically((HEAD + self.top) as i32 * TENTHS);
        let mut chart = ChartBuilder::on(&body)
            .margin_right(MARGIN as i32 * TENTHS)
            .margin_top(4 * TENTHS)
            .x_label_area_size(46 * TENTHS)
            .y_label_area_size(AXIS as i32 * TENTHS)
            .build_cartesian_2d(self.x.clone(), y)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .x_labels(self.ticks(series))
            .y_labels(7)
            .set_all_tick_mark_size(4 * TENTHS)
            .max_light_lines(0)
            .bold_line_style(RULE.color().stroke_width(TENTHS as u32))
            .axis_style(MUTED.color().stroke_width(TENTHS as u32))
            .label_style(font(LABELS, MUTED))
            .x_label_formatter(&|value| number(*value))
            .y_label_formatter(&|value| self.chart.label(*value))
            .draw()?;
        let place = |&[x, y]: &[f64; 2]| pixels(chart.backend_coord(&(x, y)));
        Ok(series.iter().map(|series| series.points.iter().map(place).collect()).collect())
    }

    /// The most labels at the bottom: between whole numbers, such as steps, there is nothing to be labelled.
    fn ticks(&self, series: &[Series]) -> usize {
        let mut points = series.iter().flat_map(|series| &series.points);
        match points.all(|point| point[0].fract() == 0.0) {
            true => ((self.x.end - self.x.start) as usize).saturating_add(1).min(7),
            false => 7,
        }
    }

    /// What the axes count. Plotters would put it beyond the edge where the labels at the axis are large.
    fn name(&self, items: &mut Vec<Item>) {
        let [width, height] = self.size;
        let middle = [(AXIS + width - MARGIN) / 2.0, (HEAD + self.top + height - AXIS) / 2.0];
        let below = [middle[0], height - 8.0];
        items.push(text(&*self.chart.x_label, below, LABELS, Anchor::Middle, INK));
        let (text, at) = (self.chart.y_label.clone(), [13.0, middle[1]]);
        items.push(Item::Text { text, at, size: LABELS, anchor: Anchor::Middle, turned: true, paint: INK });
    }
}

/// A range of a logarithmic axis with two powers of ten in it at least, which is what is labelled: the end that is nearer to
/// the next one moves there. It goes a little beyond its ends, so that rounding leaves out no label.
fn labelled(y: Range<f64>) -> Range<f64> {
    let [low, high] = [y.start, y.end].map(f64::log10);
    let (below, above) = (low.floor(), high.ceil());
    let (start, end) = match high.floor() > low.ceil() {
        true => (y.start, y.end),
        false if low - below < above - high => (10_f64.powf(below), y.end),
        false => (y.start, 10_f64.powf(above)),
    };
    0.999 * start..1.001 * end
}

/// From the lowest to the highest coordinate, with some room around one value.
pub(super) fn extent(series: &[Series], axis: usize) -> Option<Range<f64>> {
    let values = || series.iter().flat_map(|series| &series.points).map(|point| point[axis]);
    let (low, high) = (values().reduce(f64::min)?, values().reduce(f64::max)?);
    // A range within the last digits of its ends has no places for labels.
    if high - low > 1e-9 * low.abs().max(high.abs()) {
        return Some(low..high);
    }
    let room = if low == 0.0 { 1.0 } else { low.abs() / 2.0 };
    Some(low - room..high + room)
}

/// A text style for plotters, its size in pixels.
fn font(size: f32, paint: Paint) -> TextStyle<'static> {
    let size = f64::from(size) * f64::from(TENTHS);
    ("sans-serif", size).into_font().color(&paint.color()).into_text_style(&(0, 0))
}
