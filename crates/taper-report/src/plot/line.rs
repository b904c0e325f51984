//! Lines over an axis: curves of training.

use super::Plot;
use super::axes::{Axes, extent};
use super::items::{Anchor, Item, text};
use super::labels::{number, percent};
use super::legend::legend;
use super::palette::{INK, Paint, dash};
use super::points::{is_sound, thin};
use crate::error::ReportError;

/// Width, and height without a legend of several rows, in pixels: readable at the width of a phone.
const SIZE: [f32; 2] = [440.0, 310.0];

/// Points up to which a line has dots that are apart.
const DOTS: usize = 100;

/// Lines over a common axis, with a legend.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LineChart {
    /// The name of the file, without an ending: lower-case letters, digits and hyphens.
    pub name: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What is to be seen, in words; written from the series if it is empty.
    pub description: String,
    /// What the axis at the bottom counts.
    pub x_label: String,
    /// What the axis at the left counts.
    pub y_label: String,
    /// How the axis at the left is divided.
    pub scale: Scale,
    /// Whether the values at the left are fractions from 0 to 1, to be shown as percentages.
    pub percent: bool,
    /// The lowest value shown, if not the lowest there is; what lies below is drawn there. One that is above all values, or no
    /// finite number, does not count.
    pub lowest: Option<f64>,
    /// The lines; later ones lie on top.
    pub series: Vec<Series>,
}

/// How an axis is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Scale {
    /// The same distance for the same difference.
    #[default]
    Linear,
    /// The same distance for the same ratio; values that are not above 0 are left out. Linear where the values lie so close
    /// together that powers of ten between them would be few.
    Log,
}

/// One line.
///
/// ```
/// use taper_report::plot::{Series, Style};
/// let validation = Series::line("validation", vec![[1.0, 0.5], [2.0, 0.25]]).with(Style::Dots, 1);
/// assert_eq!((validation.style, validation.color), (Style::Dots, 1));
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Series {
    /// What it is, for the legend.
    pub name: String,
    /// The points, from left to right. What is not a finite number is left out.
    pub points: Vec<[f64; 2]>,
    /// How it is drawn.
    pub style: Style,
    /// Which colour of the palette it has, and which dashes; series of one colour belong together.
    pub color: usize,
}

/// How a line is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Style {
    /// Thin and pale: values as they were, behind their smoothed line.
    Raw,
    /// A line.
    Line,
    /// A line with a dot at every point, if they are not too many to be apart.
    Dots,
}

impl Series {
    /// A line in the first colour.
    #[must_use]
    pub fn line(name: &str, points: Vec<[f64; 2]>) -> Self {
        Self { name: name.to_owned(), points, style: Style::Line, color: 0 }
    }

    /// The same in another style and colour.
    #[must_use]
    pub fn with(self, style: Style, color: usize) -> Self {
        Self { style, color, ..self }
    }

    pub(super) fn paint(&self) -> Paint {
        let paint = Paint::series(self.color);
        if self.style == Style::Raw { paint.with_alpha(0.5) } else { paint }
    }

    /// The line through places on the page.
    pub(super) fn stroke(&self, points: Vec<[f32; 2]>) -> Item {
        let (width, dash): (f32, &[f32]) =
            if self.style == Style::Raw { (1.0, &[]) } else { (2.0, dash(self.color)) };
        Item::Line { points, width, dash, paint: self.paint() }
    }
}

impl LineChart {
    /// A chart without lines.
    #[must_use]
    pub fn new(name: &str, title: &str, x_label: &str, y_label: &str) -> Self {
        let [name, title, x_label, y_label] = [name, title, x_label, y_label].map(str::to_owned);
        let (description, scale, percent, series) = (String::new(), Scale::Linear, false, Vec::new());
        Self { name, title, description, x_label, y_label, scale, percent, lowest: None, series }
    }

