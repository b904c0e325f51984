//! A look into any ONNX file.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Serialize;
use taper_graph::thousands;

use super::proto::{DimensionProto, GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use super::tensor::{DataType, Dim};

/// Why bytes are not an ONNX file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InspectError {
    /// There are none.
    #[error("the ONNX file is empty; export it again")]
    Empty,
    /// They start as an ONNX file does, but do not end as one.
    #[error("the ONNX file is cut short or damaged ({cause}); copy or export it again")]
    Damaged {
        /// What is wrong.
        cause: String,
    },
    /// They are something else.
    #[error("this is no ONNX file ({cause}); give a file that ends in .onnx")]
    NotOnnx {
        /// What is wrong.
        cause: String,
    },
    /// The file cannot be read from the disk.
    #[error("cannot read {}: {cause}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        cause: String,
    },
    /// The file's bytes are at fault.
    #[error("{}: {cause}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why its bytes are not an ONNX file.
        #[source]
        cause: Box<InspectError>,
    },
}

/// What an ONNX file holds; prints as the text of `taper inspect`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Inspection {
    /// The version of the file format.
    pub ir_version: i64,
    /// The operator sets: domain (empty for the standard one) and version.
    pub opsets: Vec<(String, i64)>,
    /// The program that wrote the file, and its version.
    pub producer: String,
    /// The graph's name.
    pub graph: String,
    /// What is given when the graph runs.
    pub inputs: Vec<ValueInfo>,
    /// What the graph returns.
    pub outputs: Vec<ValueInfo>,
    /// The nodes, in the order of the file.
    pub nodes: Vec<NodeInfo>,
    /// How often each operator occurs.
    pub op_counts: BTreeMap<String, usize>,
    /// The number of constant tensors.
    pub constants: usize,
    /// The number of their elements, those of floating-point type only.
    pub parameters: u64,
    /// The size of the file.
    pub bytes: usize,
    /// Named texts about the model.
    pub metadata: Vec<(String, String)>,
}

/// An input or output.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ValueInfo {
    /// Its name.
    pub name: String,
    /// Its element type; `None` for what is no tensor, or of a rare type.
    pub data_type: Option<DataType>,
    /// Its declared shape, where there is one; an unknown size is `?`.
    pub dims: Option<Vec<Dim>>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Its name.
    pub name: String,
    /// Its operator, with the domain before it if that is not the standard one.
    pub op: String,
}

/// Looks into the bytes of any ONNX file.
///
/// # Errors
/// [`InspectError`] saying what the bytes lack.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let (model, graph) = decode(bytes)?;
    let nodes: Vec<NodeInfo> = graph.node.iter().map(node_info).collect();
    let mut op_counts = BTreeMap::new();
    for node in &nodes {
        *op_counts.entry(node.op.clone()).or_insert(0) += 1;
    }
    // Before format version 4, constants were listed as inputs too.
    let is_constant = |name: &String| graph.initializer.iter().any(|constant| constant.name == *name);
    Ok(Inspection {
        ir_version: model.ir_version,
        opsets: model.opset_import.into_iter().map(|set| (set.domain, set.version)).collect(),
        producer: format!("{} {}", model.producer_name, model.producer_version).trim().to_owned(),
        inputs: graph.input.iter().filter(|input| !is_constant(&input.name)).map(value_info).collect(),
        outputs: graph.output.iter().map(value_info).collect(),
        nodes,
        op_counts,
        constants: graph.initializer.len(),
        parameters: graph.initializer.iter().map(parameters).fold(0, u64::saturating_add),
        bytes: bytes.len(),
        metadata: model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect(),
        graph: graph.name,
    })
}

/// Looks into any ONNX file.
///
/// # Errors
/// [`InspectError`] naming the file.
pub fn inspect_file(path: &Path) -> Result<Inspection, InspectError> {
    let bytes = std::fs::read(path)
        .map_err(|error| InspectError::Read { path: path.to_owned(), cause: error.to_string() })?;
    inspect(&bytes).map_err(|cause| InspectError::File { path: path.to_owned(), cause: Box::new(cause) })
}

