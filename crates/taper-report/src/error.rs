//! Why a report cannot be written.

use taper_files::WriteError;

/// Why a report or a plot cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// A chart that cannot be drawn.
    #[error("the chart `{name}` cannot be drawn: {cause}")]
    Chart {
        /// Its name.
        name: String,
        /// Why.
        cause: String,
    },
    /// A picture that cannot be made, such as one too large.
    #[error("the picture `{name}` cannot be made: {cause}")]
    Picture {
        /// Its name.
        name: String,
        /// Why.
        cause: String,
    },
}