    /// Draws it.
    ///
    /// # Errors
    /// [`ReportError::Chart`] if there is no point to draw.
    pub fn draw(&self) -> Result<Plot, ReportError> {
        let fail = |cause: String| ReportError::Chart { name: self.name.clone(), cause };
        let mut series = self.shown();
        let (Some(x), Some(y)) = (extent(&series, 0), extent(&series, 1)) else {
            return Err(fail("no series has a finite value".to_owned()));
        };
        let floor = self.lowest.filter(|&lowest| self.can_begin_at(lowest, &series));
        let description =
            if self.description.is_empty() { self.in_words(floor) } else { self.description.clone() };
        let y = floor.map_or(y.clone(), |floor| floor..y.end.max(floor));
        for point in series.iter_mut().flat_map(|series| &mut series.points) {
            point[1] = point[1].max(y.start);
        }

        let mut head = vec![text(&*self.title, [12.0, 20.0], 15.0, Anchor::Start, INK)];
        let top = legend(&series, SIZE[0], &mut head);
        let size = [SIZE[0], SIZE[1] + top];
        let mut plot = Plot::new(&self.name, &self.title, &description, size);
        let axes = Axes { chart: self, size, top, x, y, fixed: floor.is_some() };
        let places = axes.draw(&mut plot.items, &series).map_err(|cause| fail(cause.to_string()))?;
        for (series, points) in series.iter().zip(places) {
            if series.style == Style::Dots && points.len() <= DOTS || points.len() == 1 {
                let dot = |&at: &[f32; 2]| Item::Circle { at, radius: 3.0, paint: series.paint() };
                plot.items.extend(points.iter().map(dot));
            }
            plot.items.push(series.stroke(points));
        }
        plot.items.extend(head);
        Ok(plot)
    }

    /// Whether a point has a place on the chart.
    fn has_place(&self, [x, y]: [f64; 2]) -> bool {
        let in_range = match self.percent {
            true => (0.0..=1.0).contains(&y),
            false => is_sound(y),
        };
        is_sound(x) && in_range && (self.scale == Scale::Linear || y > 0.0)
    }

    /// Whether the axis at the left can begin at a value: some of the series must lie above it.
    fn can_begin_at(&self, lowest: f64, series: &[Series]) -> bool {
        let mut values = series.iter().flat_map(|series| &series.points).map(|point| point[1]);
        let is_possible = is_sound(lowest) && (self.scale == Scale::Linear || lowest > 0.0);
        is_possible && values.any(|value| value > lowest)
    }

    /// Whether there is a point to draw.
    pub(crate) fn has_points(&self) -> bool {
        self.series.iter().flat_map(|series| &series.points).any(|&point| self.has_place(point))
    }

    /// The series that have points with a place on the chart, with no more of these than can be told apart.
    fn shown(&self) -> Vec<Series> {
        let shown = self.series.iter().map(|Series { name, points, style, color }| {
            let points = points.iter().copied().filter(|&point| self.has_place(point)).collect();
            Series { name: name.clone(), points: thin(points), style: *style, color: *color }
        });
        shown.filter(|series| !series.points.is_empty()).collect()
    }

    /// A value as the axis at the left has it.
    pub(super) fn label(&self, value: f64) -> String {
        if self.percent { percent(value) } else { number(value) }
    }

    /// What is to be seen, for those who do not see it; `floor` is the lowest value shown, if lower ones may be cut off.
    fn in_words(&self, floor: Option<f64>) -> String {
        let drawn = |series: &Series| {
            let points = series.points.clone().into_iter();
            points.filter(|&point| self.has_place(point)).map(|point| point[1])
        };
        let told = self.series.iter().filter(|series| series.style != Style::Raw).filter_map(|series| {
            let mut values = drawn(series);
            let first = values.next()?;
            let last = values.next_back().unwrap_or(first);
            Some(format!("{} from {} to {}", series.name, self.label(first), self.label(last)))
        });
        let mut words = format!("{}: {}.", self.title, told.collect::<Vec<_>>().join("; "));
        if let Some(floor) = floor.filter(|&floor| self.series.iter().flat_map(drawn).any(|y| y < floor)) {
            words += &format!(" What is below {} lies on the lower edge.", self.label(floor));
        }
        words
    }
}
