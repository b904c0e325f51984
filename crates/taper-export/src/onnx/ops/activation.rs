//! Element-wise functions and softmax.

use taper_graph::Node as Layer;

use crate::onnx::builder::Value;
use crate::onnx::compose;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;

/// A function that ONNX has under the name `op_type`.
pub(crate) fn simple(graph: &mut Lowering<'_>, layer: &Layer, op_type: &str) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    graph.node(Node::new(op_type, &layer.name).input(&x))
}

/// See [`compose::gelu`].
pub(crate) fn gelu(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    Ok(compose::gelu(graph.builder(), &layer.name, &x)?)
}

/// See [`compose::silu`].
pub(crate) fn silu(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    Ok(compose::silu(graph.builder(), &layer.name, &x)?)
}

/// Softmax over dimension 1.
pub(crate) fn softmax(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    Ok(compose::softmax(graph.builder(), "Softmax", &layer.name, &x, 1)?)
}
