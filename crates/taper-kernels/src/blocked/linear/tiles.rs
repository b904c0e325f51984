//! The inner loops of a product: rows against one packed panel of weights.

use super::lists::Block;
use super::product::{BLOCK, PITCH};
use crate::simd::{LANES, Simd};

/// Where the part of the input stands that a panel multiplies.
#[derive(Clone, Copy)]
pub(super) struct Source {
    /// Distance between rows.
    pub(super) stride: usize,
    /// The first element of the first row.
    pub(super) start: usize,
    /// Elements of each row, as many as the panel has rows.
    pub(super) depth: usize,
}

/// Where the sums of a panel stand.
#[derive(Clone, Copy)]
pub(super) struct Target {
    /// Distance between rows.
    pub(super) stride: usize,
    /// The first element of the first row.
    pub(super) start: usize,
}

/// Adds the products of all listed values with a panel of `width` vectors, one row at a time.
#[inline(always)]
pub(super) fn sparse<S: Simd>(s: S, list: &Block<'_>, panel: &[f32], width: usize, target: Target, y: &mut [f32]) {
    macro_rules! widths {
        ($($width:literal)*) => {
            match width {
                $($width => sparse_rows::<S, $width>(s, list, panel, target, y),)*
                _ => {}
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12);
}

#[inline(always)]
fn sparse_rows<S: Simd, const W: usize>(s: S, list: &Block<'_>, panel: &[f32], target: Target, y: &mut [f32]) {
    assert!(panel.len() >= BLOCK * PITCH && W * LANES <= PITCH);
    for (row, &count) in list.counts.iter().enumerate() {
        let values = &list.values[row * BLOCK..][..count as usize];
        let offsets = &list.offsets[row * BLOCK..][..count as usize];
        let y = &mut y[target.start + row * target.stride..][..W * LANES];
        // SAFETY: `y` has `W` vectors; `offsets` is as long as `values`, and each is a multiple of `PITCH` below
        // `BLOCK * PITCH`, from where the panel has `W` vectors.
        unsafe {
            let mut sums: [S::F; W] = std::array::from_fn(
                #[inline(always)]
                |v| s.load(y, v * LANES),
            );
            for at in 0..values.len() {
                let value = s.broadcast(values, at);
                let weight = panel.get_unchecked(*offsets.get_unchecked(at) as usize..);
                for v in 0..W {
                    sums[v] = s.mul_add(value, s.load(weight, v * LANES), sums[v]);
                }
            }
            for v in 0..W {
                s.store(sums[v], y, v * LANES);
            }
        }
    }
}

/// Adds the products of all values with a panel of `width` vectors, in tiles of up to four rows and three vectors.
#[inline(always)]
#[allow(clippy::too_many_arguments)]
pub(super) fn dense<S: Simd>(
    s: S,
    x: &[f32],
    source: Source,
    panel: &[f32],
    rows: usize,
    width: usize,
    target: Target,
    y: &mut [f32],
) {
    for row in (0..rows).step_by(4) {
        let source = Source { start: source.start + row * source.stride, ..source };
        let mut vector = 0;
        while vector < width {
            let left = width - vector;
            // Four are two and two, as one alone would wait for its sums.
            let n = if left == 4 { 2 } else { left.min(3) };
            let target = Target { start: target.start + row * target.stride + vector * LANES, ..target };
            let panel = &panel[vector * LANES..];
            macro_rules! sizes {
                ($(($m:literal, $n:literal))*) => {
                    match ((rows - row).min(4), n) {
                        $(($m, $n) => tile::<S, $m, $n>(s, x, source, panel, target, y),)*
                        _ => {}
                    }
                };
            }
            sizes!((1, 1) (1, 2) (1, 3) (2, 1) (2, 2) (2, 3) (3, 1) (3, 2) (3, 3) (4, 1) (4, 2) (4, 3));
            vector += n;
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const M: usize, const N: usize>(
    s: S,
    x: &[f32],
    source: Source,
    panel: &[f32],
    target: Target,
    y: &mut [f32],
) {
    let rows: [&[f32]; M] = std::array::from_fn(|m| &x[source.start + m * source.stride..][..source.depth]);
    let panel = &panel[..(source.depth.max(1) - 1) * PITCH + N * LANES];
    let y = &mut y[target.start..][..(M - 1) * target.stride + N * LANES];
    // SAFETY: `y` has `M` rows of `N` vectors, every row of `x` has `depth` elements, and the panel has `N` vectors from
    // each of `depth` multiples of `PITCH` on.
    unsafe {
        let mut sums: [[S::F; N]; M] = std::array::from_fn(
            #[inline(always)]
            |m| {
                std::array::from_fn(
                    #[inline(always)]
                    |n| s.load(y, m * target.stride + n * LANES),
                )
            },
        );
        for k in 0..source.depth {
            let weights: [S::F; N] = std::array::from_fn(
                #[inline(always)]
                |n| s.load(panel, k * PITCH + n * LANES),
            );
            for m in 0..M {
                let value = s.broadcast(rows[m], k);
                for n in 0..N {
                    sums[m][n] = s.mul_add(value, weights[n], sums[m][n]);
                }
            }
        }
        for m in 0..M {
            for n in 0..N {
                s.store(sums[m][n], y, m * target.stride + n * LANES);
            }
        }
    }
}
