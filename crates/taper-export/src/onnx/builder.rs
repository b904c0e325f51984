//! Builds an ONNX graph node by node.

use std::collections::{BTreeMap, BTreeSet};

use super::error::BuildError;
use super::fact::{Fact, dims};
use super::model::{OnnxModel, OpsetVersion};
use super::node::Node;
use super::options::MOST_BYTES;
use super::proto::GraphProto;
use super::scope::Scope;
use super::size::Size;
use super::tensor::{DataType, Dim, Tensor, value_info};
use super::titles;
use super::validate::validate;

/// A value of the graph being built: an input, a constant, or what a node makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    name: String,
    fact: Fact,
}

impl Value {
    /// Its name in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its element type.
    pub fn data_type(&self) -> DataType {
        self.fact.data_type
    }

    /// Its shape; a size that follows from named ones is a formula over them, such as `2*N`.
    pub fn dims(&self) -> Vec<Dim> {
        dims(&self.fact.sizes)
    }

    /// What is known of it.
    pub(crate) fn fact(&self) -> &Fact {
        &self.fact
    }
}

/// Builds a graph in which every node reads only what stands before it, every name is unique, and every type and
/// shape is worked out and checked as the node is added, so that an error names the node that is at fault.
///
/// The names of inputs and constants are taken as given and must differ; the name of a node and of its value is
/// made unique by a number behind it (`relu`, `relu_2`). A node that would end with the name of another's value, or of a
/// constant, is called by what it makes instead. What is refused with an error leaves the graph as it was.
///
/// ```
/// use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Tensor};
/// let mut graph = GraphBuilder::new("double", OpsetVersion::default());
/// let x = graph.input("x", DataType::Float32, &[Dim::Symbolic("N".to_owned()), Dim::Fixed(3)])?;
/// let two = graph.constant("two", Tensor::f32(&[], &[2.0]))?;
/// let y = graph.node(Node::new("Mul", "double").inputs([&x, &two]))?;
/// assert_eq!(y.dims(), [Dim::Symbolic("N".to_owned()), Dim::Fixed(3)]);
/// graph.output(&y, "y")?;
/// let model = graph.finish([])?;
/// assert_eq!(model.proto().graph.as_ref().map(|graph| graph.node.len()), Some(1));
/// # Ok::<(), taper_export::onnx::BuildError>(())
/// ```
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    graph: GraphProto,
    opset: OpsetVersion,
    scope: Scope,
    reserved: BTreeSet<String>,
    /// The last numbers behind a name, of values and of nodes: all before are taken.
    numbers: BTreeMap<String, [u64; 2]>,
}

impl GraphBuilder {
    /// An empty graph of the operators of `opset`.
    pub fn new(name: impl Into<String>, opset: OpsetVersion) -> Self {
        let name = name.into();
        let scope = Scope::new(&name, opset.opset());
        let graph = GraphProto { name, ..GraphProto::default() };
        Self { graph, opset, scope, reserved: BTreeSet::new(), numbers: BTreeMap::new() }
    }

    /// The operator set whose operators it takes.
    pub fn opset(&self) -> OpsetVersion {
        self.opset
    }

    /// Keeps names free for an input, output or constant that is added later: no node's value will get them.
    pub fn reserve(&mut self, names: impl IntoIterator<Item = String>) {
        self.reserved.extend(names);
    }

    /// `name`, or `name_2`, `name_3`, … if a value bears or keeps it: for a constant whose name is nobody's business.
    pub fn free_name(&self, name: &str) -> String {
        self.free(name).0
    }

    /// As [`Self::free_name`], with the number behind the name.
    fn free(&self, name: &str) -> (String, u64) {
        let last = self.numbers.get(name).map_or(0, |[last, _]| *last);
        unique(name, last, |name| self.scope.fact(name).is_some() || self.reserved.contains(name))
    }

    /// An input that is given when the graph runs.
    ///
    /// # Errors
    /// [`BuildError::DuplicateName`].
    pub fn input(&mut self, name: &str, data_type: DataType, dims: &[Dim]) -> Result<Value, BuildError> {
        self.scope.add(name, Fact::new(data_type, dims.iter().map(Size::from).collect()))?;
        self.graph.input.push(value_info(name, data_type, dims));
        self.value(name)
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
        let proto = tensor.into_proto(name);
        self.scope.add_constant(&proto)?;
        self.graph.initializer.push(proto);
        self.value(name)
    }

    /// A constant whose name is nobody's business: `name`, made unique.
    ///
    /// # Errors
    /// [`BuildError::TensorSize`].
    pub(crate) fn helper(&mut self, name: &str, tensor: Tensor) -> Result<Value, BuildError> {
        let (free, last) = self.free(name);
        let value = self.constant(&free, tensor)?;
        self.numbers.entry(name.to_owned()).or_default()[0] = last;
        Ok(value)
    }

