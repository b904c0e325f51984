//! From the order of the backward pass to that of the forward pass.

use std::ops::Range;

use super::order::Order;
use crate::simd::{LANES, Simd};

/// Turns the tiles of the pieces `blocks` of the inputs from rows `[output][input]` to rows `[input][output]`.
#[inline(always)]
pub(super) fn transpose<S: Simd>(
    s: S,
    order: Order,
    blocks: Range<usize>,
    weight: &[f32],
    turned: &mut [f32],
) {
    let origin = order.tile(blocks.start, 0).start;
    for block in blocks {
        let inputs = order.inputs.piece(block).len();
        for piece in 0..order.outputs.len() {
            let outputs = order.outputs.piece(piece).len();
            let tile = order.tile(block, piece);
            let tile = tile.start - origin..tile.end - origin;
            transpose_tile(s, [inputs, outputs], &weight[tile.clone()], &mut turned[tile]);
        }
    }
}

/// One of these tiles.
#[inline(always)]
pub(super) fn transpose_tile<S: Simd>(s: S, [inputs, outputs]: [usize; 2], tile: &[f32], turned: &mut [f32]) {
    assert!(tile.len() == inputs * outputs && turned.len() == tile.len());
    for output in (0..outputs).step_by(LANES) {
        for input in (0..inputs).step_by(LANES) {
            // SAFETY: `inputs` and `outputs` are multiples of eight, of which `input` and `output` are the first of eight,
            // and both slices have `inputs * outputs` elements.
            unsafe {
                let rows = std::array::from_fn(
                    #[inline(always)]
                    |row| s.load(tile, (output + row) * inputs + input),
                );
                let columns = s.transpose(rows);
                for (column, values) in columns.into_iter().enumerate() {
                    s.store(values, turned, (input + column) * outputs + output);
                }
            }
        }
    }
}
