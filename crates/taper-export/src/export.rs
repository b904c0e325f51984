//! Lower, verify, and only then write.

use std::path::{Path, PathBuf};

use taper_files::{WriteError, write_atomic};
use taper_graph::{Graph, Weights};

use crate::expect::Expected;
use crate::onnx::{LowerError, Options, lower};
use crate::verify::{Sample, Verification, VerifyError, verify};

/// Why a network was not exported; no file was written or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// It has no ONNX form.
    #[error("cannot export {}: {cause}", path.display())]
    Lower {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: LowerError,
    },
    /// Its file was not verified.
    #[error("{} is not written: {cause}", path.display())]
    Verify {
        /// The file that was to be written.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: VerifyError,
    },
    /// The disk refuses.
    #[error(transparent)]
    Write(#[from] WriteError),
}

/// An exported file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Exported {
    /// The version of the operator set.
    pub opset: i64,
    /// The version of the file format.
    pub ir_version: i64,
    /// The size of the file.
    pub bytes: usize,
    /// The proof that it computes what the trained model computes.
    pub verification: Verification,
}

/// Writes `graph` with `weights` to `path` as a verified ONNX file: the bytes are made in memory, run in an
/// independent runtime on `sample`, and written, whole or not at all, only if every logit agrees within
/// [`TOLERANCE`](crate::TOLERANCE), in float16 within 1e-2 of the greatest.
///
/// `sample` is always what the network itself takes and answers. Where `options` ask for bytes, probabilities or
/// classes, those that go with it are worked out.
///
/// # Errors
/// [`ExportError`] naming the file; an earlier file at `path` stays as it was.
pub fn export(
    path: &Path,
    graph: &Graph,
    weights: &Weights,
    options: &Options,
    sample: &Sample<'_>,
) -> Result<Exported, ExportError> {
    let path_of = || path.to_owned();
    let model =
        lower(graph, weights, options).map_err(|cause| ExportError::Lower { path: path_of(), cause })?;
    let bytes = model.to_bytes();
    let refused = |cause| ExportError::Verify { path: path_of(), cause };
    let expected = Expected::new(sample, graph.input_shape(), options).map_err(refused)?;
    let verification = verify(&bytes, &expected.sample(), expected.tolerance).map_err(refused)?;
    write_atomic(path, |file| file.write_all(&bytes))?;
    let (opset, ir_version) = (model.opset(), model.proto().ir_version);
    Ok(Exported { opset, ir_version, bytes: bytes.len(), verification })
}
