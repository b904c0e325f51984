//! The inner loops of a product: rows against one panel of weights.

// Counted loops over arrays of sums, which the compiler unrolls and keeps in registers.
#![allow(clippy::needless_range_loop)]

use super::lists::{Block, SLOT};
use super::order::pieces;
use crate::simd::{LANES, Simd};

/// Rows of a tile of a dense product: with two vectors of each, the sums fill the registers.
const TALL: usize = 6;

/// A panel of weights `[depth][width]` vectors, and the rows of outputs that belong to it.
#[derive(Clone, Copy)]
pub(super) struct Panel<'a> {
    pub(super) weight: &'a [f32],
    pub(super) depth: usize,
    /// Vectors of a row.
    pub(super) width: usize,
    /// The first element of the first row of outputs.
    pub(super) start: usize,
    /// Elements from one row of outputs to the next.
    pub(super) stride: usize,
    /// The weights that will be needed next.
    pub(super) next: &'a [f32],
}

impl Panel<'_> {
    /// Asks for the part of the next weights that is the share of some of all `rows`.
    #[inline(always)]
    fn prefetch<S: Simd>(&self, s: S, row: usize, rows: usize) {
        // A cache line has 16 elements.
        let share = self.next.len().div_ceil(rows).next_multiple_of(16);
        for at in (row * share..(row + 1) * share).step_by(16) {
            s.prefetch(self.next, at);
        }
    }
}

/// Calls a function that is generic over the width of a panel.
macro_rules! with_width {
    ($width:expr, $call:ident::<$s:ty>$arguments:tt, $($known:literal)*) => {
        match $width {
            $($known => $call::<$s, $known>$arguments,)*
            _ => {}
        }
    };
}

/// Adds the products of all listed values with a panel to `y`, one row at a time.
#[inline(always)]
pub(super) fn sparse<S: Simd>(s: S, list: &Block<'_>, panel: Panel<'_>, y: &mut [f32]) {
    with_width!(panel.width, sparse_rows::<S>(s, list, panel, y), 1 2 3 4 5 6 7 8 9 10 11 12);
}

#[inline(always)]
fn sparse_rows<S: Simd, const W: usize>(s: S, list: &Block<'_>, panel: Panel<'_>, y: &mut [f32]) {
    let weight = &panel.weight[..panel.depth * W * LANES];
    let mut end = 0;
    for (row, &count) in list.counts.iter().enumerate() {
        let own = end..end + count as usize;
        end = own.end;
        let (values, places) = (&list.values[own.clone()], &list.places[own]);
        panel.prefetch(s, row, list.counts.len());
        // SAFETY: each place is below the depth of the panel.
        unsafe {
            add_row::<S, W>(s, values, places, weight, true, &mut y[panel.start + row * panel.stride..])
        };
    }
}

/// Adds to the first `W` vectors of `y` the products of `values` with the rows of `weight`, of `W` vectors, that `places`
/// names; replaces them unless `add`.
///
/// # Safety
/// `weight` has each row that the first `values.len()` of `places` name.
#[inline(always)]
pub(super) unsafe fn add_row<S: Simd, const W: usize>(
    s: S,
    values: &[f32],
    places: &[u32],
    weight: &[f32],
    add: bool,
    y: &mut [f32],
) {
    let (places, y) = (&places[..values.len()], &mut y[..W * LANES]);
    // SAFETY: `y` has `W` vectors, `places` is as long as `values`, and the caller says that `weight` has those rows.
    unsafe {
        let mut sums = [s.splat(0.0); W];
        if add {
            for v in 0..W {
                sums[v] = s.load(y, v * LANES);
            }
        }
        for at in 0..values.len() {
            let value = s.broadcast(values, at);
            let weight = weight.get_unchecked(*places.get_unchecked(at) as usize * (W * LANES)..);
            for v in 0..W {
                sums[v] = s.mul_add(value, s.load(weight, v * LANES), sums[v]);
            }
        }
        for v in 0..W {
            s.store(sums[v], y, v * LANES);
        }
    }
}

