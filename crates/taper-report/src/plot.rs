//! Plots: drawn once, written as SVG for a file or a page, and as PNG.
//!
//! ```
//! use taper_report::plot::{LineChart, Scale, Series};
//!
//! let mut chart = LineChart::new("loss", "Loss", "step", "loss (nats)");
//! chart.scale = Scale::Log;
//! chart.series.push(Series::line("training", vec![[1.0, 2.3], [2.0, 0.7], [3.0, 0.2]]));
//! let plot = chart.draw()?;
//! assert!(plot.svg().starts_with("<svg "));
//! assert_eq!(plot.png()?[..4], *b"\x89PNG");
//! # Ok::<(), taper_report::ReportError>(())
//! ```

mod axes;
mod bars;
mod canvas;
mod diagram;
mod font;
mod grid;
mod items;
mod labels;
mod legend;
mod line;
mod matrix;
pub(crate) mod palette;
mod points;
mod raster;
mod svg;

pub use line::{LineChart, Scale, Series, Style};
pub use points::smooth;

pub(crate) use bars::reliability;
pub(crate) use diagram::diagram;
pub(crate) use font::has as can_write;
pub(crate) use grid::{Cell, grid};
pub(crate) use matrix::matrix;
pub(crate) use points::{floor, mean};

use crate::error::ReportError;
use items::Item;

/// Draws those charts that have a point to draw.
pub(crate) fn draw_all<'a>(
    charts: impl IntoIterator<Item = &'a LineChart>,
) -> Result<Vec<Plot>, ReportError> {
    charts.into_iter().filter(|chart| chart.has_points()).map(LineChart::draw).collect()
}

/// A drawing with a name, a title and a description in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    name: String,
    title: String,
    description: String,
    /// Width and height in pixels.
    size: [f32; 2],
    items: Vec<Item>,
}

impl Plot {
    pub(crate) fn new(name: &str, title: &str, description: &str, size: [f32; 2]) -> Self {
        let [name, title, description] = [name, title, description].map(str::to_owned);
        Self { name, title, description, size, items: Vec::new() }
    }

    /// The name of its file, without an ending: lower-case letters, digits and hyphens.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it shows, in a few words.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What is to be seen in it, in words, for those who do not see it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// The plot as an SVG file: on white, in colours of its own.
    #[must_use]
    pub fn svg(&self) -> String {
        svg::write(self, svg::Place::File)
    }

    /// The plot as an SVG element of a page: it is as wide as its container, and its colours are the page's CSS variables
    /// (`--plot-ink`, `--plot-blue`, …), so that it follows the page into dark mode.
    #[must_use]
    pub fn inline_svg(&self) -> String {
        svg::write(self, svg::Place::Page)
    }

    /// The plot as a PNG file of twice its size, on white.
    ///
    /// # Errors
    /// [`ReportError::Picture`] for one too large to be drawn.
    pub fn png(&self) -> Result<Vec<u8>, ReportError> {
        raster::png(self)
    }
}
