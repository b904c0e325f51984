//! Builds an ONNX graph node by node.

use std::collections::BTreeSet;

use super::model::{OnnxModel, OpsetVersion};
use super::node::Node;
use super::proto::GraphProto;
use super::tensor::{DataType, Dim, Tensor, value_info};

/// A value of the graph being built: an input, a constant, or what a node makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

impl Value {
    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.0
    }
}

/// Why a graph cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two inputs, outputs or constants bear one name.
    #[error("two values of the ONNX graph `{graph}` are named `{name}`; give each its own name")]
    DuplicateName {
        /// The graph's name.
        graph: String,
        /// The name.
        name: String,
    },
    /// A node reads a value that this graph does not have.
    #[error("node `{node}` of the ONNX graph `{graph}` reads `{value}`, which is not there; add it first")]
    UnknownValue {
        /// The graph's name.
        graph: String,
        /// The node's name, or that of the output.
        node: String,
        /// The value's name.
        value: String,
    },
    /// A constant has more or fewer elements than its sizes say.
    #[error(
        "constant `{name}` of sizes {dims:?} is given {elements} elements; give as many as the sizes say"
    )]
    TensorSize {
        /// The constant's name.
        name: String,
        /// Its sizes.
        dims: Vec<usize>,
        /// The elements given.
        elements: usize,
    },
    /// The file would be larger than one protobuf message can be.
    #[error(
        "the ONNX file of `{graph}` would take {bytes} bytes, but one file holds at most 2 GiB; use fewer weights"
    )]
    TooLarge {
        /// The graph's name.
        graph: String,
        /// The size.
        bytes: usize,
    },
}

/// The most bytes a protobuf message may have.
const MAX_BYTES: usize = i32::MAX as usize;

