//! Between `[N, C, H, W]` and the blocked layout, by transposing eight channels × eight pixels at a time.

use super::{Blocked, Runs};
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

/// The plain rows, one to each channel of a block, that belong to a run of pixels.
#[derive(Clone, Copy)]
struct Rows {
    /// Where the first channel's row starts.
    start: usize,
    /// Elements from one channel to the next.
    step: usize,
    /// Channels that are real.
    lanes: usize,
    /// Pixels.
    pixels: usize,
    /// Pixels from here to the end of the channel's plane.
    left: usize,
}

/// Calls `visit(plain rows, blocked start)` for every run of pixels.
#[inline(always)]
fn for_each_run(layout: &Blocked, images: usize, mut visit: impl FnMut(Rows, usize)) {
    let runs = Runs::new(*layout, [layout.halo]);
    for image in runs.images(images) {
        for block in 0..layout.blocks() {
            let mut start = (image * layout.channels + block * LANES) * layout.pixels();
            let mut left = layout.pixels();
            runs.for_each_in(
                image,
                block,
                #[inline(always)]
                |[blocked], len| {
                    let pixels = len / LANES;
                    let (step, lanes) = (layout.pixels(), layout.lanes(block));
                    visit(Rows { start, step, lanes, pixels, left }, blocked);
                    (start, left) = (start + pixels, left - pixels);
                },
            );
        }
    }
}

/// [`Blocked::pack`], whose caller has checked the lengths.
pub(super) fn pack(layout: &Blocked, images: usize, x: &[f32], y: &mut [f32], isa: Isa) {
    clear_halo(layout, y);
    dispatch!(isa, |s| for_each_run(
        layout,
        images,
        #[inline(always)]
        |rows, to| pack_run(s, rows, x, &mut y[to..to + rows.pixels * LANES])
    ));
}

/// Zeros around the planes of `y`: much less than all of it.
fn clear_halo(layout: &Blocked, y: &mut [f32]) {
    let (row, edge) = (layout.row(), layout.halo * LANES);
    if edge == 0 || y.is_empty() {
        return;
    }
    let first = layout.halo * row;
    for plane in y.chunks_exact_mut(layout.plane()) {
        plane[..first + edge].fill(0.0);
        // The end of a row and the start of the next.
        for start in (1..layout.height).map(|at| first + at * row - edge) {
            plane[start..start + 2 * edge].fill(0.0);
        }
        plane[first + layout.height * row - edge..].fill(0.0);
    }
}

#[inline(always)]
fn pack_run<S: Simd>(s: S, rows: Rows, x: &[f32], y: &mut [f32]) {
    let last = rows.start + (rows.lanes - 1) * rows.step;
    let mut pixel = 0;
    while pixel < rows.pixels {
        let count = (rows.pixels - pixel).min(LANES);
        // What a load takes beyond the row is not stored; at the very end there is nothing to take.
        if last + pixel + LANES <= x.len() {
            let lanes = std::array::from_fn(
                #[inline(always)]
                |lane| match lane < rows.lanes {
                    // SAFETY: no channel's row stands behind the last one's, whose eight elements were checked.
                    true => unsafe { s.load(x, rows.start + lane * rows.step + pixel) },
                    false => s.splat(0.0),
                },
            );
            let pixels = s.transpose(lanes);
            for (at, channels) in pixels.into_iter().enumerate().take(count) {
                // SAFETY: `pixel + at` is less than the pixels of the run, each of which has eight elements in `y`.
                unsafe { s.store(channels, y, (pixel + at) * LANES) };
            }
        } else {
            for (at, y) in y[pixel * LANES..].chunks_exact_mut(LANES).enumerate().take(count) {
                y.fill(0.0);
                for (lane, y) in y.iter_mut().enumerate().take(rows.lanes) {
                    *y = x[rows.start + lane * rows.step + pixel + at];
                }
            }
        }
        pixel += count;
    }
}

/// [`Blocked::unpack`], whose caller has checked the lengths.
pub(super) fn unpack(layout: &Blocked, images: usize, x: &[f32], y: &mut [f32], isa: Isa) {
    dispatch!(isa, |s| for_each_run(
        layout,
        images,
        #[inline(always)]
        |rows, from| unpack_run(s, rows, &x[from..from + rows.pixels * LANES], y)
    ));
}

#[inline(always)]
fn unpack_run<S: Simd>(s: S, rows: Rows, x: &[f32], y: &mut [f32]) {
    let mut pixel = 0;
    while pixel < rows.pixels {
        // Where less than eight pixels are left, those behind the row are filled later; but not those behind the plane: there
        // the last eight of a longer row are stored twice in part, and a short row goes one by one.
        if pixel + LANES > rows.left && rows.pixels >= LANES {
            pixel = rows.pixels - LANES;
        }
        let count = (rows.pixels - pixel).min(LANES);
        if pixel + LANES <= rows.left {
            let pixels = std::array::from_fn(
                #[inline(always)]
                |at| match at < count {
                    // SAFETY: `pixel + at` is less than the pixels of the run, each of which has eight elements in `x`.
                    true => unsafe { s.load(x, (pixel + at) * LANES) },
                    false => s.splat(0.0),
                },
            );
            let lanes = s.transpose(pixels);
            for (lane, channel) in lanes.into_iter().enumerate().take(rows.lanes) {
                let at = rows.start + lane * rows.step + pixel;
                // SAFETY: the eight pixels are within the channel's plane.
                unsafe { s.store(channel, y, at) };
            }
        } else {
            for lane in 0..rows.lanes {
                let row = &mut y[rows.start + lane * rows.step..][..rows.pixels];
                row.iter_mut().zip(x[lane..].iter().step_by(LANES)).for_each(|(y, &x)| *y = x);
            }
        }
        pixel += LANES;
    }
}
