//! Batch norm: folded into the convolution before it where possible.

use taper_graph::{BatchNorm2d, Graph, Node as Layer, Op};

use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;

/// A batch norm in evaluation as `scale·x + shift`, channel by channel.
pub(crate) struct Affine {
    pub(crate) scale: Vec<f64>,
    pub(crate) shift: Vec<f64>,
}

/// Nothing if the norm is folded into its convolution, else `BatchNormalization`.
pub(crate) fn batch_norm2d(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    norm: &BatchNorm2d,
) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    if is_folded(graph.graph(), layer) {
        return Ok(x);
    }
    let mut node = Node::new("BatchNormalization", &layer.name).input(&x);
    for param in ["weight", "bias", "running_mean", "running_var"] {
        node = node.input(&graph.param(layer, param)?);
    }
    graph.node(node.float("epsilon", norm.eps as f32))
}

/// The batch norm to be folded into `conv`: the only reader of its output.
pub(crate) fn folded_into(graph: &Lowering<'_>, conv: &Layer) -> Option<Affine> {
    let index = graph.graph().nodes().iter().position(|node| node.name == conv.name)?;
    let norm = sole_reader(graph.graph(), index + 1)?;
    let Op::BatchNorm2d(settings) = &norm.op else { return None };
    let param = |name| graph.weight(norm, name).iter().map(|&x| f64::from(x));
    let scale: Vec<f64> = param("weight")
        .zip(param("running_var"))
        .map(|(weight, variance)| weight / (variance + settings.eps).sqrt())
        .collect();
    let shift = param("bias")
        .zip(param("running_mean"))
        .zip(&scale)
        .map(|((bias, mean), scale)| bias - mean * scale)
        .collect();
    Some(Affine { scale, shift })
}

/// Whether the batch norm `layer` reads a convolution that nothing else reads.
fn is_folded(graph: &Graph, layer: &Layer) -> bool {
    let input = source(graph, layer.inputs[0].index());
    let producer = input.checked_sub(1).map(|index| &graph.nodes()[index].op);
    matches!(producer, Some(Op::Conv2d(_))) && sole_reader(graph, input).is_some()
}

/// The one node that reads the value at `index`, if it is one. Dropout reads nothing: it leaves no trace in a file.
fn sole_reader(graph: &Graph, index: usize) -> Option<&Layer> {
    let reads = |node: &&Layer| node.inputs.iter().any(|input| source(graph, input.index()) == index);
    let mut readers = graph.nodes().iter().filter(|node| !matches!(node.op, Op::Dropout(_))).filter(reads);
    let first = readers.next()?;
    readers.next().is_none().then_some(first)
}

/// The value that the one at `index` is once dropout has gone.
fn source(graph: &Graph, mut index: usize) -> usize {
    while let Some(Layer { op: Op::Dropout(_), inputs, .. }) = index.checked_sub(1).map(|at| &graph.nodes()[at]) {
        index = inputs[0].index();
    }
    index
}