/// The messages of a file, with the graph that every ONNX file must have.
pub(super) fn decode(bytes: &[u8]) -> Result<(ModelProto, GraphProto), InspectError> {
    /// Field 1 as a varint: the format version, with which every writer begins.
    const FIRST_BYTE: u8 = 0x08;
    let Some(&first) = bytes.first() else { return Err(InspectError::Empty) };
    let fail = |cause: String| match first {
        FIRST_BYTE => InspectError::Damaged { cause },
        _ => InspectError::NotOnnx { cause },
    };
    let mut model = ModelProto::decode(bytes).map_err(|error| fail(error.to_string()))?;
    if model.ir_version < 1 {
        return Err(fail("it states no format version".to_owned()));
    }
    let graph = model.graph.take().ok_or_else(|| fail("it has no graph".to_owned()))?;
    if model.opset_import.is_empty() && model.ir_version >= 3 {
        return Err(fail("it states no operator set".to_owned()));
    }
    Ok((model, graph))
}

fn node_info(node: &NodeProto) -> NodeInfo {
    let op = match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    };
    NodeInfo { name: node.name.clone(), op }
}

pub(super) fn value_info(value: &ValueInfoProto) -> ValueInfo {
    let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
    let dims = tensor.and_then(|tensor| tensor.shape.as_ref()).map(|shape| {
        let dim = |dim: &DimensionProto| {
            let size = dim.dim_value.and_then(|size| usize::try_from(size).ok());
            let name = || dim.dim_param.clone().unwrap_or_else(|| "?".to_owned());
            size.map_or_else(|| Dim::Symbolic(name()), Dim::Fixed)
        };
        shape.dim.iter().map(dim).collect()
    });
    let data_type = tensor.and_then(|tensor| DataType::from_code(tensor.elem_type));
    ValueInfo { name: value.name.clone(), data_type, dims }
}

/// Elements of a floating-point constant; 0 of any other, and of impossible sizes.
fn parameters(tensor: &TensorProto) -> u64 {
    match DataType::from_code(tensor.data_type) {
        Some(DataType::Float32 | DataType::Float16 | DataType::BFloat16 | DataType::Float64) => {
            let sizes = tensor.dims.iter().map(|&size| u64::try_from(size).unwrap_or(0));
            sizes.fold(1, u64::saturating_mul)
        }
        _ => 0,
    }
}

impl fmt::Display for ValueInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if let Some(data_type) = self.data_type {
            write!(f, " {data_type}")?;
        }
        match &self.dims {
            None => Ok(()),
            Some(dims) => {
                let dims: Vec<String> = dims.iter().map(Dim::to_string).collect();
                write!(f, " [{}]", dims.join(", "))
            }
        }
    }
}

impl fmt::Display for Inspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let opset = |(domain, version): &(String, i64)| match domain.as_str() {
            "" => version.to_string(),
            domain => format!("{domain} {version}"),
        };
        let list = |values: &[ValueInfo]| {
            values.iter().map(ValueInfo::to_string).collect::<Vec<_>>().join("\n            ")
        };
        let opsets: Vec<String> = self.opsets.iter().map(opset).collect();
        let mut row = |name: &str, text: &str| writeln!(f, "{name:<11} {text}");
        row("graph", &self.graph)?;
        row("format", &format!("IR {}, opset {}", self.ir_version, opsets.join(", ")))?;
        row("producer", &self.producer)?;
        row("inputs", &list(&self.inputs))?;
        row("outputs", &list(&self.outputs))?;
        let counts: Vec<String> = self.op_counts.iter().map(|(op, count)| format!("{count} {op}")).collect();
        row("nodes", &format!("{}: {}", self.nodes.len(), counts.join(", ")))?;
        row("parameters", &format!("{} in {} constants", thousands(self.parameters), self.constants))?;
        row("size", &format!("{} bytes", thousands(self.bytes as u64)))?;
        if !self.metadata.is_empty() {
            writeln!(f, "metadata")?;
        }
        for (key, value) in &self.metadata {
            writeln!(f, "  {key}: {value}")?;
        }
        writeln!(f)?;
        let width = self.nodes.iter().map(|node| node.name.chars().count()).max().unwrap_or(0);
        for node in &self.nodes {
            writeln!(f, "{:<width$}  {}", node.name, node.op)?;
        }
        Ok(())
    }
}