/// Builds a graph in which every node reads only what stands before it and every name is unique, so that the
/// result needs no sorting and no check for dangling names.
///
/// The names of inputs and constants are taken as given and must differ; the name of a node and of its value is
/// made unique by a number behind it (`relu`, `relu_2`).
///
/// ```
/// use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Tensor};
/// let mut graph = GraphBuilder::new("double");
/// let dims = [Dim::Symbolic("N".to_owned()), Dim::Fixed(3)];
/// let x = graph.input("x", DataType::Float32, &dims)?;
/// let two = graph.constant("two", Tensor::f32(&[], &[2.0]))?;
/// let y = graph.node(Node::new("Mul", "double").inputs([&x, &two]))?;
/// graph.output(&y, "y", DataType::Float32, &dims)?;
/// let model = graph.finish(OpsetVersion::default(), [])?;
/// assert_eq!(model.proto().graph.as_ref().map(|graph| graph.node.len()), Some(1));
/// # Ok::<(), taper_export::onnx::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    graph: GraphProto,
    values: BTreeSet<String>,
    reserved: BTreeSet<String>,
    nodes: BTreeSet<String>,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            graph: GraphProto { name: name.into(), ..GraphProto::default() },
            values: BTreeSet::new(),
            reserved: BTreeSet::new(),
            nodes: BTreeSet::new(),
        }
    }

    /// Keeps names free for an input, output or constant that is added later: no node's value will get them.
    pub fn reserve(&mut self, names: impl IntoIterator<Item = String>) {
        self.reserved.extend(names);
    }

    /// `name`, or `name_2`, `name_3`, … if a value bears or keeps it: for a constant whose name is nobody's business.
    pub fn free_name(&self, name: &str) -> String {
        unique(name, |name| self.values.contains(name) || self.reserved.contains(name))
    }

    /// An input that is given when the graph runs.
    ///
    /// # Errors
    /// [`BuildError::DuplicateName`].
    pub fn input(&mut self, name: &str, data_type: DataType, dims: &[Dim]) -> Result<Value, BuildError> {
        let value = self.exactly(name)?;
        self.graph.input.push(value_info(name, data_type, dims));
        Ok(value)
    }

    /// A constant (ONNX calls it an initializer).
    ///
    /// # Errors
    /// [`BuildError::DuplicateName`], [`BuildError::TensorSize`].
    pub fn constant(&mut self, name: &str, tensor: Tensor) -> Result<Value, BuildError> {
        if !tensor.is_consistent() {
            let (dims, elements) = (tensor.dims().to_vec(), tensor.elements());
            return Err(BuildError::TensorSize { name: name.to_owned(), dims, elements });
        }
        let value = self.exactly(name)?;
        self.graph.initializer.push(tensor.into_proto(name));
        Ok(value)
    }

    /// A node with one output, named after it.
    ///
    /// # Errors
    /// [`BuildError::UnknownValue`] if it reads what this graph does not have.
    pub fn node(&mut self, node: Node) -> Result<Value, BuildError> {
        let mut proto = node.proto;
        for input in &proto.input {
            self.known(input, &proto.name)?;
        }
        let value = self.free_name(&proto.name);
        proto.name = unique(&proto.name, |name| self.nodes.contains(name));
        proto.output = vec![value.clone()];
        self.values.insert(value.clone());
        self.nodes.insert(proto.name.clone());
        self.graph.node.push(proto);
        Ok(Value(value))
    }

    /// Makes `value` an output of the graph, under the name `name`.
    ///
    /// The value is renamed throughout, so that no node is spent on it, unless it is an input or a constant or
    /// an output already: then an `Identity` hands it on. Declare outputs last, since a renamed [`Value`] can no
    /// longer be read.
    ///
    /// # Errors
    /// [`BuildError::UnknownValue`], [`BuildError::DuplicateName`].
    pub fn output(
        &mut self,
        value: &Value,
        name: &str,
        data_type: DataType,
        dims: &[Dim],
    ) -> Result<(), BuildError> {
        self.known(&value.0, name)?;
        let is_inner = self.graph.node.iter().any(|node| node.output.contains(&value.0))
            && !self.graph.output.iter().any(|output| output.name == value.0);
        let inner =
            if is_inner { value.clone() } else { self.node(Node::new("Identity", name).input(value))? };
        if inner.0 != name {
            self.exactly(name)?;
            self.rename(&inner.0, name);
        }
        self.graph.output.push(value_info(name, data_type, dims));
        Ok(())
    }

    /// The file: this graph with an operator set and named texts, which are sorted by name.
    ///
    /// # Errors
    /// [`BuildError::TooLarge`] above 2 GiB.
    pub fn finish(
        self,
        opset: OpsetVersion,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<OnnxModel, BuildError> {
        let graph = self.graph.name.clone();
        let model = OnnxModel::new(self.graph, opset, metadata.into_iter().collect());
        match model.encoded_len() {
            bytes if bytes > MAX_BYTES => Err(BuildError::TooLarge { graph, bytes }),
            _ => Ok(model),
        }
    }

    fn exactly(&mut self, name: &str) -> Result<Value, BuildError> {
        if self.values.insert(name.to_owned()) {
            return Ok(Value(name.to_owned()));
        }
        Err(BuildError::DuplicateName { graph: self.graph.name.clone(), name: name.to_owned() })
    }

    fn known(&self, value: &str, node: &str) -> Result<(), BuildError> {
        if self.values.contains(value) {
            return Ok(());
        }
        Err(BuildError::UnknownValue {
            graph: self.graph.name.clone(),
            node: node.to_owned(),
            value: value.to_owned(),
        })
    }

    fn rename(&mut self, old: &str, new: &str) {
        let names = self.graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for name in names.filter(|name| *name == old) {
            new.clone_into(name);
        }
        self.values.remove(old);
    }
}

/// `name`, or `name_2`, `name_3`, … if it is taken.
fn unique(name: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(name) {
        return name.to_owned();
    }
    let numbered = (2u64..).map(|number| format!("{name}_{number}"));
    numbered.into_iter().find(|name| !taken(name)).unwrap_or_default()
}