    /// A node with one output, named after it.
    ///
    /// # Errors
    /// [`BuildError::UnknownValue`] if it reads what this graph does not have, [`BuildError::UnknownOp`], or
    /// [`BuildError::Node`] if its settings or inputs do not fit the operator.
    pub fn node(&mut self, node: Node) -> Result<Value, BuildError> {
        let name = self.add(node, 1)?.swap_remove(0);
        self.value(&name)
    }

    /// A node with `count` outputs, named after it: `lstm`, `lstm_2`, ….
    ///
    /// # Errors
    /// As [`GraphBuilder::node`].
    pub fn node_with_outputs(&mut self, node: Node, count: usize) -> Result<Vec<Value>, BuildError> {
        let names = self.add(node, count)?;
        names.iter().map(|name| self.value(name)).collect()
    }

    fn add(&mut self, node: Node, count: usize) -> Result<Vec<String>, BuildError> {
        let mut proto = node.proto;
        let title = std::mem::take(&mut proto.name);
        let [mut last, mut last_node] = self.numbers.get(&title).copied().unwrap_or_default();
        for _ in 0..count {
            let is_taken = |name: &str| {
                let is_twin = proto.output.iter().any(|known| known == name);
                is_twin || self.scope.fact(name).is_some() || self.reserved.contains(name)
            };
            let name;
            (name, last) = unique(&title, last, is_taken);
            proto.output.push(name);
        }
        (proto.name, last_node) = unique(&title, last_node, |name| self.scope.has_node(name));
        self.scope.add_node(&proto)?;
        self.numbers.insert(title, [last, last_node]);
        let names = proto.output.clone();
        self.graph.node.push(proto);
        Ok(names)
    }

    /// Makes `value` an output of the graph, under the name `name`, with the type it has.
    ///
    /// The value is renamed throughout, so that no node is spent on it, unless it is an input or a constant or
    /// an output already: then an `Identity` hands it on. Declare outputs last, since a renamed [`Value`] can no
    /// longer be read.
    ///
    /// # Errors
    /// [`BuildError::UnknownValue`], [`BuildError::DuplicateName`].
    pub fn output(&mut self, value: &Value, name: &str) -> Result<(), BuildError> {
        self.value_of(&value.name, name)?;
        let is_inner = self.graph.node.iter().any(|node| node.output.contains(&value.name))
            && !self.graph.output.iter().any(|output| output.name == value.name);
        let keeps_name = is_inner && value.name == name;
        if self.scope.fact(name).is_some() && !keeps_name {
            let (graph, name) = (self.graph.name.clone(), name.to_owned());
            return Err(BuildError::DuplicateName { graph, name });
        }
        let inner =
            if is_inner { value.clone() } else { self.node(Node::new("Identity", name).input(value))? };
        if inner.name != name {
            self.rename(&inner.name, name);
        }
        self.graph.output.push(value_info(name, inner.data_type(), &inner.dims()));
        Ok(())
    }

    /// The file: this graph with named texts, which are sorted by name, after a check of the whole by
    /// [`validate`](super::validate()).
    ///
    /// # Errors
    /// What is not valid; [`BuildError::TooLarge`] above 2 GiB without its large constants, which can lie in a file of their
    /// own.
    pub fn finish(
        mut self,
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<OnnxModel, BuildError> {
        titles::part(&mut self.graph);
        let graph = self.graph.name.clone();
        let model = OnnxModel::new(self.graph, self.opset, metadata.into_iter().collect());
        validate(model.proto())?;
        match model.least_len() {
            bytes if bytes > MOST_BYTES => Err(BuildError::TooLarge { graph, bytes }),
            _ => Ok(model),
        }
    }

    pub(crate) fn value(&self, name: &str) -> Result<Value, BuildError> {
        self.value_of(name, name)
    }

    /// The value called `name`, which `node` reads.
    fn value_of(&self, name: &str, node: &str) -> Result<Value, BuildError> {
        match self.scope.fact(name) {
            Some(fact) => Ok(Value { name: name.to_owned(), fact: fact.clone() }),
            None => Err(BuildError::UnknownValue {
                graph: self.graph.name.clone(),
                node: node.to_owned(),
                value: name.to_owned(),
            }),
        }
    }

    fn rename(&mut self, old: &str, new: &str) {
        let names = self.graph.node.iter_mut().flat_map(|node| node.input.iter_mut().chain(&mut node.output));
        for name in names.filter(|name| *name == old) {
            new.clone_into(name);
        }
        self.scope.rename(old, new);
        // The old name is free again.
        self.numbers.clear();
    }
}

/// `name`, or `name_2`, `name_3`, … if it is taken, with its number; those up to `last` are known to be.
fn unique(name: &str, last: u64, taken: impl Fn(&str) -> bool) -> (String, u64) {
    if last == 0 && !taken(name) {
        return (name.to_owned(), 1);
    }
    let numbered = (last.max(1) + 1..).map(|number| (format!("{name}_{number}"), number));
    numbered.into_iter().find(|(name, _)| !taken(name)).unwrap_or_default()
}
