//! Ops that join values or dimensions.

use taper_graph::Node as Layer;

use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;

/// All dimensions after the batch joined.
pub(crate) fn flatten(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    graph.node(Node::new("Flatten", &layer.name).input(&x).int("axis", 1))
}

/// Sum of two values.
pub(crate) fn add(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let inputs = graph.inputs(layer);
    graph.node(Node::new("Add", &layer.name).inputs(&inputs))
}

/// Values joined along dimension 1.
pub(crate) fn concat(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let inputs = graph.inputs(layer);
    graph.node(Node::new("Concat", &layer.name).inputs(&inputs).int("axis", 1))
}
