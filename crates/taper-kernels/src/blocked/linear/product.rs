//! `y += x·W` for rows `x`, only over what of `x` is not zero where that is faster.
//!
//! Whichever way a product takes, one element is the same chain of `mul_add`s in the order of the depth; a zero adds
//! nothing to it. So the result does not depend on the way, nor on how many rows share a call.

use std::ops::Range;

use super::lists::{Lists, Rows};
use super::tiles::{Target, dense, sparse};
use crate::simd::{LANES, Simd};

/// Depth of a panel of weights: with [`PANEL`] it fills three quarters of a first-level cache of 32 KiB.
pub(super) const BLOCK: usize = 64;
/// Vectors of a panel of weights, all of whose sums one row keeps in registers.
pub(super) const PANEL: usize = 12;
/// Distance between the rows of a panel. It is not a power of two, so that they spread over the cache's sets.
pub(super) const PITCH: usize = PANEL * LANES;
/// Rows that share a packed panel.
const ROWS: usize = 64;
/// Panels that are packed at a time, from one sweep over the weights: with the sums of [`ROWS`] rows they fit a second-level
/// cache of 512 KiB.
const PANELS: usize = 8;
/// Depth for which lists are made at a time.
const DEPTH: usize = 32 * BLOCK;
/// Below so many rows a packed panel is not read often enough to pay.
const FEW: usize = 6;
/// Elements of a cache line, on which the panel begins.
const LINE: usize = 16;

/// The sizes of a product `[rows, depth]`·`[depth, columns]`; `depth` and `columns` are multiples of eight.
#[derive(Clone, Copy)]
pub(super) struct Product {
    pub(super) rows: usize,
    pub(super) depth: usize,
    pub(super) columns: usize,
    /// Whether the weights are `[columns, depth]` rather than `[depth, columns]`.
    pub(super) transposed: bool,
}

impl Product {
    /// Elements of scratch.
    pub(super) fn scratch_len(self) -> usize {
        LINE + PANELS * BLOCK * PITCH + Lists::<BLOCK>::len(self.rows.min(ROWS), self.depth.min(DEPTH))
    }

    /// `y += x·W`. The slices have the sizes of the product, `scratch` at least [`Product::scratch_len`].
    #[inline(always)]
    pub(super) fn add<S: Simd>(self, s: S, x: &[f32], weight: &[f32], scratch: &mut [f32], y: &mut [f32]) {
        let skip = scratch.as_ptr().align_offset(LINE * size_of::<f32>()).min(LINE);
        let (panels, rest) = scratch[skip..].split_at_mut(PANELS * BLOCK * PITCH);
        for rows in pieces(self.rows, ROWS) {
            for depth in (0..self.depth).step_by(DEPTH) {
                let len = DEPTH.min(self.depth - depth);
                let few = rows.len() < FEW && !self.transposed;
                let mut lists = Lists::<BLOCK>::new(rest, rows.len(), len);
                let start = rows.start * self.depth + depth;
                let values = Rows { data: x, start, stride: self.depth, depth: len };
                let width = (self.columns / LANES).min(PANEL);
                if few {
                    lists.fill(s, values, 1, |_, _| false);
                } else {
                    lists.fill(s, values, PITCH, |listed, all| !sparse_pays(listed, all, width));
                }
                let part = Part { product: self, rows: rows.clone(), depth, len };
                if few {
                    part.row_by_row(s, &lists, weight, y);
                } else {
                    part.panel_by_panel(s, &lists, weight, panels, y);
                }
            }
        }
    }
}

/// `0..len` in as few pieces of up to `longest` as there can be, of nearly the same length.
pub(super) fn pieces(len: usize, longest: usize) -> impl Iterator<Item = Range<usize>> {
    let count = len.div_ceil(longest);
    (0..count).map(move |piece| piece * len / count..(piece + 1) * len / count)
}

/// Some rows of a product over some of its depth.
struct Part {
    product: Product,
    rows: Range<usize>,
    depth: usize,
    len: usize,
}

impl Part {
    /// Reads each row of the weights that a row of `x` needs in one sweep.
    #[inline(always)]
    fn row_by_row<S: Simd>(&self, s: S, lists: &Lists<'_, BLOCK>, weight: &[f32], y: &mut [f32]) {
        let columns = self.product.columns;
        for block in 0..self.len.div_ceil(BLOCK) {
            let list = lists.block(block);
            let weight = &weight[(self.depth + block * BLOCK) * columns..];
            for row in 0..self.rows.len() {
                let y = &mut y[(self.rows.start + row) * columns..][..columns];
                let count = list.counts[row] as usize;
                let mut values = list.values[row * BLOCK..][..count].chunks_exact(4);
                let mut inputs = list.offsets[row * BLOCK..][..count].chunks_exact(4);
                for (values, inputs) in values.by_ref().zip(inputs.by_ref()) {
                    add_rows::<S, 4>(s, values, inputs, weight, y);
                }
                for at in 0..values.remainder().len() {
                    add_rows::<S, 1>(s, &values.remainder()[at..], &inputs.remainder()[at..], weight, y);
                }
            }
        }
    }

