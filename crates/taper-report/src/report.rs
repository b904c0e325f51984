//! [`Report`]: one page that tells the whole story of a run, and its plots as files.

mod calibration;
mod classes;
mod confusion;
mod curves;
mod features;
mod gallery;
mod headline;
mod mistakes;
mod network;
mod overlay;
mod page;
mod parts;
mod settings;
mod usage;
mod words;
mod write;

pub use overlay::{OverlaidRun, Overlay};
pub use parts::{Curves, EpochPoint, Explanation, ReportParts, Sample, Speed, StepPoint};
pub use write::{PLOTS, remove_plots};

use maud::Markup;
use taper_graph::Graph;

use crate::card::DataFacts;
use crate::error::ReportError;
use crate::plot::{Plot, can_write};
use crate::shade;

/// The report of one run, made of plain values. What is not given is left out, section by section.
///
/// ```
/// use taper_graph::Preset;
/// use taper_report::{DataFacts, Report, ReportParts};
///
/// let graph = Preset::LeNet5.graph()?;
/// let data = DataFacts { name: "synthetic".into(), source: "synthetic:seed=0".into(), ..DataFacts::default() };
/// let report = Report::new(&graph, data, ReportParts::default());
/// let page = report.render()?;
/// assert!(page.contains("never seen MNIST") && page.contains("LeNet") | page.contains("lenet5"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Report<'a> {
    graph: &'a Graph,
    data: DataFacts,
    parts: ReportParts<'a>,
}

/// A section of the page.
struct Section {
    /// The part of the address that leads to it.
    id: &'static str,
    title: &'static str,
    body: Markup,
}

impl<'a> Report<'a> {
    /// A report on the network `graph`, trained on `data` (facts, or a [`&Provenance`](taper_data::Provenance)).
    #[must_use]
    pub fn new(graph: &'a Graph, data: impl Into<DataFacts>, parts: ReportParts<'a>) -> Self {
        Self { graph, data: data.into(), parts }
    }

    /// The page as HTML, complete in itself: it loads nothing, from no network. The same inputs give the same text. Curves
    /// without a finite value are left out.
    ///
    /// # Errors
    /// [`ReportError::Chart`] for a curve that cannot be drawn.
    pub fn render(&self) -> Result<String, ReportError> {
        Ok(self.page(&curves::plots(self)?))
    }

    /// The page with the curves `curves`.
    fn page(&self, curves: &[Plot]) -> String {
        let sections = [
            curves::section(self, curves),
            classes::section(self),
            confusion::section(self),
            calibration::section(self),
            gallery::section(self),
            mistakes::section(self),
            features::section(self),
            network::section(self),
            settings::section(self),
            usage::section(self),
        ];
        let sections: Vec<Section> = sections.into_iter().flatten().collect();
        page::render(self, headline::render(self), &sections)
    }

    /// The plots that go into files: those of the page, and its pictures as contact sheets, without the heat over the mistakes.
    ///
    /// # Errors
    /// As [`Report::render`].
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_report::{DataFacts, Report, ReportParts};
    ///
    /// let graph = Preset::LeNet5.graph()?;
    /// let plots = Report::new(&graph, DataFacts::default(), ReportParts::default()).plots()?;
    /// assert_eq!(plots[0].name(), "network");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn plots(&self) -> Result<Vec<Plot>, ReportError> {
        Ok(self.with_others(curves::plots(self)?))
    }

    /// The curves and all other plots.
    fn with_others(&self, mut plots: Vec<Plot>) -> Vec<Plot> {
        plots.extend(confusion::plot(self));
        plots.extend(calibration::plot(self));
        plots.extend(gallery::plot(self));
        plots.extend(mistakes::plot(self));
        plots.extend(features::plots(self));
        plots.push(network::plot(self));
        plots
    }

    /// How many classes the network tells apart.
    fn classes(&self) -> usize {
        self.graph.output_shape().elements()
    }

    /// What class `index` is called.
    fn class_name(&self, index: usize) -> String {
        let names = &self.parts.class_names;
        let name = names.get(index).filter(|_| names.len() == self.classes());
        name.cloned().unwrap_or_else(|| index.to_string())
    }

    /// What it is called in a plot, whose font has no characters but those of Western languages.
    fn drawn_name(&self, index: usize) -> String {
        Some(self.class_name(index))
            .filter(|name| can_write(name))
            .unwrap_or_else(|| format!("class {index}"))
    }

    /// What it is called, with its number where a plot of many classes has numbers only.
    fn numbered_name(&self, index: usize) -> String {
        match self.class_name(index) {
            name if self.classes() > shade::TOLD && name != index.to_string() => format!("{index}: {name}"),
            name => name,
        }
    }
}
