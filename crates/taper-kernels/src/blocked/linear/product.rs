//! `y += x·W` and `dx = dy·Wᵀ` for rows, only over what of `x` is not zero where that is faster.
//!
//! Whichever way a product takes, one element of `y` is the same chain of `mul_add`s in the order of the depth; a zero
//! adds nothing to it. One of `dx` is the sum of one chain for each panel and lane. So results do not depend on the
//! way, nor on how many rows share a call.

use super::lists::{Block, Lists, Rows};
use super::order::{BLOCK, Order, PANEL, pieces};
use super::tiles::{Panel, dense, dots, sparse};
use crate::simd::{LANES, Simd};

/// Rows for which a panel of weights is read once.
const ROWS: usize = 64;
/// So many rows are no longer few: see [`Product::for_each_panel`].
const FEW: usize = 6;
/// Blocks for which lists are made at a time.
const BLOCKS: usize = 32;

/// Rows times weights.
pub(super) struct Product<'a> {
    pub(super) rows: usize,
    pub(super) order: Order,
    pub(super) weight: &'a [f32],
}

impl Product<'_> {
    /// Elements of scratch for so many rows.
    pub(super) fn scratch_len(rows: usize, order: Order) -> usize {
        Lists::len(rows.min(ROWS), order.depth.min(BLOCKS * BLOCK))
    }

    /// `y += x·W`. The slices have the sizes of the product, `scratch` at least [`Product::scratch_len`].
    #[inline(always)]
    pub(super) fn add<S: Simd>(&self, s: S, x: &[f32], scratch: &mut [f32], y: &mut [f32]) {
        let width = (self.order.columns / LANES).min(PANEL);
        self.for_each_part(
            scratch,
            #[inline(always)]
            |lists, part, inputs| {
                lists.fill(s, x, inputs, |listed, all| !sparse_pays(listed, all, width));
                self.for_each_panel(
                    lists,
                    part,
                    #[inline(always)]
                    |list, panel| {
                        if list.whole {
                            dense(s, &list, panel, y);
                        } else {
                            sparse(s, &list, panel, y);
                        }
                    },
                );
            },
        );
    }

    /// `dx = dy·Wᵀ`; with `x` it stays as it is wherever that is zero. Sizes as for [`Product::add`].
    #[inline(always)]
    pub(super) fn transposed<S: Simd>(
        &self,
        s: S,
        dy: &[f32],
        x: Option<&[f32]>,
        scratch: &mut [f32],
        dx: &mut [f32],
    ) {
        self.for_each_part(
            scratch,
            #[inline(always)]
            |lists, part, inputs| {
                match x {
                    Some(x) => lists.fill_places::<S, false>(s, x, inputs),
                    None => lists.fill_places::<S, true>(s, dx, inputs),
                }
                self.for_each_panel(
                    lists,
                    part,
                    #[inline(always)]
                    |mut list, panel| dots(s, &mut list, panel, dy),
                );
                for block in 0..inputs.blocks() {
                    lists.block(block).spread(&mut dx[inputs.start + block * BLOCK..], inputs.stride);
                }
            },
        );
    }

    /// Calls `visit` for some rows and some of the depth at a time, with room for their lists.
    #[inline(always)]
    fn for_each_part(&self, scratch: &mut [f32], mut visit: impl FnMut(&mut Lists<'_>, Part, Rows)) {
        let Order { depth, .. } = self.order;
        for rows in pieces(self.rows, ROWS) {
            for first in (0..self.order.blocks()).step_by(BLOCKS) {
                let start = first * BLOCK;
                let len = (depth - start).min(BLOCKS * BLOCK);
                let mut lists = Lists::new(scratch, rows.len(), len);
                let inputs = Rows { start: rows.start * depth + start, stride: depth, depth: len };
                visit(
                    &mut lists,
                    Part {
                        rows: rows.len(),
                        first_row: rows.start,
                        first_block: first,
                        blocks: inputs.blocks(),
                    },
                    inputs,
                );
            }
        }
    }

    /// Calls `visit` for each panel of weights that a part needs, with its lists.
    #[inline(always)]
    fn for_each_panel(&self, lists: &mut Lists<'_>, part: Part, mut visit: impl FnMut(Block<'_>, Panel<'_>)) {
        let (stride, panels) = (self.order.columns, self.order.panels());
        for visited in 0..panels * part.blocks {
            // The outputs of many rows should stay in the cache; for a few it is better to read the weights in one sweep.
            let (panel, block) = if part.rows < FEW {
                (visited % panels, visited / panels)
            } else {
                (visited / part.blocks, visited % part.blocks)
            };
            let vectors = self.order.panel(panel);
            let at = part.first_block + block;
            let weight = &self.weight[self.order.range(at, &vectors)];
            let (depth, width) = (self.order.block(at).len(), vectors.len());
            let start = part.first_row * stride + vectors.start * LANES;
            visit(lists.block(block), Panel { weight, depth, width, start, stride });
        }
    }
}

/// Some rows of a product over some of its depth.
#[derive(Clone, Copy)]
struct Part {
    rows: usize,
    first_row: usize,
    first_block: usize,
    blocks: usize,
}

/// Whether running over `listed` of `full` values is less work than running over all, for a panel of `width` vectors:
/// a listed value waits for the sums of the one before it, or for its loads, of which two fit a cycle.
fn sparse_pays(listed: usize, full: usize, width: usize) -> bool {
    // In tenths of a cycle.
    let one = (5 * width + 10).max(40);
    let dense = 5 * width + 5;
    listed * one <= full * dense
}
