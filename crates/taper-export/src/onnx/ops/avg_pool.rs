//! Average pooling.

use taper_graph::{AvgPool2d, Node as Layer};

use super::{end_padding, pads};
use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::options::Profile;
use crate::onnx::tensor::Tensor;

/// `AveragePool` that divides as PyTorch does.
///
/// PyTorch divides by the elements of a window that lie in the input or, with `count_include_pad`, in the input
/// and its padding; what reaches beyond even that in ceil mode never counts. ONNX counts either all padding or
/// none. Both kinds of padding in one pool therefore take a `Pad` of zeros, which counts as input, before it.
pub(crate) fn avg_pool2d(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    pool: &AvgPool2d,
) -> Result<Value, LowerError> {
    let [_, height, width] = graph.image(layer, graph.graph().shape(layer.inputs[0]))?;
    let [_, out_height, out_width] = graph.image(layer, &layer.shape)?;
    let windows = pool.windows();
    let ends = [(0, height, out_height), (1, width, out_width)]
        .map(|(axis, input, output)| end_padding(&windows[axis], input, pool.kernel[axis], output));
    let beyond = [0, 1].map(|axis| ends[axis] - pool.padding[axis]);

    let mut x = graph.input(layer).clone();
    let mut padding = pads(pool.padding, ends);
    let mut count_padding = pool.count_include_pad && padding != [0; 4];
    if count_padding && beyond != [0, 0] {
        if pool.padding != [0, 0] {
            x = pad_with_zeros(graph, layer, &x, pool.padding)?;
        }
        padding = pads([0, 0], beyond);
        count_padding = false;
    }
    if graph.profile() == Profile::Candle && padding != [0; 4] {
        let reason = format!("it pads by {padding:?}, and candle pads no average pool");
        return Err(graph.unsupported(layer, reason, "use the profile `portable`"));
    }
    let mut node = Node::new("AveragePool", &layer.name).input(&x);
    if count_padding {
        node = node.int("count_include_pad", 1);
    }
    let node = node.ints("kernel_shape", pool.kernel).ints("pads", padding).ints("strides", pool.stride);
    graph.node(node)
}

/// Zeros on all four sides.
fn pad_with_zeros(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    x: &Value,
    [height, width]: [usize; 2],
) -> Result<Value, LowerError> {
    let [height, width] = [height as i64, width as i64];
    let sides = Tensor::i64(&[0, 0, height, width, 0, 0, height, width]);
    let sides = graph.helper(layer, "sides", sides)?;
    let zero = graph.helper(layer, "zero", Tensor::f32(&[], &[0.0]))?;
    let node = Node::new("Pad", format!("{}.padded", layer.name)).inputs([x, &sides, &zero]);
    graph.node(node.text("mode", "constant"))
}

/// `GlobalAveragePool`; candle-onnx has only the mean over given axes.
pub(crate) fn global_avg_pool(graph: &mut Lowering<'_>, layer: &Layer) -> Result<Value, LowerError> {
    let x = graph.input(layer).clone();
    let node = match graph.profile() {
        Profile::Portable => Node::new("GlobalAveragePool", &layer.name).input(&x),
        Profile::Candle => {
            Node::new("ReduceMean", &layer.name).input(&x).ints("axes", [2, 3]).int("keepdims", 1)
        }
    };
    graph.node(node)
}
