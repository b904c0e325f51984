//! Element-wise functions and softmax.

use taper_graph::Node as Layer;

use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::tensor::Tensor;

/// A function that ONNX has under the name `op_type`.
pub(crate) fn simple(graph: &mut Lowering<'_>, layer: &Layer, op_type: &str) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    graph.node(Node::new(op_type, &layer.name).input(&x))
}

/// `x·(1 + erf(x / √2))·½`: ONNX has no `Gelu` before opset 20. This is the order in which PyTorch writes it and
/// which optimisers recognise.
pub(crate) fn gelu(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    let named = |what: &str| format!("{}.{what}", layer.name);
    let sqrt2 = graph.helper(layer, "sqrt2", scalar(std::f32::consts::SQRT_2))?;
    let one = graph.helper(layer, "one", scalar(1.0))?;
    let half = graph.helper(layer, "half", scalar(0.5))?;
    let scaled = graph.node(Node::new("Div", named("scaled")).inputs([&x, &sqrt2]))?;
    let erf = graph.node(Node::new("Erf", named("erf")).input(&scaled))?;
    let shifted = graph.node(Node::new("Add", named("shifted")).inputs([&erf, &one]))?;
    let product = graph.node(Node::new("Mul", named("product")).inputs([&x, &shifted]))?;
    graph.node(Node::new("Mul", &layer.name).inputs([&product, &half]))
}

/// `x·σ(x)`: ONNX has no `Swish` before opset 24.
pub(crate) fn silu(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    let sigmoid = graph.node(Node::new("Sigmoid", format!("{}.sigmoid", layer.name)).input(&x))?;
    graph.node(Node::new("Mul", &layer.name).inputs([&x, &sigmoid]))
}

/// Softmax over dimension 1.
pub(crate) fn softmax(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    graph.node(Node::new("Softmax", &layer.name).input(&x).int("axis", 1))
}

fn scalar(value: f32) -> Tensor {
    Tensor::f32(&[], &[value])
}
