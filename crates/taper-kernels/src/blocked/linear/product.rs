//! `y += x·W` for rows, only over what of `x` is not zero where that is faster: forward, and backward to the input.
//!
//! Whichever way a product takes, one element of `y` is the same chain of `mul_add`s in the order of the depth; a zero
//! adds nothing to it. So, as long as the weights are finite, results do not depend on the way, nor on how many rows share
//! a call.

use std::ops::Range;

use super::lists::{Block, Lists, Rows};
use super::order::{Cut, INPUTS, LONGEST, Order, pieces};
use super::tiles::{Panel, dense, sparse};
use super::transpose::transpose_tile;
use crate::simd::{LANES, Simd};

/// The most elements of a tile of weights.
const TILE: usize = INPUTS * LANES * LONGEST;
/// Rows for which a panel of weights is read once.
const ROWS: usize = 64;
/// So many rows are no longer few: see [`Product::in_one_sweep`].
const FEW: usize = 6;
/// Blocks for which lists are made at a time.
const BLOCKS: usize = 32;

/// Rows times weights.
pub(super) struct Product<'a> {
    pub(super) rows: usize,
    pub(super) order: Order,
    /// Whether the rows are gradients of outputs, and the weights in the order of the backward pass.
    pub(super) backward: bool,
    /// Whether the weights are in the order of the other pass, and are to be turned a tile at a time.
    pub(super) turn: bool,
    /// The panels of columns that there is a result of.
    pub(super) panels: Range<usize>,
    pub(super) weight: &'a [f32],
}

