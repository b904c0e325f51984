//! A look into any ONNX file.

mod text;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prost::Message;
use serde::Serialize;

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
    /// The constant tensors, in the order of the file.
    pub constants: Vec<ConstantInfo>,
    /// The number of their elements, those of floating-point type only.
    pub parameters: u64,
    /// The size of the file.
    pub bytes: usize,
    /// Named texts about the model.
    pub metadata: Vec<(String, String)>,
}

/// An input, an output, or a value in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
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
    /// The names of the values it reads; empty for one that is left out.
    pub inputs: Vec<String>,
    /// The values it makes, with the type and shape that the file declares for them.
    pub outputs: Vec<ValueInfo>,
    /// The number of nodes in the graphs that are settings of it, as in `If` and `Loop`.
    pub body_nodes: usize,
}

/// A constant tensor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ConstantInfo {
    /// Its name, type and shape.
    #[serde(flatten)]
    pub value: ValueInfo,
    /// The bytes of its elements, if they are of a type that has a size.
    pub bytes: Option<u64>,
    /// The file that its elements lie in, if it is another one.
    pub file: Option<String>,
    /// Where in that file they begin; 0 where it does not say.
    pub offset: u64,
}

/// Looks into the bytes of any ONNX file.
///
/// # Errors
/// [`InspectError`] saying what the bytes lack.
pub fn inspect(bytes: &[u8]) -> Result<Inspection, InspectError> {
    let (model, graph) = decode(bytes)?;
    let declared = graph.value_info.iter().chain(&graph.output).map(|value| (value.name.as_str(), value));
    let declared: BTreeMap<&str, &ValueInfoProto> = declared.collect();
    let nodes: Vec<NodeInfo> = graph.node.iter().map(|node| node_info(node, &declared)).collect();
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
        constants: graph.initializer.iter().map(constant_info).collect(),
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
    let bytes = taper_files::read_regular(path)
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

fn node_info(node: &NodeProto, declared: &BTreeMap<&str, &ValueInfoProto>) -> NodeInfo {
    let op = match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    };
    let output = |name: &String| match declared.get(name.as_str()) {
        Some(value) => value_info(value),
        None => ValueInfo { name: name.clone(), data_type: None, dims: None },
    };
    NodeInfo {
        name: node.name.clone(),
        op,
        inputs: node.input.clone(),
        outputs: node.output.iter().map(output).collect(),
        body_nodes: node.attribute.iter().filter_map(|setting| setting.g.as_ref()).map(body_nodes).sum(),
    }
}

/// The nodes of a graph, those of graphs within it included.
fn body_nodes(graph: &GraphProto) -> usize {
    let inner = graph.node.iter().flat_map(|node| &node.attribute).filter_map(|setting| setting.g.as_ref());
    graph.node.len() + inner.map(body_nodes).sum::<usize>()
}

fn constant_info(tensor: &TensorProto) -> ConstantInfo {
    let data_type = DataType::from_code(tensor.data_type);
    let dims = tensor.dims.iter().map(|&size| match usize::try_from(size) {
        Ok(size) => Dim::Fixed(size),
        Err(_) => Dim::Symbolic(size.to_string()), // no size can be negative; the file is shown as it is
    });
    let elements =
        tensor.dims.iter().map(|&size| u64::try_from(size).unwrap_or(0)).fold(1, u64::saturating_mul);
    let bytes = data_type.and_then(DataType::bytes).map(|bytes| elements.saturating_mul(bytes as u64));
    let external = |key: &str| {
        tensor.external_data.iter().find(|entry| entry.key == key).map(|entry| entry.value.clone())
    };
    ConstantInfo {
        value: ValueInfo { name: tensor.name.clone(), data_type, dims: Some(dims.collect()) },
        bytes,
        file: external("location"),
        offset: external("offset").and_then(|offset| offset.parse().ok()).unwrap_or(0),
    }
}

/// A value's name and type.
pub(crate) fn value_info(value: &ValueInfoProto) -> ValueInfo {
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
