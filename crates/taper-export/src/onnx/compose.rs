//! Functions that older operator sets lack, written with several nodes. The last bears the name given, the others
//! names below it.

use super::builder::{GraphBuilder, Value};
use super::error::BuildError;
use super::node::Node;
use super::tensor::{DataType, Tensor};

/// A single number of the element type of `like`.
///
/// # Errors
/// [`BuildError`], not for the types that arithmetic has.
pub(crate) fn scalar(
    graph: &mut GraphBuilder,
    name: &str,
    number: f64,
    like: &Value,
) -> Result<Value, BuildError> {
    let data_type = like.data_type();
    let raw = match data_type {
        DataType::Float64 => number.to_le_bytes().to_vec(),
        DataType::Float16 => half_bits(number).to_le_bytes().to_vec(),
        DataType::Int64 => (number as i64).to_le_bytes().to_vec(),
        DataType::Int32 => (number as i32).to_le_bytes().to_vec(),
        DataType::Int16 => (number as i16).to_le_bytes().to_vec(),
        DataType::UInt8 => vec![number as u8],
        _ => (number as f32).to_le_bytes().to_vec(),
    };
    graph.helper(name, Tensor::raw(data_type, &[], raw))
}

/// The nearest f16, ties to even, as bits.
pub(super) fn half_bits(number: f64) -> u16 {
    let sign = if number.is_sign_negative() { 0x8000 } else { 0 };
    let size = number.abs();
    if size.is_nan() {
        return 0x7e00;
    }
    // The distance between neighbours: 2^-24 below the normal numbers, 2^-10 of the power of two above.
    let exponent = if size < 2f64.powi(-14) { -14 } else { size.log2().floor() as i32 };
    let step = 2f64.powi(exponent - 10);
    let steps = (size / step).round_ties_even();
    if size == f64::INFINITY || steps * step > 65504.0 {
        return sign | 0x7c00;
    }
    let (exponent, steps) = if steps >= 2048.0 { (exponent + 1, 1024.0) } else { (exponent, steps) };
    let bits =
        if steps < 1024.0 { steps as u16 } else { ((exponent + 15) as u16) << 10 | (steps as u16 - 1024) };
    sign | bits
}

/// `x·(1 + erf(x / √2))·½`: ONNX has no `Gelu` before opset 20. This is the order in which PyTorch writes it and
/// which optimisers recognise.
pub(crate) fn gelu(graph: &mut GraphBuilder, name: &str, x: &Value) -> Result<Value, BuildError> {
    let named = |what: &str| format!("{name}.{what}");
    let sqrt2 = scalar(graph, &named("sqrt2"), f64::from(std::f32::consts::SQRT_2), x)?;
    let one = scalar(graph, &named("one"), 1.0, x)?;
    let half = scalar(graph, &named("half"), 0.5, x)?;
    let scaled = graph.node(Node::new("Div", named("scaled")).inputs([x, &sqrt2]))?;
    let erf = graph.node(Node::new("Erf", named("erf")).input(&scaled))?;
    let shifted = graph.node(Node::new("Add", named("shifted")).inputs([&erf, &one]))?;
    let product = graph.node(Node::new("Mul", named("product")).inputs([x, &shifted]))?;
    graph.node(Node::new("Mul", name).inputs([&product, &half]))
}

/// `½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))`, the approximation of GELU.
#[cfg(feature = "candle")]
pub(crate) fn gelu_tanh(graph: &mut GraphBuilder, name: &str, x: &Value) -> Result<Value, BuildError> {
    let named = |what: &str| format!("{name}.{what}");
    let cubic = scalar(graph, &named("cubic"), 0.044715, x)?;
    let scale = scalar(graph, &named("scale"), (2.0 / std::f64::consts::PI).sqrt(), x)?;
    let one = scalar(graph, &named("one"), 1.0, x)?;
    let half = scalar(graph, &named("half"), 0.5, x)?;
    let square = graph.node(Node::new("Mul", named("square")).inputs([x, x]))?;
    let bent = graph.node(Node::new("Mul", named("bent")).inputs([&square, &cubic]))?;
    let factor = graph.node(Node::new("Add", named("factor")).inputs([&bent, &one]))?;
    let inner = graph.node(Node::new("Mul", named("inner")).inputs([x, &factor]))?;
    let scaled = graph.node(Node::new("Mul", named("scaled")).inputs([&inner, &scale]))?;
    let tanh = graph.node(Node::new("Tanh", named("tanh")).input(&scaled))?;
    let shifted = graph.node(Node::new("Add", named("shifted")).inputs([&tanh, &one]))?;
    let product = graph.node(Node::new("Mul", named("product")).inputs([x, &shifted]))?;
    graph.node(Node::new("Mul", name).inputs([&product, &half]))
}

