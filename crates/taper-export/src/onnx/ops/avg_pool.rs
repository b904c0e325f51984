//! Average pooling.

use taper_graph::{AvgPool2d, Node as Layer};

use super::{end_padding, pads};
use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::profile::Profile;
use crate::onnx::tensor::Tensor;

/// How an average pool is written.
#[derive(Debug, PartialEq)]
pub(crate) struct Form {
    /// Zeros of a `Pad` before it, on both sides of height and width.
    pub(crate) zeros: [usize; 2],
    /// Its own `pads`.
    pub(crate) pads: [usize; 4],
    /// Whether these count in the divisor.
    pub(crate) count_include_pad: bool,
}

/// How `pool` is written, from the sizes of input and output along height and width.
///
/// PyTorch divides by the elements of a window that lie in the input or, with `count_include_pad`, in the input
/// and its padding; what reaches beyond even that in ceil mode never counts. ONNX counts either all padding or
/// none. Both kinds of padding in one pool therefore take a `Pad` of zeros, which counts as input, before it.
pub(crate) fn form(pool: &AvgPool2d, sizes: [(usize, usize); 2]) -> Form {
    let windows = pool.windows();
    let ends = [0, 1].map(|axis| {
        let (input, output) = sizes[axis];
        end_padding(&windows[axis], input, pool.kernel[axis], output)
    });
    let beyond = [0, 1].map(|axis| ends[axis] - pool.padding[axis]);
    let padding = pads(pool.padding, ends);
    let count_include_pad = pool.count_include_pad && padding != [0; 4];
    if count_include_pad && beyond != [0, 0] {
        return Form { zeros: pool.padding, pads: pads([0, 0], beyond), count_include_pad: false };
    }
    Form { zeros: [0, 0], pads: padding, count_include_pad }
}

/// `AveragePool` that divides as PyTorch does.
pub(crate) fn avg_pool2d(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    pool: &AvgPool2d,
) -> Result<Value, LowerError> {
    let [_, height, width] = graph.image(layer, graph.graph().shape(layer.inputs[0]))?;
    let [_, out_height, out_width] = graph.image(layer, &layer.shape)?;
    let form = form(pool, [(height, out_height), (width, out_width)]);
    let mut x = graph.input(layer).clone();
    if graph.profile() == Profile::Candle && (form.pads != [0; 4] || form.zeros != [0, 0]) {
        let reason = format!("it pads by {:?}, and candle pads no average pool", pool.padding);
        return Err(graph.unsupported(layer, reason, "use the profile `portable`"));
    }
    if form.zeros != [0, 0] {
        x = pad_with_zeros(graph, layer, &x, form.zeros)?;
    }
    let mut node = Node::new("AveragePool", &layer.name).input(&x);
    if form.count_include_pad {
        node = node.int("count_include_pad", 1);
    }
    let node = node.ints("kernel_shape", pool.kernel).ints("pads", form.pads).ints("strides", pool.stride);
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
        Profile::Candle => {
            Node::new("ReduceMean", &layer.name).input(&x).ints("axes", [2, 3]).int("keepdims", 1)
        }
        _ => Node::new("GlobalAveragePool", &layer.name).input(&x),
    };
    graph.node(node)
}
