//! Convolution, with a batch norm behind it folded in.

use taper_graph::{Conv2d, Node as Layer};

use super::norm;
use super::pads;
use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::profile::Profile;
use crate::onnx::tensor::Tensor;

/// `Conv` with every setting written out.
pub(crate) fn conv2d(graph: &mut Lowering<'_>, layer: &Layer, conv: &Conv2d) -> Result<Value, LowerError> {
    let square = |pair: [usize; 2]| pair[0] == pair[1];
    if graph.profile() == Profile::Candle && !(square(conv.stride) && square(conv.dilation)) {
        let reason =
            format!("stride {:?}, dilation {:?}: candle has one for both", conv.stride, conv.dilation);
        return Err(graph.unsupported(layer, reason, "use the profile `portable`"));
    }
    let x = graph.input(layer).clone();
    let (weight, bias) = constants(graph, layer, conv)?;
    let node = Node::new("Conv", &layer.name)
        .inputs([&x, &weight])
        .inputs(&bias)
        .ints("dilations", conv.dilation)
        .int("group", conv.groups as i64)
        .ints("kernel_shape", conv.kernel)
        .ints("pads", pads(conv.padding, conv.padding))
        .ints("strides", conv.stride);
    graph.node(node)
}

fn constants(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    conv: &Conv2d,
) -> Result<(Value, Option<Value>), LowerError> {
    let Some(affine) = norm::folded_into(graph, layer) else {
        let weight = graph.param(layer, "weight")?;
        let bias = if conv.bias { Some(graph.param(layer, "bias")?) } else { None };
        return Ok((weight, bias));
    };
    let weight = graph.weight(layer, "weight");
    let taps = weight.len() / conv.out_channels;
    let scaled: Vec<f32> = weight
        .chunks_exact(taps)
        .zip(&affine.scale)
        .flat_map(|(filter, &scale)| filter.iter().map(move |&w| (f64::from(w) * scale) as f32))
        .collect();
    let bias = graph.weight(layer, "bias").iter().map(|&b| f64::from(b)).chain(std::iter::repeat(0.0));
    let shifted: Vec<f32> = bias
        .zip(affine.scale.iter().zip(&affine.shift))
        .map(|(bias, (scale, shift))| (bias * scale + shift) as f32)
        .collect();
    let weight = graph.constant(layer, "weight", Tensor::f32(&layer.params[0].shape, &scaled))?;
    let bias = graph.constant(layer, "bias", Tensor::f32(&[conv.out_channels], &shifted))?;
    Ok((weight, Some(bias)))
}