/// Adds the products of all values, zeros included, with a panel to `y`.
#[inline(always)]
pub(super) fn dense<S: Simd>(s: S, list: &Block<'_>, panel: Panel<'_>, y: &mut [f32]) {
    let rows = list.counts.len();
    let Panel { weight, depth, width, start, stride, .. } = panel;
    // The next weights are asked for between the rows: all at once they would keep the processor waiting.
    for own in pieces(rows, TALL) {
        own.clone().for_each(|row| panel.prefetch(s, row, rows));
        let x = &list.values[own.start * SLOT..own.end * SLOT];
        let start = start + own.start * stride;
        add_product::<S, SLOT>(s, own.len(), x, [depth, width], weight, true, [start, stride], y);
    }
}

/// Adds to `rows` rows of `width` vectors of `y`, which begin at `start` and lie `stride` elements apart, the products of
/// `x`, rows of `depth` values that lie `PITCH` apart, with `weight`, `depth` rows of `width` vectors; in tiles of up to six
/// rows and two vectors. They are replaced unless `add`.
#[expect(clippy::too_many_arguments, reason = "the sizes and places of three matrices")]
#[inline(always)]
pub(super) fn add_product<S: Simd, const PITCH: usize>(
    s: S,
    rows: usize,
    x: &[f32],
    [depth, width]: [usize; 2],
    weight: &[f32],
    add: bool,
    [start, stride]: [usize; 2],
    y: &mut [f32],
) {
    for rows in pieces(rows, TALL) {
        let x = &x[rows.start * PITCH..rows.end * PITCH];
        for vector in (0..width).step_by(2) {
            let weight = &weight[vector * LANES..];
            let y = &mut y[start + rows.start * stride + vector * LANES..];
            macro_rules! sizes {
                ($(($m:literal, $n:literal))*) => {
                    match (rows.len(), (width - vector).min(2)) {
                        $(($m, $n) => {
                            tile::<S, PITCH, $m, $n>(s, x, depth, (weight, width * LANES), add, (y, stride));
                        })*
                        _ => {}
                    }
                };
            }
            sizes!((1, 1)(1, 2)(2, 1)(2, 2)(3, 1)(3, 2)(4, 1)(4, 2)(5, 1)(5, 2)(6, 1)(6, 2));
        }
    }
}

/// One tile of [`add_product`]: `M` rows of `N` vectors.
#[inline(always)]
fn tile<S: Simd, const PITCH: usize, const M: usize, const N: usize>(
    s: S,
    x: &[f32],
    depth: usize,
    (weight, pitch): (&[f32], usize),
    add: bool,
    (y, stride): (&mut [f32], usize),
) {
    assert!(depth <= PITCH && x.len() == M * PITCH);
    let weight = &weight[..(depth.max(1) - 1) * pitch + N * LANES];
    let y = &mut y[..(M - 1) * stride + N * LANES];
    // SAFETY: `y` has `M` rows of `N` vectors, `x` has `M` rows of `PITCH` values, no fewer than `depth`, and `weight`
    // has `N` vectors from each of `depth` multiples of `pitch` on.
    unsafe {
        let mut sums = [[s.splat(0.0); N]; M];
        if add {
            for m in 0..M {
                for n in 0..N {
                    sums[m][n] = s.load(y, m * stride + n * LANES);
                }
            }
        }
        for k in 0..depth {
            let weights: [S::F; N] = std::array::from_fn(
                #[inline(always)]
                |n| s.load(weight, k * pitch + n * LANES),
            );
            for m in 0..M {
                let value = s.broadcast(x, m * PITCH + k);
                for n in 0..N {
                    sums[m][n] = s.mul_add(value, weights[n], sums[m][n]);
                }
            }
        }
        for m in 0..M {
            for n in 0..N {
                s.store(sums[m][n], y, m * stride + n * LANES);
            }
        }
    }
}
