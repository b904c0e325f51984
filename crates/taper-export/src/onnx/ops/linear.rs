//! The fully connected layer.

use taper_graph::{Linear, Node as Layer};

use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::tensor::Tensor;

/// `Gemm` with the weight as PyTorch stores it. Some runtimes insist on its third input: a layer without a bias
/// gets zeros.
pub(crate) fn linear(graph: &mut Lowering<'_>, layer: &Layer, linear: &Linear) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    let weight = graph.param(layer, "weight")?;
    let bias = if linear.bias {
        graph.param(layer, "bias")?
    } else {
        let zeros = Tensor::f32(&[linear.out_features], &vec![0.0; linear.out_features]);
        graph.constant(layer, "bias", zeros)?
    };
    let node = Node::new("Gemm", &layer.name).inputs([&x, &weight, &bias]).int("transB", 1);
    graph.node(node.float("alpha", 1.0).float("beta", 1.0))
}
