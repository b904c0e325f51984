//! The stages of a chunk: pixels to points, products, points to planes.

use super::pack::{Channels, PANEL, Panel};
use super::products::Product;
use super::tiles::{Chunk, PAIRS, POINTS, Patch, Tile, Tiling, window};
use super::transform::{Output, Transform, square};
use crate::blocked::Blocked;
use crate::simd::{LANES, Simd};

/// Elements of a cache line.
pub(super) const LINE: usize = 16;

/// The stride between pairs of points that have `len` elements each. As an odd number of lines it spreads the 36
/// places of a tile over the sets of the cache.
pub(super) fn stride(len: usize) -> usize {
    len.div_ceil(LINE) * LINE + if len.div_ceil(LINE).is_multiple_of(2) { LINE } else { 0 }
}

/// Values at points, `[pair][tile][channel]`: where they stand.
#[derive(Debug, Clone, Copy)]
pub(super) struct Points {
    /// From one pair of points to the next.
    pub(super) pair: usize,
    /// From one tile to the next.
    pub(super) tile: usize,
}

impl Points {
    /// Space for `tiles` tiles of `channels` channels.
    pub(super) fn new(tiles: usize, channels: usize) -> Self {
        Self { pair: stride(tiles * channels), tile: channels }
    }

    /// Elements in all.
    pub(super) fn len(&self) -> usize {
        PAIRS * self.pair
    }

    #[inline(always)]
    fn at(&self, row: usize, column: usize) -> usize {
        (POINTS * row + column) * self.pair
    }
}

/// Transforms the windows of all tiles of a chunk: `Four` and `Three` along the axes where the tile has that many
/// outputs. `shift` is from a tile's first output to its window's first pixel.
///
/// # Safety
/// `images` must have all images of the layout, and `values` the length of `points`.
#[inline(always)]
pub(super) unsafe fn to_points<S: Simd, Four: Transform, Three: Transform>(
    s: S,
    tiling: &Tiling,
    chunk: &Chunk,
    (layout, shift): (&Blocked, [isize; 2]),
    images: &[f32],
    (points, values): (Points, &mut [f32]),
) {
    let mut patch = [0.0; PAIRS * LANES];
    for (n, image) in chunk.images.clone().enumerate() {
        let image = &images[image * layout.image()..][..layout.image()];
        for tile in &tiling.tiles[chunk.tiles.clone()] {
            let work = (layout, shift, image, tile, chunk.place(n, tile), points);
            let patch = &mut patch;
            // SAFETY: the caller's promise; the places are those of the chunk's tiles.
            unsafe {
                match (tile.tall, tile.wide) {
                    (true, true) => tile_to_points::<S, Four, Four>(s, work, patch, values),
                    (true, false) => tile_to_points::<S, Four, Three>(s, work, patch, values),
                    (false, true) => tile_to_points::<S, Three, Four>(s, work, patch, values),
                    (false, false) => tile_to_points::<S, Three, Three>(s, work, patch, values),
                }
            }
        }
    }
}

/// # Safety
/// As [`to_points`].
#[inline(always)]
unsafe fn tile_to_points<S: Simd, V: Transform, H: Transform>(
    s: S,
    (layout, shift, image, tile, place, points): (&Blocked, [isize; 2], &[f32], &Tile, usize, Points),
    patch: &mut Patch,
    values: &mut [f32],
) {
    let from = [tile.row as isize + shift[0], tile.column as isize + shift[1]];
    for block in 0..layout.blocks() {
        // SAFETY: the caller's promise.
        let window = unsafe { window(s, layout, image, block, from, [V::FROM, H::FROM], patch) };
        let to = place * points.tile + block * LANES;
        square::<S, V, H>(
            s,
            #[inline(always)]
            // SAFETY: the pixel is inside the window.
            |i, j| unsafe { s.load(window.data, window.at + i * window.row + j * LANES) },
            #[inline(always)]
            // SAFETY: the place is inside the values.
            |i, j, value| unsafe { s.store(value, values, to + points.at(i, j)) },
        );
    }
}

