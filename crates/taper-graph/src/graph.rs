//! The graph: ops wired to each other, shapes inferred as they are wired.

use crate::error::GraphError;
use crate::op::Op;
use crate::param::Param;
use crate::shape::Shape;

/// The name by which network files and errors call the graph's input.
pub(crate) const INPUT: &str = "input";

/// A value of a graph: its input, or the output of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(usize);

impl ValueId {
    /// The value's place: 0 for the graph's input, `i + 1` for the output of node `i`.
    pub fn index(self) -> usize {
        self.0
    }
}

/// An op with a name, wired to its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Unique in the graph; the parameters are named after it.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// What it reads.
    pub inputs: Vec<ValueId>,
    /// The shape of its output.
    pub shape: Shape,
    /// Its parameters, in PyTorch's order.
    pub params: Vec<Param>,
    /// Multiply-adds for one image.
    pub macs: u64,
}

/// A parameter with its full name, as PyTorch's `state_dict` would call it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedParam<'a> {
    /// `<node>.<parameter>`, such as `layer1.0.weight`.
    pub name: String,
    /// Shape, initialisation and kind.
    pub param: &'a Param,
}

/// A network: one input, a list of nodes in an order in which they can run, one output.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    name: String,
    input: Shape,
    nodes: Vec<Node>,
}

impl Graph {
    /// An empty graph whose input is a batch of items of the given sizes, such as `[1, 28, 28]` for `[N, 1, 28, 28]`.
    ///
    /// # Errors
    /// A bad name, a zero size, or an absurdly large one.
    pub fn new(name: impl Into<String>, input: &[usize]) -> Result<Self, GraphError> {
        let name = checked_name(name.into(), "graph")?;
        let input =
            Shape::batch_of(input).map_err(|cause| GraphError::Input { graph: name.clone(), cause })?;
        Ok(Self { name, input, nodes: Vec::new() })
    }

    /// A straight graph of `ops`, named `0`, `1`, … as in PyTorch's `Sequential`.
    ///
    /// # Errors
    /// The first op that does not fit; see [`Graph::wire`].
    pub fn sequential(
        name: impl Into<String>,
        input: &[usize],
        ops: impl IntoIterator<Item = Op>,
    ) -> Result<Self, GraphError> {
        let mut graph = Self::new(name, input)?;
        let mut value = graph.input();
        for (number, op) in ops.into_iter().enumerate() {
            value = graph.wire(number.to_string(), op, &[value])?;
        }
        Ok(graph)
    }

