//! The gradient of some blocks of the weight, over the whole batch.

// Counted loops over arrays of sums, which the compiler unrolls and keeps in registers.
#![allow(clippy::needless_range_loop)]

use std::ops::Range;

use super::lists::ONES;
use super::order::{BLOCK, Order, pieces};
use crate::simd::{LANES, Simd};

/// Images at a time: a panel of their output gradients fits the first-level cache.
const IMAGES: usize = 64;
/// Elements from one list to the next. It is no power of two, so that lists spread over the cache's sets.
const PITCH: usize = IMAGES + LANES;
/// Inputs and output gradients of a batch that is cut into groups of images: rows of `depth` and of `columns` elements.
#[derive(Clone, Copy)]
pub(super) struct Batch<'a> {
    pub(super) order: Order,
    pub(super) x: &'a [&'a [f32]],
    pub(super) dy: &'a [&'a [f32]],
}

/// Rows of a few images, whichever groups they are in.
struct Images<'a> {
    len: usize,
    x: [&'a [f32]; IMAGES],
    dy: [&'a [f32]; IMAGES],
}

/// For each of some inputs, the images in which it is not zero, and its values there; or its values in all images.
struct Columns {
    values: [[f32; PITCH]; BLOCK],
    images: [[u32; PITCH]; BLOCK],
    counts: [usize; BLOCK],
}

impl<'a> Batch<'a> {
    /// How many images there are.
    pub(super) fn images(&self) -> usize {
        self.x.iter().map(|x| x.len() / self.order.depth.max(1)).sum()
    }

    /// Calls `visit` with up to `IMAGES` images at a time, in order.
    #[inline(always)]
    fn for_each_piece(&self, mut visit: impl FnMut(&Images<'a>)) {
        let mut rows = (self.x.iter().flat_map(|x| x.chunks_exact(self.order.depth)))
            .zip(self.dy.iter().flat_map(|dy| dy.chunks_exact(self.order.columns)));
        let mut images = Images { len: 0, x: [&[]; IMAGES], dy: [&[]; IMAGES] };
        for piece in pieces(self.images(), IMAGES) {
            images.len = 0;
            for (x, dy) in rows.by_ref().take(piece.len()) {
                (images.x[images.len], images.dy[images.len]) = (x, dy);
                images.len += 1;
            }
            visit(&images);
        }
    }

    /// `dweight = Σ x·dy` over the images for the blocks `blocks`, in order of the images.
    #[inline(always)]
    pub(super) fn weight_gradient<S: Simd>(&self, s: S, blocks: Range<usize>, dweight: &mut [f32]) {
        dweight.fill(0.0);
        let mut columns =
            Columns { values: [[0.0; PITCH]; BLOCK], images: [[0; PITCH]; BLOCK], counts: [0; BLOCK] };
        let origin = blocks.start * BLOCK * self.order.columns;
        self.for_each_piece(
            #[inline(always)]
            |images| {
                for block in blocks.clone() {
                    let inputs = self.order.block(block);
                    columns.fill::<S, false>(s, images, inputs.clone());
                    let listed: usize = columns.counts[..inputs.len()].iter().sum();
                    // A listed value costs one load more for each panel than its products do.
                    let whole = 4 * listed > 3 * inputs.len() * images.len;
                    if whole {
                        columns.fill::<S, true>(s, images, inputs);
                    }
                    for panel in (0..self.order.panels()).map(|panel| self.order.panel(panel)) {
                        let target = self.order.range(block, &panel);
                        let target = &mut dweight[target.start - origin..target.end - origin];
                        if whole {
                            dense(s, images, &columns, panel, target);
                        } else {
                            sparse(s, images, &columns, panel, target);
                        }
                    }
                }
            },
        );
    }
}

impl Columns {
    /// Lists the inputs `inputs`, which are a block; with `WHOLE` their zeros too.
    #[inline(always)]
    fn fill<S: Simd, const WHOLE: bool>(&mut self, s: S, images: &Images<'_>, inputs: Range<usize>) {
        assert!(images.len <= IMAGES && inputs.len() <= BLOCK);
        self.counts = [0; BLOCK];
        let zero = s.splat(0.0);
        // SAFETY: the array has eight elements.
        let lanes = unsafe { s.load_u(&[0, 1, 2, 3, 4, 5, 6, 7], 0) };
        // The rows of a few images at a time: they may lie a multiple of 4 KiB apart, where a cache keeps eight.
        for image in (0..images.len).step_by(LANES) {
            for first in (0..inputs.len()).step_by(LANES) {
                let rows = std::array::from_fn(
                    #[inline(always)]
                    |row| match images.x[..images.len].get(image + row) {
                        Some(x) if x.len() >= inputs.start + first + LANES => {
                            // SAFETY: the guard above.
                            unsafe { s.load(x, inputs.start + first) }
                        }
                        _ => zero,
                    },
                );
                let numbers = s.add_u(lanes, s.splat_u(image as u32));
                for (column, x) in s.transpose(rows).into_iter().enumerate() {
                    let bits = if WHOLE { u8::MAX } else { s.bits(s.ne(x, zero)) };
                    let column = first + column;
                    let count = self.counts[column];
                    // SAFETY: no earlier vector has added more than eight, so `count <= image <= IMAGES - 8`.
                    unsafe {
                        s.store(s.pack(bits, x), &mut self.values[column], count);
                        s.store_u(s.pack_u(bits, numbers), &mut self.images[column], count);
                    }
                    self.counts[column] = count + usize::from(ONES[usize::from(bits)]);
                }
            }
        }
    }
}

/// Adds the products of the listed values with their images' output gradients to a panel.
#[inline(always)]
fn sparse<S: Simd>(s: S, images: &Images<'_>, columns: &Columns, panel: Range<usize>, dweight: &mut [f32]) {
    let start = panel.start * LANES;
    macro_rules! widths {
        ($($width:literal)*) => {
            match panel.len() {
                $($width => for (list, row) in dweight.as_chunks_mut::<{ $width * LANES }>().0.iter_mut().enumerate() {
                    sparse_row::<S, $width>(s, images, columns, list, start, row);
                })*
                _ => {}
            }
        };
    }
    widths!(1 2 3 4 5 6 7 8 9 10 11 12);
}

#[inline(always)]
fn sparse_row<S: Simd, const W: usize>(
    s: S,
    images: &Images<'_>,
    columns: &Columns,
    list: usize,
    start: usize,
    row: &mut [f32],
) {
    let values = &columns.values[list][..columns.counts[list]];
    let numbers = &columns.images[list][..values.len()];
    let row = &mut row[..W * LANES];
    // SAFETY: `row` has `W` vectors; `numbers` is as long as `values` and names images, whose `dy` has all columns,
    // `start + W * LANES` or more.
    unsafe {
        let mut sums: [S::F; W] = std::array::from_fn(
            #[inline(always)]
            |v| s.load(row, v * LANES),
        );
        for at in 0..values.len() {
            let value = s.broadcast(values, at);
            let dy = images.dy.get_unchecked(*numbers.get_unchecked(at) as usize).get_unchecked(start..);
            for v in 0..W {
                sums[v] = s.mul_add(value, s.load(dy, v * LANES), sums[v]);
            }
        }
        for v in 0..W {
            s.store(sums[v], row, v * LANES);
        }
    }
}

/// As [`sparse`], over the values in all images, in tiles of up to six inputs and two vectors.
#[inline(always)]
fn dense<S: Simd>(s: S, images: &Images<'_>, columns: &Columns, panel: Range<usize>, dweight: &mut [f32]) {
    let pitch = panel.len() * LANES;
    for vector in panel.clone().step_by(2) {
        for rows in pieces(dweight.len() / pitch, 6) {
            let values = &columns.values[rows.clone()];
            let target = &mut dweight[rows.start * pitch + (vector - panel.start) * LANES..];
            macro_rules! sizes {
                ($(($m:literal, $n:literal))*) => {
                    match (rows.len(), (panel.end - vector).min(2)) {
                        $(($m, $n) => tile::<S, $m, $n>(s, images, values, vector * LANES, pitch, target),)*
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
    images: &Images<'_>,
    values: &[[f32; PITCH]],
    start: usize,
    stride: usize,
    dweight: &mut [f32],
) {
    assert!(values.len() == M);
    let values = values.as_flattened();
    let dweight = &mut dweight[..(M - 1) * stride + N * LANES];
    // SAFETY: `dweight` has `M` rows of `N` vectors; `values` has `M` rows of `PITCH` values, and each
    // `dy` is a whole row, of which `start + N * LANES` is within.
    unsafe {
        let mut sums: [[S::F; N]; M] = std::array::from_fn(
            #[inline(always)]
            |m| {
                std::array::from_fn(
                    #[inline(always)]
                    |n| s.load(dweight, m * stride + n * LANES),
                )
            },
        );
        for (image, dy) in images.dy[..images.len].iter().enumerate() {
            let dy = dy.get_unchecked(start..);
            let gradients: [S::F; N] = std::array::from_fn(
                #[inline(always)]
                |n| s.load(dy, n * LANES),
            );
            for m in 0..M {
                let value = s.broadcast(values, m * PITCH + image);
                for n in 0..N {
                    sums[m][n] = s.mul_add(value, gradients[n], sums[m][n]);
                }
            }
        }
        for m in 0..M {
            for n in 0..N {
                s.store(sums[m][n], dweight, m * stride + n * LANES);
            }
        }
    }
}
