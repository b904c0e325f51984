//! Max pooling.

use taper_graph::{MaxPool2d, Node as Layer, Window};

use super::{end_padding, pads};
use crate::onnx::builder::Value;
use crate::onnx::lower::{LowerError, Lowering};
use crate::onnx::node::Node;
use crate::onnx::profile::Profile;
use crate::onnx::tensor::Tensor;

/// `MaxPool` where every runtime of the profile computes it, else the windows laid side by side by `Gather`.
pub(crate) fn max_pool2d(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    pool: &MaxPool2d,
) -> Result<Value, LowerError> {
    let [_, height, width] = graph.image(layer, graph.graph().shape(layer.inputs[0]))?;
    let [_, out_height, out_width] = graph.image(layer, &layer.shape)?;
    let sizes = [(height, out_height), (width, out_width)];
    let padding = pads(pool.padding, ends(pool, sizes));
    let needs_gather = pool.dilation != [1, 1] || (graph.profile() == Profile::Candle && padding != [0; 4]);
    let x = graph.input(layer).clone();
    if !needs_gather {
        return plain(graph, layer, &x, pool.kernel, pool.stride, padding);
    }
    let windows = pool.windows();
    let rows = spread(graph, layer, &x, ("rows", 2), &windows[0], sizes[0])?;
    let both = spread(graph, layer, &rows, ("columns", 3), &windows[1], sizes[1])?;
    plain(graph, layer, &both, pool.kernel, pool.kernel, [0; 4])
}

/// The padding at the end of height and width, from the sizes of input and output.
pub(crate) fn ends(pool: &MaxPool2d, sizes: [(usize, usize); 2]) -> [usize; 2] {
    let windows = pool.windows();
    [0, 1].map(|axis| {
        let (input, output) = sizes[axis];
        end_padding(&windows[axis], input, (pool.kernel[axis] - 1) * pool.dilation[axis] + 1, output)
    })
}

fn plain(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    x: &Value,
    kernel: [usize; 2],
    stride: [usize; 2],
    pads: [usize; 4],
) -> Result<Value, LowerError> {
    let node = Node::new("MaxPool", &layer.name)
        .input(x)
        .ints("dilations", [1, 1])
        .ints("kernel_shape", kernel)
        .ints("pads", pads)
        .ints("strides", stride);
    graph.node(node)
}

/// The taps of all windows along one axis laid side by side, so that windows neither overlap nor reach outside.
///
/// Few runtimes know a dilated `MaxPool`, but all know `Gather`.
fn spread(
    graph: &mut Lowering<'_>,
    layer: &Layer,
    x: &Value,
    (what, axis): (&str, i64),
    window: &Window,
    (input, positions): (usize, usize),
) -> Result<Value, LowerError> {
    let indices = match taps(window, input, positions) {
        Ok(indices) => indices,
        Err(position) => {
            let reason = format!("window {position} of its {what} has no tap inside the input");
            return Err(graph.unsupported(layer, reason, "use a smaller padding or dilation"));
        }
    };
    let indices = graph.helper(layer, &format!("{what}.indices"), Tensor::i64(&indices))?;
    let node = Node::new("Gather", format!("{}.{what}", layer.name)).inputs([x, &indices]);
    graph.node(node.int("axis", axis))
}

/// The place in the input of every tap of every window. A tap outside the input is replaced by another tap of its
/// window: the greatest value stays the same, and no infinity is written. The error is a window that has none inside.
pub(crate) fn taps(window: &Window, input: usize, positions: usize) -> Result<Vec<i64>, usize> {
    let mut indices = Vec::with_capacity(positions * window.kernel);
    for position in 0..positions {
        let taps = (0..window.kernel).map(|tap| window.start(position) + (tap * window.dilation) as isize);
        let inside = |tap: &isize| (0..input as isize).contains(tap);
        let stand_in = taps.clone().find(inside).ok_or(position)?;
        indices.extend(taps.map(|tap| if inside(&tap) { tap as i64 } else { stand_in as i64 }));
    }
    Ok(indices)
}
