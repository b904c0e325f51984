//! The inner loops of a product: rows against one packed panel of weights.

// Counted loops over arrays of sums, which the compiler unrolls and keeps in registers.
#![allow(clippy::needless_range_loop)]

use super::lists::Block;
use super::product::{BLOCK, PITCH, pieces};
use crate::simd::{LANES, Simd};

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
pub(super) fn sparse<S: Simd>(
    s: S,
    list: &Block<'_>,
    panel: &[f32],
    width: usize,
    target: Target,
    y: &mut [f32],
) {
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
fn sparse_rows<S: Simd, const W: usize>(
    s: S,
    list: &Block<'_>,
    panel: &[f32],
    target: Target,
    y: &mut [f32],
) {
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

/// Adds the products of all values, `depth` of each row, with a panel of `width` vectors, in tiles of up to six rows and
/// two vectors.
#[inline(always)]
pub(super) fn dense<S: Simd>(
    s: S,
    list: &Block<'_>,
    depth: usize,
    panel: &[f32],
    width: usize,
    target: Target,
    y: &mut [f32],
) {
    for rows in pieces(list.counts.len(), 6) {
        let x = &list.values[rows.start * BLOCK..rows.end * BLOCK];
        for vector in (0..width).step_by(2) {
            let target =
                Target { start: target.start + rows.start * target.stride + vector * LANES, ..target };
            let panel = &panel[vector * LANES..];
            macro_rules! sizes {
                ($(($m:literal, $n:literal))*) => {
                    match (rows.len(), (width - vector).min(2)) {
                        $(($m, $n) => tile::<S, $m, $n>(s, x, depth, panel, target, y),)*
                        _ => {}
                    }
                };
            }
            sizes!((1, 1)(1, 2)(2, 1)(2, 2)(3, 1)(3, 2)(4, 1)(4, 2)(5, 1)(5, 2)(6, 1)(6, 2));
        }
    }
}

#[inline(always)]
fn tile<S: Simd, const M: usize, const N: usize>(
    s: S,
    x: &[f32],
    depth: usize,
    panel: &[f32],
    target: Target,
    y: &mut [f32],
) {
    assert!(depth <= BLOCK && x.len() == M * BLOCK);
    let panel = &panel[..(depth.max(1) - 1) * PITCH + N * LANES];
    let y = &mut y[target.start..][..(M - 1) * target.stride + N * LANES];
    // SAFETY: `y` has `M` rows of `N` vectors, `x` has `M` rows of `BLOCK` values, no fewer than `depth`, and the panel has `N` vectors from
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
        for k in 0..depth {
            let weights: [S::F; N] = std::array::from_fn(
                #[inline(always)]
                |n| s.load(panel, k * PITCH + n * LANES),
            );
            for m in 0..M {
                let value = s.broadcast(x, m * BLOCK + k);
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