/// `x·σ(x)`: ONNX has no `Swish` before opset 24.
pub(crate) fn silu(graph: &mut GraphBuilder, name: &str, x: &Value) -> Result<Value, BuildError> {
    let sigmoid = graph.node(Node::new("Sigmoid", format!("{name}.sigmoid")).input(x))?;
    graph.node(Node::new("Mul", name).inputs([x, &sigmoid]))
}

/// `Softmax` or `LogSoftmax` over one dimension. That of operator sets before 13 joins all dimensions from its axis on:
/// it must be the last.
pub(crate) fn softmax(
    graph: &mut GraphBuilder,
    op: &str,
    name: &str,
    x: &Value,
    dim: usize,
) -> Result<Value, BuildError> {
    let last = x.fact().rank().saturating_sub(1);
    if graph.opset().opset() >= 13 || dim == last {
        return graph.node(Node::new(op, name).input(x).int("axis", dim as i64));
    }
    let mut order: Vec<usize> = (0..=last).collect();
    order.swap(dim, last);
    let turned = Node::new("Transpose", format!("{name}.turned")).input(x).ints("perm", order.clone());
    let turned = graph.node(turned)?;
    let softmax = Node::new(op, format!("{name}.last")).input(&turned).int("axis", last as i64);
    let softmax = graph.node(softmax)?;
    graph.node(Node::new("Transpose", name).input(&softmax).ints("perm", order))
}

/// `ReduceMean` and its like over `axes`, which older operator sets take as a setting.
#[cfg(feature = "candle")]
pub(crate) fn reduce(
    graph: &mut GraphBuilder,
    op: &str,
    name: &str,
    x: &Value,
    axes: &[usize],
    keep: bool,
) -> Result<Value, BuildError> {
    let first = if op == "ReduceSum" { 13 } else { 18 };
    let node = Node::new(op, name).input(x);
    let node = axes_of(graph, node, name, axes, first)?;
    graph.node(node.int("keepdims", i64::from(keep)))
}

/// `axes` as an input from operator set `first` on, as a setting before.
#[cfg(feature = "candle")]
pub(crate) fn axes_of(
    graph: &mut GraphBuilder,
    node: Node,
    name: &str,
    axes: &[usize],
    first: i64,
) -> Result<Node, BuildError> {
    if graph.opset().opset() < first {
        return Ok(node.ints("axes", axes.iter().copied()));
    }
    let axes: Vec<i64> = axes.iter().map(|&axis| axis as i64).collect();
    let axes = graph.helper(&format!("{name}.axes"), Tensor::i64(&axes))?;
    Ok(node.input(&axes))
}

#[cfg(test)]
mod tests {
    use super::half_bits;

    #[test]
    fn halves_are_rounded_to_the_nearest() {
        let cases = [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (0.1, 0x2e66),
            (65504.0, 0x7bff),
            (65519.0, 0x7bff),
            (65520.0, 0x7c00),
            (f64::INFINITY, 0x7c00),
            (5.960_464_477_539_063e-8, 0x0001),
            (6.097_555_160_522_461e-5, 0x03ff),
            (6.103_515_625e-5, 0x0400),
            (2049.0, 0x6800),
            (2051.0, 0x6802),
        ];
        for (number, bits) in cases {
            assert_eq!(half_bits(number), bits, "{number}");
        }
    }
}
