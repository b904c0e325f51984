//! How each family of ops is written in ONNX.
//!
//! Kernels, strides, pads, dilations, groups and axes are always written, so that no runtime needs to know a default.
//! Flags that are to be 0, their default, are not: `ceil_mode`, `count_include_pad`, `transA`.

pub(super) mod activation;
pub(super) mod avg_pool;
pub(super) mod conv;
pub(super) mod linear;
pub(super) mod max_pool;
pub(super) mod norm;
pub(super) mod normalize;
pub(super) mod shape;

use taper_graph::Window;

/// How far windows reach beyond the input at its end, so that rounding down gives all `positions`.
///
/// PyTorch's ceil mode, ONNX's formula and its implementations disagree on whether a last window that starts in
/// the padding counts, and on what an incomplete one is divided by. With the end padded by hand there is nothing to
/// round, and no `ceil_mode` is ever written.
fn end_padding(window: &Window, input: usize, span: usize, positions: usize) -> usize {
    let reach = (positions - 1) * window.stride + span;
    let needed = reach.saturating_sub(input + window.padding);
    needed.max(window.padding)
}

/// ONNX's `pads`: the starts of both axes, then their ends.
fn pads(starts: [usize; 2], ends: [usize; 2]) -> [usize; 4] {
    [starts[0], starts[1], ends[0], ends[1]]
}
