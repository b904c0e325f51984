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

/// The batch norms to be folded into `conv`, as one affine map.
pub(crate) fn folded_into(graph: &Lowering<'_>, conv: &Layer) -> Option<Affine> {
    let index = graph.graph().nodes().iter().position(|node| node.name == conv.name)?;
    let affine =
        chain(graph.graph(), index).into_iter().map(|(norm, settings)| affine(graph, norm, settings));
    affine.reduce(|first, then| Affine {
        shift: first.shift.iter().zip(&then.scale).zip(&then.shift).map(|((a, s), b)| a * s + b).collect(),
        scale: first.scale.iter().zip(&then.scale).map(|(a, b)| a * b).collect(),
    })
}

fn affine(graph: &Lowering<'_>, norm: &Layer, settings: &BatchNorm2d) -> Affine {
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
    Affine { scale, shift }
}

/// Whether the batch norm `layer` is one of those folded into a convolution.
fn is_folded(graph: &Graph, layer: &Layer) -> bool {
    let convs = graph.nodes().iter().enumerate().filter(|(_, node)| matches!(node.op, Op::Conv2d(_)));
    let mut norms = convs.flat_map(|(index, _)| chain(graph, index));
    norms.any(|(norm, _)| norm.name == layer.name)
}

/// The batch norms behind the node at `index`, each the only reader of the one before. All are folded, so that a file
/// read back has none that could be.
fn chain(graph: &Graph, index: usize) -> Vec<(&Layer, &BatchNorm2d)> {
    let mut norms = Vec::new();
    let mut last = index;
    while let Some((at, norm)) = sole_reader(graph, last + 1)
        && let Op::BatchNorm2d(settings) = &norm.op
    {
        norms.push((norm, settings));
        last = at;
    }
    norms
}

/// The one node that reads the value at `index`, if it is one, and its place. Dropout reads nothing: it leaves no trace
/// in a file.
fn sole_reader(graph: &Graph, index: usize) -> Option<(usize, &Layer)> {
    let reads = |node: &Layer| node.inputs.iter().any(|input| source(graph, input.index()) == index);
    let nodes = graph.nodes().iter().enumerate().filter(|(_, node)| !matches!(node.op, Op::Dropout(_)));
    let mut readers = nodes.filter(|(_, node)| reads(node));
    let first = readers.next()?;
    readers.next().is_none().then_some(first)
}

/// The value that the one at `index` is once dropout has gone.
fn source(graph: &Graph, mut index: usize) -> usize {
    while let Some(Layer { op: Op::Dropout(_), inputs, .. }) =
        index.checked_sub(1).map(|at| &graph.nodes()[at])
    {
        index = inputs[0].index();
    }
    index
}