    /// Adds a node, and infers its output shape and parameters at once. Its value is the graph's output until
    /// another node is wired.
    ///
    /// # Errors
    /// A bad or taken name, a [`ValueId`] of another, larger graph, or inputs the op cannot take: the error names
    /// the node and the shapes, and says what would fit.
    ///
    /// ```
    /// use taper_graph::{Conv2d, Graph, Op};
    /// let mut graph = Graph::new("residual", &[8, 16, 16])?;
    /// let x = graph.input();
    /// let y = graph.wire("conv", Op::Conv2d(Conv2d::new(8, 3).padding(1)), &[x])?;
    /// let sum = graph.wire("sum", Op::Add, &[x, y])?;
    /// assert_eq!(graph.shape(sum).to_string(), "[N, 8, 16, 16]");
    /// let error = graph.wire("wide", Op::Conv2d(Conv2d::new(8, 17)), &[sum]).unwrap_err();
    /// assert!(error.to_string().starts_with("node `wide` (conv2d): on its input [N, 8, 16, 16]"));
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn wire(
        &mut self,
        name: impl Into<String>,
        op: Op,
        inputs: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        let name = checked_name(name.into(), "node")?;
        if self.nodes.iter().any(|node| node.name == name) {
            return Err(GraphError::DuplicateName { node: name });
        }
        if let Some(foreign) = inputs.iter().find(|id| id.0 > self.nodes.len()) {
            return Err(self.unknown_input(name, format!("value {}", foreign.0)));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let inferred = op.infer(&shapes).map_err(|cause| GraphError::Shape {
            node: name.clone(),
            op: op.name(),
            cause,
        })?;
        self.nodes.push(Node {
            name,
            op,
            inputs: inputs.to_vec(),
            shape: inferred.shape,
            params: inferred.params,
            macs: inferred.macs,
        });
        Ok(self.output())
    }

    /// The same network with `p` as the probability of every dropout.
    ///
    /// # Errors
    /// [`GraphError::Shape`] unless `p` is in `[0, 1)`.
    ///
    /// ```
    /// use taper_graph::{Dropout, Op, Preset};
    /// let graph = Preset::Tutorial.graph()?.with_dropout(0.1)?;
    /// assert!(graph.nodes().iter().any(|node| node.op == Op::Dropout(Dropout { p: 0.1 })));
    /// # Ok::<(), taper_graph::GraphError>(())
    /// ```
    pub fn with_dropout(&self, p: f32) -> Result<Self, GraphError> {
        let mut graph = Self { nodes: Vec::new(), ..self.clone() };
        graph.wire_all(self, |_, op| if let Op::Dropout(_) = op { Op::dropout(p) } else { op.clone() })?;
        Ok(graph)
    }

    /// Whether any layer is dropout.
    #[must_use]
    pub fn has_dropout(&self) -> bool {
        self.nodes.iter().any(|node| matches!(node.op, Op::Dropout(_)))
    }

    /// The error for a node that reads what is not there.
    pub(crate) fn unknown_input(&self, node: String, input: String) -> GraphError {
        let names = self.nodes.iter().map(|node| node.name.as_str());
        let known: Vec<&str> = std::iter::once(INPUT).chain(names).collect();
        GraphError::UnknownInput { node, input, known: known.join(", ") }
    }

    /// Proves that the graph has nodes and that each one's output is read, so that no layer is left dangling.
    ///
    /// # Errors
    /// [`GraphError::Empty`] or [`GraphError::Unused`].
    pub fn check_complete(&self) -> Result<(), GraphError> {
        if self.nodes.is_empty() {
            return Err(GraphError::Empty { graph: self.name.clone() });
        }
        for (index, node) in self.nodes[..self.nodes.len() - 1].iter().enumerate() {
            let value = ValueId(index + 1);
            if !self.nodes[index + 1..].iter().any(|reader| reader.inputs.contains(&value)) {
                return Err(GraphError::Unused { node: node.name.clone() });
            }
        }
        Ok(())
    }

    /// The graph's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The input value.
    pub fn input(&self) -> ValueId {
        ValueId(0)
    }

    /// The output value: the node wired last, or the input of an empty graph.
    pub fn output(&self) -> ValueId {
        ValueId(self.nodes.len())
    }

    /// The value of that name: `input`, or a node's.
    pub(crate) fn value_named(&self, name: &str) -> Option<ValueId> {
        if name == INPUT {
            return Some(self.input());
        }
        self.nodes.iter().position(|node| node.name == name).map(|index| ValueId(index + 1))
    }

    /// All values: the input, then the output of every node.
    pub fn values(&self) -> impl Iterator<Item = ValueId> + use<> {
        (0..=self.nodes.len()).map(ValueId)
    }

    /// The shape of a value of this graph.
    ///
    /// # Panics
    /// If the value is of another, larger graph.
    pub fn shape(&self, value: ValueId) -> &Shape {
        match value.0 {
            0 => &self.input,
            index => &self.nodes[index - 1].shape,
        }
    }

    /// The shape of the input.
    pub fn input_shape(&self) -> &Shape {
        &self.input
    }

    /// The shape of the output.
    pub fn output_shape(&self) -> &Shape {
        self.shape(self.output())
    }

    /// The nodes, in an order in which they can run.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What a value is called: `input`, or the name of the node it comes from.
    ///
    /// # Panics
    /// If the value is of another, larger graph.
    pub fn value_name(&self, value: ValueId) -> &str {
        match value.0 {
            0 => INPUT,
            index => &self.nodes[index - 1].name,
        }
    }

    /// All parameters in graph order, named as PyTorch's `state_dict` would.
    pub fn params(&self) -> impl Iterator<Item = NamedParam<'_>> {
        self.nodes.iter().flat_map(|node| {
            node.params
                .iter()
                .map(|param| NamedParam { name: format!("{}.{}", node.name, param.name), param })
        })
    }

    /// The number of trainable parameters.
    pub fn parameter_count(&self) -> usize {
        self.params().filter(|p| p.param.trainable).map(|p| p.param.elements()).sum()
    }

    /// Multiply-adds of one forward pass of one image.
    pub fn macs(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.macs))
    }
}

/// Names end up in safetensors keys, ONNX node names and file names.
fn checked_name(name: String, what: &'static str) -> Result<String, GraphError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if name.is_empty() || name == INPUT || !name.chars().all(fits) {
        return Err(GraphError::BadName { name, what });
    }
    Ok(name)
}