    /// Packs a few panels of the weights at a time and multiplies all rows by them.
    #[inline(always)]
    fn panel_by_panel<S: Simd>(
        &self,
        s: S,
        lists: &Lists<'_, BLOCK>,
        weight: &[f32],
        panels: &mut [f32],
        y: &mut [f32],
    ) {
        let columns = self.product.columns;
        for vectors in pieces(columns / LANES, PANELS * PANEL) {
            for block in 0..self.len.div_ceil(BLOCK) {
                let depth = self.depth + block * BLOCK;
                let len = BLOCK.min(self.len - block * BLOCK);
                if self.product.transposed {
                    self.transpose(s, weight, depth..depth + len, vectors.clone(), panels);
                } else {
                    self.copy(s, weight, depth..depth + len, vectors.clone(), panels);
                }
                let list = lists.block(block);
                for (piece, panel) in pieces(vectors.len(), PANEL).zip(panels.chunks_exact(BLOCK * PITCH)) {
                    let start = self.rows.start * columns + (vectors.start + piece.start) * LANES;
                    let target = Target { stride: columns, start };
                    if list.whole {
                        dense(s, &list, len, panel, piece.len(), target, y);
                    } else {
                        sparse(s, &list, panel, piece.len(), target, y);
                    }
                }
            }
        }
    }

    /// Copies the weights of `depth` for the columns of `vectors` to panels.
    #[inline(always)]
    fn copy<S: Simd>(
        &self,
        s: S,
        weight: &[f32],
        depth: Range<usize>,
        vectors: Range<usize>,
        panels: &mut [f32],
    ) {
        let columns = self.product.columns;
        for (row, input) in depth.enumerate() {
            let from = &weight[input * columns + vectors.start * LANES..][..vectors.len() * LANES];
            for (piece, panel) in pieces(vectors.len(), PANEL).zip(panels.chunks_exact_mut(BLOCK * PITCH)) {
                let from = &from[piece.start * LANES..piece.end * LANES];
                let to = &mut panel[row * PITCH..][..from.len()];
                for at in (0..from.len()).step_by(LANES) {
                    // SAFETY: the length of both is a multiple of eight.
                    unsafe { s.store(s.load(from, at), to, at) };
                }
            }
        }
    }

    /// As [`Part::copy`], from weights whose rows are the columns of the product.
    #[inline(always)]
    fn transpose<S: Simd>(
        &self,
        s: S,
        weight: &[f32],
        depth: Range<usize>,
        vectors: Range<usize>,
        panels: &mut [f32],
    ) {
        let full = self.product.depth;
        for (piece, panel) in pieces(vectors.len(), PANEL).zip(panels.chunks_exact_mut(BLOCK * PITCH)) {
            for (place, vector) in piece.enumerate() {
                let from = &weight[(vectors.start + vector) * LANES * full..][..LANES * full];
                for at in depth.clone().step_by(LANES) {
                    let from = &from[at..][..(LANES - 1) * full + LANES];
                    let to = (at - depth.start) * PITCH + place * LANES;
                    let to = &mut panel[to..][..(LANES - 1) * PITCH + LANES];
                    // SAFETY: both slices hold eight rows of eight elements at these strides.
                    unsafe {
                        let rows = std::array::from_fn(
                            #[inline(always)]
                            |row| s.load(from, row * full),
                        );
                        for (row, x) in s.transpose(rows).into_iter().enumerate() {
                            s.store(x, to, row * PITCH);
                        }
                    }
                }
            }
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

/// `y += Σ value·(row of the weights)` for `N` rows.
#[inline(always)]
fn add_rows<S: Simd, const N: usize>(s: S, values: &[f32], inputs: &[u32], weight: &[f32], y: &mut [f32]) {
    let columns = y.len();
    let rows: [&[f32]; N] = std::array::from_fn(
        #[inline(always)]
        |i| &weight[inputs[i] as usize * columns..][..columns],
    );
    let values: [S::F; N] = std::array::from_fn(
        #[inline(always)]
        |i| s.splat(values[i]),
    );
    for at in (0..columns / LANES).map(|vector| vector * LANES) {
        // SAFETY: `at + 8 <= columns`, the length of `y` and of every row.
        unsafe {
            let mut sum = s.load(y, at);
            for i in 0..N {
                sum = s.mul_add(values[i], s.load(rows[i], at), sum);
            }
            s.store(sum, y, at);
        }
    }
}
