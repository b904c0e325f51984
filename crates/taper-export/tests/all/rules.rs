//! The rules of the operators: what fits them is taken, with the right shape, and what does not is refused. What ONNX's
//! own tests have is tried by `.ci/python/node_tests.py`; here are broken nodes, and forms that no such test has.

#[path = "rules/broken.rs"]
mod broken;
#[path = "rules/hostile.rs"]
mod hostile;
#[path = "rules/legal.rs"]
mod legal;

use taper_export::onnx::{BuildError, DataType, Dim, GraphBuilder, Node, OpsetVersion, Tensor, Value};

use crate::written::keep;

/// A graph whose inputs and constants need no names.
pub(crate) struct Graph {
    pub(crate) builder: GraphBuilder,
    count: usize,
}

impl Graph {
    pub(crate) fn new(opset: i64) -> Self {
        let builder = GraphBuilder::new("rules", OpsetVersion::new(opset).unwrap());
        Self { builder, count: 0 }
    }

    fn name(&mut self) -> String {
        self.count += 1;
        format!("value.{}", self.count)
    }

    /// An input of the sizes in `dims`: numbers and names, with spaces between them.
    pub(crate) fn x(&mut self, kind: DataType, dims: &str) -> Value {
        let dim = |text: &str| text.parse().map_or_else(|_| Dim::Symbolic(text.to_owned()), Dim::Fixed);
        let dims: Vec<Dim> = dims.split_whitespace().map(dim).collect();
        let name = self.name();
        self.builder.input(&name, kind, &dims).unwrap()
    }

    /// An input of float32.
    pub(crate) fn f(&mut self, dims: &str) -> Value {
        self.x(DataType::Float32, dims)
    }

    /// A constant list of int64.
    pub(crate) fn list(&mut self, numbers: &[i64]) -> Value {
        let name = self.name();
        self.builder.constant(&name, Tensor::i64(numbers)).unwrap()
    }

    /// A constant list of float32.
    pub(crate) fn floats(&mut self, numbers: &[f32]) -> Value {
        let name = self.name();
        self.builder.constant(&name, Tensor::f32(&[numbers.len()], numbers)).unwrap()
    }

    /// A node that reads `inputs`.
    pub(crate) fn node<'a>(
        &mut self,
        op: &str,
        inputs: impl IntoIterator<Item = &'a Value>,
        with: impl FnOnce(Node) -> Node,
    ) -> Result<Value, BuildError> {
        self.builder.node(with(Node::new(op, op.to_lowercase()).inputs(inputs)))
    }

    /// A node without settings.
    pub(crate) fn plain<'a>(
        &mut self,
        op: &str,
        inputs: impl IntoIterator<Item = &'a Value>,
    ) -> Result<Value, BuildError> {
        self.node(op, inputs, |node| node)
    }
}

/// `N 3 8`.
pub(crate) fn text(value: &Value) -> String {
    let dims: Vec<String> = value.dims().iter().map(Dim::to_string).collect();
    dims.join(" ")
}

#[test]
fn what_is_refused_leaves_the_graph_as_it_was() {
    let mut graph = Graph::new(17).builder;
    let x = graph.input("x", DataType::Float32, &[Dim::Fixed(3)]).unwrap();
    let y = graph.input("y", DataType::Float32, &[Dim::Fixed(3)]).unwrap();
    // A second value called `x` must not change what `x` is.
    assert!(graph.constant("x", Tensor::i64(&[1, 2])).is_err());
    assert!(graph.input("x", DataType::Bool, &[]).is_err());
    let relu = graph.node(Node::new("Relu", "relu").input(&x)).unwrap();
    assert_eq!((relu.data_type(), relu.dims()), (DataType::Float32, vec![Dim::Fixed(3)]));
    // A node that does not fit must not take a name.
    assert!(graph.node(Node::new("Not", "sum").input(&x)).is_err());
    let sum = graph.node(Node::new("Add", "sum").inputs([&relu, &y])).unwrap();
    assert_eq!(sum.name(), "sum");
    // An output that cannot be named must not leave the node that would have made it.
    for (value, name) in [(&x, "y"), (&x, "x"), (&relu, "sum"), (&sum, "x")] {
        assert!(graph.output(value, name).is_err(), "{} as {name}", value.name());
    }
    graph.output(&sum, "out").unwrap();
    graph.output(&x, "again").unwrap();
    let model = graph.finish([]).unwrap();
    keep(&model);
    let nodes = &model.proto().graph.as_ref().unwrap().node;
    let names: Vec<_> = nodes.iter().map(|node| (node.op_type.as_str(), node.name.as_str())).collect();
    assert_eq!(names, [("Relu", "relu"), ("Add", "sum"), ("Identity", "again")]);
}

