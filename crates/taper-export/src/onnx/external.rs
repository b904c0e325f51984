//! Constants in a file of their own.

use std::io::{self, Write};
use std::path::Path;

use taper_files::WriteError;

use super::model::OnnxModel;
use super::proto::{GraphProto, ModelProto, StringStringEntryProto, TensorProto};

/// Smaller constants stay in the file itself.
const LEAST_BYTES: usize = 1 << 16;

/// Where a constant may begin: readers map the file into memory, and Windows does that in steps of 64 KiB.
const ALIGNMENT: usize = 1 << 16;

/// `TensorProto.DataLocation.EXTERNAL`.
const EXTERNAL: i32 = 1;

/// A model whose large constants lie in another file.
pub(crate) struct Split<'a> {
    /// The file itself.
    pub(crate) proto: ModelProto,
    /// The other file's name; it lies beside the file itself.
    pub(crate) location: String,
    /// The constants of the other file, with the places where they begin.
    parts: Vec<(usize, &'a [u8])>,
}

impl<'a> Split<'a> {
    /// How `model` is written to `path` if one file of `most` bytes cannot hold it; `None` if it can, or has no constant
    /// that is large enough to lie elsewhere.
    ///
    /// # Errors
    /// [`WriteError`] if `path` has no name that a file can hold.
    pub(crate) fn of(model: &'a OnnxModel, path: &Path, most: usize) -> Result<Option<Self>, WriteError> {
        match &model.proto().graph {
            Some(graph) if model.encoded_len() > most => {
                let location = location(path).ok_or_else(|| no_location(path))?;
                Ok(Self::at(model, graph, location))
            }
            _ => Ok(None),
        }
    }

    /// `model` with the large constants of its `graph` in a file called `location`.
    fn at(model: &'a OnnxModel, graph: &'a GraphProto, location: String) -> Option<Self> {
        let mut parts: Vec<(usize, &[u8])> = Vec::new();
        let mut end = 0usize;
        let mut place = |tensor: &'a TensorProto| {
            if tensor.raw_data.len() < LEAST_BYTES {
                return tensor.clone();
            }
            let start = end.next_multiple_of(ALIGNMENT);
            parts.push((start, &tensor.raw_data));
            end = start + tensor.raw_data.len();
            external(tensor, &location, start)
        };
        let initializer: Vec<TensorProto> = graph.initializer.iter().map(&mut place).collect();
        let graph = GraphProto {
            initializer,
            node: graph.node.clone(),
            name: graph.name.clone(),
            doc_string: graph.doc_string.clone(),
            input: graph.input.clone(),
            output: graph.output.clone(),
            value_info: graph.value_info.clone(),
        };
        let model = model.proto();
        let proto = ModelProto {
            graph: Some(graph),
            ir_version: model.ir_version,
            producer_name: model.producer_name.clone(),
            producer_version: model.producer_version.clone(),
            domain: model.domain.clone(),
            model_version: model.model_version,
            doc_string: model.doc_string.clone(),
            opset_import: model.opset_import.clone(),
            metadata_props: model.metadata_props.clone(),
        };
        (!parts.is_empty()).then_some(Self { proto, location, parts })
    }

    /// The bytes of the other file.
    pub(crate) fn data_len(&self) -> usize {
        self.parts.last().map_or(0, |(start, raw)| start + raw.len())
    }

    /// Writes the other file.
    pub(crate) fn write_data(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut end = 0;
        for (start, raw) in &self.parts {
            out.write_all(&vec![0; start - end])?;
            out.write_all(raw)?;
            end = start + raw.len();
        }
        Ok(())
    }
}

/// What the file with the large constants of the model at `path` is called: text, since the model has it within.
pub(super) fn location(path: &Path) -> Option<String> {
    Some(format!("{}.data", path.file_name()?.to_str()?))
}

fn no_location(path: &Path) -> WriteError {
    let reason = "the file of its large constants is named after it, but its name is no Unicode text";
    WriteError::new(path, io::Error::new(io::ErrorKind::InvalidFilename, reason))
}

/// The constant without its data, and where that is.
fn external(tensor: &TensorProto, location: &str, start: usize) -> TensorProto {
    let entry = |key: &str, value: String| StringStringEntryProto { key: key.to_owned(), value };
    TensorProto {
        dims: tensor.dims.clone(),
        data_type: tensor.data_type,
        name: tensor.name.clone(),
        external_data: vec![
            entry("location", location.to_owned()),
            entry("offset", start.to_string()),
            entry("length", tensor.raw_data.len().to_string()),
        ],
        data_location: EXTERNAL,
        ..TensorProto::default()
    }
}

/// What of a constant cannot lie elsewhere.
pub(super) fn least_len(tensor: &TensorProto) -> usize {
    if tensor.raw_data.len() < LEAST_BYTES { tensor.raw_data.len() } else { 0 }
}
