//! The report as files.

use std::fs;
use std::io;
use std::path::Path;

use taper_files::{WriteError, write_together};

use super::{Report, curves};
use crate::error::ReportError;

/// The name of the folder of plots, beside the page.
pub const PLOTS: &str = "plots";

/// What the names of plots begin with: files of other names are not Taper's.
const NAMES: [&str; 12] = [
    "accuracy",
    "accuracy-by-epoch",
    "confusion",
    "features-",
    "filters",
    "learning-rate",
    "loss",
    "loss-by-epoch",
    "mistakes",
    "network",
    "reliability",
    "results",
];

impl Report<'_> {
    /// Writes the page to `path`, usually `report.html` of the run's folder, and every plot as SVG and PNG into the folder
    /// `plots` beside it. All files are written before the first takes its place; plots of an earlier report that this one
    /// does not have are deleted in the end.
    ///
    /// # Errors
    /// [`ReportError`] naming the file or the plot; an earlier page and its plots then stay as they were.
    ///
    /// ```
    /// use taper_graph::Preset;
    /// use taper_report::{DataFacts, Report, ReportParts};
    ///
    /// let (folder, graph) = (tempfile::tempdir()?, Preset::LeNet5.graph()?);
    /// let report = Report::new(&graph, DataFacts::default(), ReportParts::default());
    /// report.write(&folder.path().join("report.html"))?;
    /// assert!(folder.path().join("plots/network.svg").exists());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write(&self, path: &Path) -> Result<(), ReportError> {
        let curves = curves::plots(self)?;
        let page = self.page(&curves);
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = parent.join(PLOTS);
        let mut files = Vec::new();
        for plot in self.with_others(curves) {
            for (ending, bytes) in [("svg", plot.svg().into_bytes()), ("png", plot.png()?)] {
                files.push((folder.join(format!("{}.{ending}", plot.name())), bytes));
            }
        }
        files.push((path.to_owned(), page.into_bytes()));
        write_together(parent, &files)?;
        let kept: Vec<&Path> = files.iter().map(|(path, _)| path.as_path()).collect();
        Ok(remove(&folder, &kept)?)
    }
}

/// Deletes the plots of a report from `folder`, and `folder` itself if nothing else is in it. A folder that is not there
/// has none.
///
/// # Errors
/// [`WriteError`] naming the file that cannot be deleted.
///
/// ```
/// let folder = tempfile::tempdir()?;
/// let plots = folder.path().join(taper_report::PLOTS);
/// std::fs::create_dir(&plots)?;
/// std::fs::write(plots.join("loss.svg"), "<svg/>")?;
/// taper_report::remove_plots(&plots)?;
/// assert!(!plots.exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn remove_plots(folder: &Path) -> Result<(), WriteError> {
    remove(folder, &[])?;
    match fs::remove_dir(folder) {
        Err(cause) if !matches!(cause.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
            Err(WriteError::new(folder, cause))
        }
        _ => Ok(()),
    }
}

/// Deletes all plots but those named.
fn remove(folder: &Path, kept: &[&Path]) -> Result<(), WriteError> {
    let entries = match fs::read_dir(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|cause| WriteError::new(folder, cause))?,
    };
    for entry in entries {
        let name = entry.map_err(|cause| WriteError::new(folder, cause))?.file_name();
        let Some(name) = name.to_str() else { continue };
        let path = folder.join(name);
        if is_plot(name) && !kept.contains(&&*path) {
            fs::remove_file(&path).map_err(|cause| WriteError::new(&path, cause))?;
        }
    }
    Ok(())
}

fn is_plot(name: &str) -> bool {
    let Some((stem, "svg" | "png")) = name.rsplit_once('.') else { return false };
    NAMES.iter().any(|known| match known.strip_suffix('-') {
        Some(_) => stem.strip_prefix(known).is_some_and(|number| number.parse::<usize>().is_ok()),
        None => stem == *known,
    })
}