/// For each pair of points, `[tile][input]` times the `[input][output]` of a panel of the packed weight.
///
/// # Safety
/// All slices must have the lengths of what they are.
#[inline(always)]
pub(super) unsafe fn multiply<S: Simd>(
    s: S,
    (channels, panel): (&Channels, Panel),
    chunk: &Chunk,
    (inputs, values): (Points, &[f32]),
    packed: &[f32],
    (outputs, results): (Points, &mut [f32]),
) {
    for pair in 0..PAIRS {
        let places = chunk.places(pair);
        let product = Product::<true> {
            a: values,
            a_at: pair * inputs.pair + places.start * inputs.tile,
            a_step: inputs.tile,
            b: packed,
            b_at: channels.packed_at(panel) + pair * channels.inputs * panel.width,
            b_step: panel.width,
            c_at: pair * outputs.pair + places.start * outputs.tile,
            c_step: outputs.tile,
            rows: places.len(),
            terms: channels.inputs,
            add: false,
        };
        // SAFETY: the caller's promise.
        unsafe {
            if panel.width == PANEL {
                product.run::<S, 2>(s, results);
            } else {
                product.run::<S, 1>(s, results);
            }
        }
    }
}

/// For each pair of points, adds `[tile][input]ᵀ` times `[tile][output]` to `sum`.
///
/// # Safety
/// All slices must have the lengths of what they are.
#[inline(always)]
pub(super) unsafe fn multiply_transposed<S: Simd>(
    s: S,
    channels: &Channels,
    chunk: &Chunk,
    (inputs, values): (Points, &[f32]),
    (outputs, gradients): (Points, &[f32]),
    sum: &mut [f32],
) {
    for pair in 0..PAIRS {
        let places = chunk.places(pair);
        for panel in channels.panels() {
            let product = Product::<false> {
                a: values,
                a_at: pair * inputs.pair + places.start * inputs.tile,
                a_step: inputs.tile,
                b: gradients,
                b_at: pair * outputs.pair + places.start * outputs.tile + panel.first,
                b_step: outputs.tile,
                c_at: channels.sum_at(pair, panel),
                c_step: panel.width,
                rows: channels.inputs,
                terms: places.len(),
                add: true,
            };
            // SAFETY: the caller's promise.
            unsafe {
                if panel.width == PANEL {
                    product.run::<S, 2>(s, sum);
                } else {
                    product.run::<S, 1>(s, sum);
                }
            }
        }
    }
}

/// Transforms the chunk's tiles of image `n` of the chunk to its plane of outputs; `first` is the block's first
/// channel in the panel.
///
/// # Safety
/// `results` must have the length of `points`, and `plane` all pixels of a block of `layout`, which has no halo.
#[inline(always)]
pub(super) unsafe fn to_plane<S: Simd>(
    s: S,
    tiling: &Tiling,
    (chunk, n): (&Chunk, usize),
    (points, results, first): (Points, &[f32], usize),
    (layout, plane): (&Blocked, &mut [f32]),
) {
    for tile in &tiling.tiles[chunk.tiles.clone()] {
        let work = (tile, points, chunk.place(n, tile) * points.tile + first);
        // SAFETY: the caller's promise.
        unsafe {
            match (tile.tall, tile.wide) {
                (true, true) => tile_to_plane::<S, Output<4>, Output<4>>(s, work, results, layout, plane),
                (true, false) => tile_to_plane::<S, Output<4>, Output<3>>(s, work, results, layout, plane),
                (false, true) => tile_to_plane::<S, Output<3>, Output<4>>(s, work, results, layout, plane),
                (false, false) => tile_to_plane::<S, Output<3>, Output<3>>(s, work, results, layout, plane),
            }
        }
    }
}

/// # Safety
/// As [`to_plane`].
#[inline(always)]
unsafe fn tile_to_plane<S: Simd, V: Transform, H: Transform>(
    s: S,
    (tile, points, from): (&Tile, Points, usize),
    results: &[f32],
    layout: &Blocked,
    plane: &mut [f32],
) {
    let rows = V::TO.min(layout.height - tile.row);
    let columns = H::TO.min(layout.width - tile.column);
    let (to, row) = (layout.at(0, tile.row, tile.column), layout.row());
    if rows == V::TO && columns == H::TO {
        square::<S, V, H>(
            s,
            #[inline(always)]
            // SAFETY: the place is inside the results.
            |i, j| unsafe { s.load(results, from + points.at(i, j)) },
            #[inline(always)]
            // SAFETY: the pixel is inside the plane.
            |i, j, value| unsafe { s.store(value, plane, to + i * row + j * LANES) },
        );
    } else {
        square::<S, V, H>(
            s,
            #[inline(always)]
            // SAFETY: the place is inside the results.
            |i, j| unsafe { s.load(results, from + points.at(i, j)) },
            #[inline(always)]
            |i, j, value| {
                if i < rows && j < columns {
                    // SAFETY: the pixel is inside the plane.
                    unsafe { s.store(value, plane, to + i * row + j * LANES) }
                }
            },
        );
    }
}
