//! Fixed mean and deviation of each channel.

use taper_graph::{Node as Layer, Normalize};

use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::tensor::Tensor;

/// `(x + (−mean)) ÷ std`, with constants `[1, C, 1, 1]`: `Add` and `Div` are what every runtime was found to compute.
pub(crate) fn normalize(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    settings: &Normalize,
) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    let shape = [1, settings.mean.len(), 1, 1];
    let minus_mean: Vec<f32> = settings.mean.iter().map(|mean| -mean).collect();
    let minus_mean = graph.helper(layer, "minus_mean", Tensor::f32(&shape, &minus_mean))?;
    let std = graph.helper(layer, "std", Tensor::f32(&shape, &settings.std))?;
    let centred = Node::new("Add", format!("{}.centred", layer.name)).inputs([&x, &minus_mean]);
    let centred = graph.node(centred)?;
    graph.node(Node::new("Div", &layer.name).inputs([&centred, &std]))
}
