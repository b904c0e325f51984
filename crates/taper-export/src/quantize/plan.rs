//! What of a graph becomes int8.

use std::collections::{BTreeMap, BTreeSet};

use crate::onnx::DataType;
use crate::onnx::proto::{GraphProto, NodeProto};

/// What of a graph becomes int8.
pub(super) struct Plan {
    /// The values that become bytes, and the value whose range each has.
    pub(super) values: BTreeMap<String, String>,
    /// The nodes that multiply by a constant weight, by their place, and the axis of its output channels.
    pub(super) products: BTreeMap<usize, usize>,
}

/// What a node is to int8.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A value times a constant weight, whose output channels are that axis.
    Product(usize),
    /// Computed in integers if what it makes is bytes as well.
    Joint,
    /// Hands on numbers it is given, and so bytes.
    Pass,
    /// Runtimes let it vanish into the rounding behind it.
    Relu,
    /// Computed in floating point.
    Float,
}

impl Plan {
    pub(super) fn of(graph: &GraphProto) -> Self {
        let floats = |rank: usize| {
            let all = graph.initializer.iter();
            let fit = all.filter(move |it| it.dims.len() == rank && it.data_type == DataType::Float32.code());
            fit.map(|it| it.name.as_str()).collect::<BTreeSet<&str>>()
        };
        let constants: BTreeSet<&str> = graph.initializer.iter().map(|it| it.name.as_str()).collect();
        let sets = Constants { all: constants, vectors: floats(1), matrices: floats(2), filters: floats(4) };
        let kinds: Vec<Kind> = graph.node.iter().map(|node| sets.kind(node)).collect();
        let wanted = wanted(graph, &kinds);
        let products = kinds.iter().enumerate().filter_map(|(place, kind)| match kind {
            Kind::Product(axis) => Some((place, *axis)),
            _ => None,
        });
        let products = products.collect();
        Self { values: roots(graph, &kinds, wanted), products }
    }
}

/// The names of constants, by what they can be.
struct Constants<'a> {
    all: BTreeSet<&'a str>,
    vectors: BTreeSet<&'a str>,
    matrices: BTreeSet<&'a str>,
    filters: BTreeSet<&'a str>,
}

impl Constants<'_> {
    fn kind(&self, node: &NodeProto) -> Kind {
        let inputs: Vec<&str> = node.input.iter().map(String::as_str).collect();
        let is_value = |name: &&str| !self.all.contains(*name);
        let setting = |name: &str| node.attribute.iter().find(|attribute| attribute.name == name);
        let number = |name: &str| setting(name).and_then(|attribute| attribute.i).unwrap_or(0);
        let is_one = |name: &str| setting(name).and_then(|attribute| attribute.f).unwrap_or(1.0) == 1.0;
        let has_bias = |bias: Option<&&str>| bias.is_none_or(|name| self.vectors.contains(*name));
        match (node.op_type.as_str(), &inputs[..]) {
            ("Conv", [x, weight, bias @ ..])
                if is_value(x) && self.filters.contains(*weight) && has_bias(bias.first()) =>
            {
                Kind::Product(0)
            }
            ("Gemm", [x, weight, bias @ ..])
                if is_value(x)
                    && self.matrices.contains(*weight)
                    && has_bias(bias.first())
                    && number("transA") == 0
                    && is_one("alpha")
                    && is_one("beta") =>
            {
                Kind::Product(if number("transB") == 0 { 1 } else { 0 })
            }
            ("MatMul", [x, weight]) if is_value(x) && self.matrices.contains(*weight) => Kind::Product(1),
            ("Add" | "Concat" | "AveragePool" | "GlobalAveragePool", inputs)
                if inputs.iter().all(is_value) =>
            {
                Kind::Joint
            }
            ("MaxPool" | "Flatten" | "Reshape" | "Transpose" | "Gather", [x, rest @ ..])
                if is_value(x) && !rest.iter().any(is_value) && node.output.len() == 1 =>
            {
                Kind::Pass
            }
            ("Relu", [x]) if is_value(x) => Kind::Relu,
            _ => Kind::Float,
        }
    }
}

/// The values to become bytes: what products read, and from there back through the graph. A node comes after all that it
/// reads, so that one pass from the last to the first sees everything.
fn wanted(graph: &GraphProto, kinds: &[Kind]) -> BTreeSet<String> {
    let mut wanted = BTreeSet::new();
    for (node, kind) in graph.node.iter().zip(kinds).rev() {
        let Some(made) = node.output.first() else { continue };
        let read: &[String] = match kind {
            Kind::Product(_) => &node.input[..1],
            Kind::Pass if wanted.contains(made) => &node.input[..1],
            Kind::Joint
                if wanted.contains(made)
                    || relu_behind(graph, made).is_some_and(|it| wanted.contains(it)) =>
            {
                &node.input
            }
            _ => &[],
        };
        wanted.extend(read.iter().cloned());
    }
    wanted
}

/// What the ReLU makes that is the only reader of `value`.
fn relu_behind<'a>(graph: &'a GraphProto, value: &str) -> Option<&'a String> {
    let mut readers = graph.node.iter().filter(|node| node.input.iter().any(|input| input == value));
    let first = readers.next().filter(|node| node.op_type == "Relu")?;
    let is_sole = readers.next().is_none() && !graph.output.iter().any(|output| output.name == value);
    first.output.first().filter(|_| is_sole)
}

/// Each of `wanted` with the value whose range it has: what is only passed on has that of its source.
fn roots(graph: &GraphProto, kinds: &[Kind], wanted: BTreeSet<String>) -> BTreeMap<String, String> {
    let mut roots = BTreeMap::new();
    let inputs = graph.input.iter().map(|input| &input.name).filter(|name| wanted.contains(*name));
    roots.extend(inputs.map(|name| (name.clone(), name.clone())));
    for (node, kind) in graph.node.iter().zip(kinds) {
        for made in node.output.iter().filter(|made| wanted.contains(*made)) {
            let source =
                node.input.first().and_then(|source| roots.get(source)).filter(|_| *kind == Kind::Pass);
            let root = source.unwrap_or(made).clone();
            roots.insert(made.clone(), root);
        }
    }
    roots
}