impl Product<'_> {
    /// Elements of scratch for so many rows, in either direction.
    pub(super) fn scratch_len(rows: usize, order: Order) -> usize {
        let (rows, blocks) = (rows.min(ROWS), order.inputs.len().max(order.outputs.len()));
        TILE + rows * LONGEST + Lists::len(rows, blocks.min(BLOCKS))
    }

    /// What is summed over.
    fn depth(&self) -> Cut {
        if self.backward { self.order.outputs } else { self.order.inputs }
    }

    /// What a row of the result has.
    fn columns(&self) -> Cut {
        if self.backward { self.order.inputs } else { self.order.outputs }
    }

    /// The columns of the result, among all.
    fn result(&self) -> Range<usize> {
        let columns = self.columns();
        columns.piece(self.panels.start).start..columns.piece(self.panels.end).start
    }

    /// Where the weights of a block of the depth and a panel of columns stand.
    fn tile(&self, block: usize, panel: usize) -> Range<usize> {
        if self.backward { self.order.tile(panel, block) } else { self.order.tile(block, panel) }
    }

    /// `y += x·W`. The slices have the sizes of the product, `scratch` at least [`Product::scratch_len`].
    #[inline(always)]
    pub(super) fn add<S: Simd>(&self, s: S, x: &[f32], scratch: &mut [f32], y: &mut [f32]) {
        // Nothing times nothing may have any number of rows.
        if self.weight.is_empty() {
            return;
        }
        let (depth, width) = (self.depth(), self.columns().width);
        let (turned, scratch) = scratch.split_at_mut(TILE);
        for rows in pieces(self.rows, ROWS) {
            let (sums, scratch) = scratch.split_at_mut(rows.len() * LONGEST);
            for first in (0..depth.len()).step_by(BLOCKS) {
                let blocks = first..depth.len().min(first + BLOCKS);
                let mut lists = Lists::new(scratch, rows.len(), blocks.len());
                let source = Rows { first: rows.start, cut: depth, blocks: blocks.clone() };
                lists.fill(s, x, &source, |listed, all| !sparse_pays(listed, all, width));
                if rows.len() >= FEW {
                    self.by_panel(s, &lists, &rows, &blocks, [sums, turned], y);
                } else {
                    self.in_one_sweep(s, &lists, &rows, &blocks, turned, y);
                }
            }
        }
    }

    /// One panel of columns after the other, whose sums stand side by side meanwhile: in `y` they may lie a multiple of 4 KiB
    /// apart, where a cache keeps eight.
    #[inline(always)]
    fn by_panel<S: Simd>(
        &self,
        s: S,
        lists: &Lists<'_>,
        rows: &Range<usize>,
        blocks: &Range<usize>,
        [sums, turned]: [&mut [f32]; 2],
        y: &mut [f32],
    ) {
        let (columns, result) = (self.columns(), self.result());
        for panel in self.panels.clone() {
            let features = columns.piece(panel);
            let own = |row: usize| {
                let start = row * result.len() + features.start - result.start;
                start..start + features.len()
            };
            let sums = &mut sums[..rows.len() * features.len()];
            for (sum, row) in sums.chunks_exact_mut(features.len()).zip(rows.clone()) {
                sum.copy_from_slice(&y[own(row)]);
            }
            for block in blocks.clone() {
                let list = lists.block(block - blocks.start);
                let next = if block + 1 < blocks.end {
                    self.tile(block + 1, panel)
                } else if panel + 1 < self.panels.end {
                    self.tile(blocks.start, panel + 1)
                } else {
                    0..0
                };
                let weight = self.tile_of(s, block, panel, turned);
                self.multiply(s, &list, [block, panel], weight, next, [0, features.len()], sums);
            }
            for (sum, row) in sums.chunks_exact(features.len()).zip(rows.clone()) {
                y[own(row)].copy_from_slice(sum);
            }
        }
    }

    /// For a few rows, whose results all stay in the cache, it is best to read the weights in the order in which they stand.
    #[inline(always)]
    fn in_one_sweep<S: Simd>(
        &self,
        s: S,
        lists: &Lists<'_>,
        rows: &Range<usize>,
        blocks: &Range<usize>,
        turned: &mut [f32],
        y: &mut [f32],
    ) {
        let (result, panels) = (self.result(), self.panels.len());
        for visited in 0..panels * blocks.len() {
            let [panel, block] = if self.backward {
                [visited / blocks.len(), visited % blocks.len()]
            } else {
                [visited % panels, visited / panels]
            };
            let panel = self.panels.start + panel;
            let start = rows.start * result.len() + self.columns().piece(panel).start - result.start;
            let list = lists.block(block);
            let block = blocks.start + block;
            let weight = self.tile_of(s, block, panel, turned);
            self.multiply(s, &list, [block, panel], weight, 0..0, [start, result.len()], y);
        }
    }

    /// The weights of a block of the depth and a panel of columns, in the order of this product.
    #[inline(always)]
    fn tile_of<'w, S: Simd>(&'w self, s: S, block: usize, panel: usize, turned: &'w mut [f32]) -> &'w [f32] {
        let weight = &self.weight[self.tile(block, panel)];
        if !self.turn {
            return weight;
        }
        let sizes = [self.depth().piece(block).len(), self.columns().piece(panel).len()];
        let turned = &mut turned[..weight.len()];
        transpose_tile(s, sizes, weight, turned);
        turned
    }

    /// Adds what a block of the depth gives a panel of columns, whose rows start at `start`, `stride` elements apart; `next` are the
    /// weights that will be needed next.
    #[expect(clippy::too_many_arguments, reason = "the one place where a product's inner loops are called")]
    #[inline(always)]
    fn multiply<S: Simd>(
        &self,
        s: S,
        list: &Block<'_>,
        [block, panel]: [usize; 2],
        weight: &[f32],
        next: Range<usize>,
        [start, stride]: [usize; 2],
        y: &mut [f32],
    ) {
        let (depth, width) = (self.depth().piece(block).len(), self.columns().piece(panel).len() / LANES);
        let panel = Panel { weight, depth, width, start, stride, next: &self.weight[next] };
        if list.whole {
            dense(s, list, panel, y);
        } else {
            sparse(s, list, panel, y);
        }
    }
}

/// Whether running over `listed` of `full` values is less work than running over all, for a panel of `width` vectors:
/// a listed value waits for the sums of the one before it, or for its loads, of which two fit a cycle.
fn sparse_pays(listed: usize, full: usize, width: usize) -> bool {
    // In tenths of a cycle.
    let one = (5 * width + 10).max(40);
    let dense = 5 * width + 5;
    listed * one <= full * dense
}
