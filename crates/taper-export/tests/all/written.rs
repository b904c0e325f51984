//! Every file that a test writes is for ONNX's checker too.

use std::collections::BTreeSet;
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

/// Proves what holds of every file: no node bears the name of a value that it does not make, which tract would refuse.
pub(crate) fn check_names(file: &OnnxModel) {
    let graph = file.proto().graph.as_ref().unwrap();
    let given = graph.input.iter().map(|it| &it.name).chain(graph.initializer.iter().map(|it| &it.name));
    let values: BTreeSet<&String> = given.chain(graph.node.iter().flat_map(|it| &it.output)).collect();
    for node in &graph.node {
        assert!(
            !values.contains(&node.name) || node.output.contains(&node.name),
            "{}: node `{}`",
            graph.name,
            node.name
        );
    }
}

/// [Checks the names](check_names) of a file. With the environment variable `TAPER_DUMP_DIR`, leaves a file there for `.ci/python/check_models.py`, under a name
/// that follows from its bytes.
pub(crate) fn keep(file: &OnnxModel) {
    check_names(file);
    let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") else { return };
    let (bytes, mut hash) = (file.to_bytes(), DefaultHasher::new());
    bytes.hash(&mut hash);
    std::fs::write(Path::new(&folder).join(format!("written {:016x}.onnx", hash.finish())), bytes).unwrap();
}
