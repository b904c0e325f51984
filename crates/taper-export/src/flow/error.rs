//! Why a model cannot be exported.

use std::panic::Location;
use std::path::PathBuf;

use taper_files::WriteError;

use super::wire::Refusal;
use crate::onnx::BuildError;

/// Why a model cannot be exported.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlowError {
    /// The export is not set up.
    #[error("{reason}")]
    Setup {
        /// What is missing or wrong, and what to do.
        reason: String,
    },
    /// The forward itself fails.
    #[error(
        "the model fails on inputs of {sizes}: {cause}; make it work there, or say which sizes occur \
         (`Export::multiple`, `Export::between`)"
    )]
    Forward {
        /// The shapes of the inputs.
        sizes: String,
        /// What candle said.
        #[source]
        cause: candle_core::Error,
    },
    /// The forward does something that no graph can.
    #[error("{method} at {at} cannot be exported: {reason}; {remedy}")]
    Refused {
        /// candle's name of the method.
        method: String,
        /// The line of the model.
        at: String,
        /// Why not.
        reason: String,
        /// What to write instead.
        remedy: String,
    },
    /// ONNX has no such node.
    #[error(
        "{method} at {at} cannot be exported: {cause}; write it with other methods or another type, choose a newer \
         operator set, or bring nodes of your own (`flow::custom`)"
    )]
    Node {
        /// candle's name of the method.
        method: String,
        /// The line of the model.
        at: String,
        /// What ONNX lacks.
        #[source]
        cause: BuildError,
    },
    /// The graph as a whole is not valid.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The file computes something else than the model.
    #[error("the file is refused: {reason}")]
    Verify {
        /// What the runtime said, or the difference.
        reason: String,
    },
    /// The file cannot be written.
    #[error("{} is not written: {cause}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        cause: WriteError,
    },
}

impl FlowError {
    pub(super) fn refused(
        method: &str,
        at: &Location<'_>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let (method, at) = (method.to_owned(), at.to_string());
        Self::Refused { method, at, reason: reason.into(), remedy: remedy.into() }
    }
}

impl From<Refusal> for FlowError {
    fn from(refusal: Refusal) -> Self {
        Self::refused(refusal.method, refusal.at, refusal.reason, refusal.remedy)
    }
}
