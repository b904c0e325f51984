//! Every file that a test writes is for ONNX's checker too.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use taper_export::onnx::{self, LowerError, OnnxModel, Options};
use taper_graph::{Graph, Weights};

/// As [`onnx::lower`], and [`keep`]s the file.
pub(crate) fn lower(graph: &Graph, weights: &Weights, options: &Options) -> Result<OnnxModel, LowerError> {
    let file = onnx::lower(graph, weights, options)?;
    keep(&file);
    Ok(file)
}

/// With the environment variable `TAPER_DUMP_DIR`, leaves a file there for `.ci/python/check_models.py`, under a name
/// that follows from its bytes.
pub(crate) fn keep(file: &OnnxModel) {
    let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") else { return };
    let (bytes, mut hash) = (file.to_bytes(), DefaultHasher::new());
    bytes.hash(&mut hash);
    std::fs::write(Path::new(&folder).join(format!("written {:016x}.onnx", hash.finish())), bytes).unwrap();
}