#[test]
fn no_node_bears_the_name_of_a_value_that_it_does_not_make() {
    let mut graph = Graph::new(17).builder;
    let size = Dim::Symbolic("N".to_owned());
    let x = graph.input("x", DataType::Float32, &[size]).unwrap();
    graph.reserve(["later".to_owned(), "out".to_owned()]);
    let node = |graph: &mut GraphBuilder, name: &str, inputs: &[&Value]| {
        let inputs = inputs.iter().copied();
        graph.node(Node::new("Sum", name).inputs(inputs)).unwrap()
    };
    let list = graph.constant("list", Tensor::f32(&[1], &[1.0])).unwrap();
    // After an input, a constant, a constant to come, an output, and one whose new name is the next node's old one.
    let mut value = node(&mut graph, "x", &[&x, &list]);
    for name in ["list", "later", "out", "out_2", "free"] {
        value = node(&mut graph, name, &[&value]);
    }
    let later = graph.constant("later", Tensor::f32(&[1], &[2.0])).unwrap();
    value = node(&mut graph, "free", &[&value, &later]);
    graph.output(&value, "out").unwrap();
    let model = graph.finish([]).unwrap();
    keep(&model);
    let nodes = &model.proto().graph.as_ref().unwrap().node;
    let names: Vec<(&str, &str)> =
        nodes.iter().map(|node| (node.name.as_str(), node.output[0].as_str())).collect();
    let expected = [
        ("x_2", "x_2"),
        ("list_2", "list_2"),
        ("later_2", "later_2"),
        ("out_2", "out_2"),
        ("out_2_2", "out_2_2"),
        ("free", "free"),
        ("free_2", "out"),
    ];
    assert_eq!(names, expected);
}

#[test]
fn every_setting_can_be_written() {
    let mut graph = Graph::new(22);
    let (x, weight, recurrence) = (graph.f("T N 2"), graph.f("1 12 2"), graph.f("1 12 3"));
    let node = Node::new("LSTM", "lstm").inputs([&x, &weight, &recurrence]).int("hidden_size", 3);
    let node = node.float("clip", 2.5).floats("activation_alpha", [0.5, 0.25, 0.125]);
    let node = node.text("direction", "reverse").texts("activations", ["Sigmoid", "LeakyRelu", "Tanh"]);
    let all = graph.builder.node(node).unwrap();
    let sum = graph.node("ReduceProd", [&all], |node| node.int("keepdims", 0)).unwrap();
    let filled = graph.list(&[2]);
    let value = Tensor::raw(DataType::Bool, &[1], vec![1]);
    let filled = graph.node("ConstantOfShape", [&filled], |node| node.tensor("value", value)).unwrap();
    assert_eq!(
        (text(&all), text(&sum), filled.data_type()),
        ("T 1 N 3".into(), String::new(), DataType::Bool)
    );
    let turned = graph.node("MeanVarianceNormalization", [&all], |node| node.signed_ints("axes", [-1, 0]));
    graph.builder.output(&turned.unwrap(), "out").unwrap();
    keep(&graph.builder.finish([]).unwrap());
}
