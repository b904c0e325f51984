//! From a model in memory to its files, without another copy of the weights.

use std::io::{self, Write};
use std::path::Path;

use prost::Message;
use prost::encoding::{WireType, encode_key, encode_varint};
use taper_files::WriteError;

use super::model::OnnxModel;
use super::proto::{GraphProto, ModelProto, TensorProto};

/// Field numbers of what is large, in their messages.
const GRAPH: u32 = 7;
const INITIALIZER: u32 = 5;
const RAW_DATA: u32 = 9;

impl OnnxModel {
    /// Writes the file's bytes, those of [`OnnxModel::to_bytes`], one weight after another.
    ///
    /// # Errors
    /// What `out` says.
    ///
    /// ```
    /// # use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion};
    /// # let mut graph = GraphBuilder::new("relu", OpsetVersion::default());
    /// # let x = graph.input("x", DataType::Float32, &[Dim::Symbolic("N".to_owned()), Dim::Fixed(3)])?;
    /// # let y = graph.node(Node::new("Relu", "relu").input(&x))?;
    /// # graph.output(&y, "y")?;
    /// # let model = graph.finish([])?;
    /// let mut bytes = Vec::new();
    /// model.write_to(&mut bytes)?;
    /// assert_eq!(bytes, model.to_bytes());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn write_to(&self, out: &mut dyn Write) -> io::Result<()> {
        write_model(self.proto(), out)
    }

    /// Writes the file to `path`, whole or not at all; of two files, a process that is killed between them may leave none.
    /// Where it would have more than `most` bytes, its large constants go into a file of their own beside it, of the same
    /// name with `.data` behind it, which is put into its place first. Gives the bytes of both.
    ///
    /// No reader takes a file above 2 GiB: [`Options::most_bytes`](super::Options::most_bytes) is that limit, unless less
    /// is asked for.
    ///
    /// # Errors
    /// [`WriteError`] naming the file; earlier files then stay as they were.
    pub fn write(&self, path: &Path, most: usize) -> Result<usize, WriteError> {
        self.stage(path, most)?.publish()
    }
}

/// What comes before the graph, the graph, and what comes behind it: fields are written in the order of their numbers.
pub(super) fn write_model(model: &ModelProto, out: &mut dyn Write) -> io::Result<()> {
    let ModelProto {
        ir_version,
        producer_name,
        producer_version,
        domain,
        model_version,
        doc_string,
        graph,
        opset_import,
        metadata_props,
    } = model;
    let before = ModelProto {
        ir_version: *ir_version,
        producer_name: producer_name.clone(),
        producer_version: producer_version.clone(),
        domain: domain.clone(),
        model_version: *model_version,
        doc_string: doc_string.clone(),
        ..ModelProto::default()
    };
    let behind = ModelProto {
        opset_import: opset_import.clone(),
        metadata_props: metadata_props.clone(),
        ..ModelProto::default()
    };
    out.write_all(&before.encode_to_vec())?;
    if let Some(graph) = graph {
        write_head(GRAPH, graph.encoded_len(), out)?;
        write_graph(graph, out)?;
    }
    out.write_all(&behind.encode_to_vec())
}

fn write_graph(graph: &GraphProto, out: &mut dyn Write) -> io::Result<()> {
    let GraphProto { node, name, initializer, doc_string, input, output, value_info } = graph;
    let before = GraphProto { node: node.clone(), name: name.clone(), ..GraphProto::default() };
    let behind = GraphProto {
        doc_string: doc_string.clone(),
        input: input.clone(),
        output: output.clone(),
        value_info: value_info.clone(),
        ..GraphProto::default()
    };
    out.write_all(&before.encode_to_vec())?;
    for tensor in initializer {
        write_head(INITIALIZER, tensor.encoded_len(), out)?;
        write_tensor(tensor, out)?;
    }
    out.write_all(&behind.encode_to_vec())
}

/// A constant, without a copy of its data if it has what Taper gives one and nothing else.
fn write_tensor(tensor: &TensorProto, out: &mut dyn Write) -> io::Result<()> {
    let before = TensorProto {
        dims: tensor.dims.clone(),
        data_type: tensor.data_type,
        name: tensor.name.clone(),
        ..TensorProto::default()
    };
    let mut bytes = before.encode_to_vec();
    encode_key(RAW_DATA, WireType::LengthDelimited, &mut bytes);
    encode_varint(tensor.raw_data.len() as u64, &mut bytes);
    if tensor.raw_data.is_empty() || bytes.len() + tensor.raw_data.len() != tensor.encoded_len() {
        return out.write_all(&tensor.encode_to_vec());
    }
    out.write_all(&bytes)?;
    out.write_all(&tensor.raw_data)
}

/// What stands before a field of `length` bytes.
fn write_head(field: u32, length: usize, out: &mut dyn Write) -> io::Result<()> {
    let mut head = Vec::new();
    encode_key(field, WireType::LengthDelimited, &mut head);
    encode_varint(length as u64, &mut head);
    out.write_all(&head)
}
