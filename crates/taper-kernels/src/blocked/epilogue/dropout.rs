//! Dropout on blocked images.

use super::{Epilogue, NO_GRADIENT};
use crate::blocked::Blocked;
use crate::dropout::{Draw, DropoutKey, Rate};
use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

/// Dropout in place, with the mask of [`crate::dropout`], on `images` images from number `first_image` of the batch on.
///
/// Rows of features are images of one pixel. Dropout is linear, so the same call on a gradient is its backward.
///
/// # Errors
/// [`KernelError::Length`] if `y` is not `images` images, [`KernelError::Probability`] if `p` is not from 0 to 1.
///
/// ```
/// use taper_kernels::{DropoutKey, Isa, blocked::{Blocked, dropout}};
/// let (key, layout) = (DropoutKey { seed: 0, step: 1, layer: 3 }, Blocked::new([16, 4, 4], 1));
/// let mut y = vec![1.0; layout.image()];
/// dropout(key, 0.5, layout, 0, 1, &mut y, Isa::current())?;
/// assert!(y[layout.at(0, 0, 0)..][..8].iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn dropout(
    key: DropoutKey,
    p: f32,
    layout: Blocked,
    first_image: usize,
    images: usize,
    y: &mut [f32],
    isa: Isa,
) -> Result<(), KernelError> {
    let rate = Rate::new(p)?;
    check_len("y", y.len(), layout.elements(images))?;
    if y.is_empty() || layout.pixels() == 0 {
        return Ok(());
    }
    let draw = Draw { key, rate };
    // Without a halo the elements of an image stand in the order of their counters, as those of one plane.
    let planes = match layout.halo {
        0 => Blocked::new([LANES, layout.blocks() * layout.height, layout.width], 0),
        _ => Blocked { channels: LANES, ..layout },
    };
    let first = (first_image as u64).wrapping_mul((layout.blocks() * layout.pixels()) as u64);
    dispatch!(isa, |s| for (plane, y) in y.chunks_exact_mut(planes.plane()).enumerate() {
        drop_plane::<_, false>(
            s,
            draw,
            first.wrapping_add((plane * planes.pixels()) as u64),
            planes,
            y,
            &mut [],
        );
    });
    Ok(())
}

impl Epilogue {
    #[inline(always)]
    pub(super) fn drop_plane<S: Simd, const CODES: bool>(
        &self,
        s: S,
        draw: Draw,
        first: u64,
        y: &mut [f32],
        codes: &mut [u8],
    ) {
        drop_plane::<S, CODES>(s, draw, first, self.output(), y, codes);
    }
}

/// Drops elements of a plane of the layout `layout`, and writes [`NO_GRADIENT`] into their codes.
#[inline(always)]
fn drop_plane<S: Simd, const CODES: bool>(
    s: S,
    draw: Draw,
    first: u64,
    layout: Blocked,
    y: &mut [f32],
    codes: &mut [u8],
) {
    let (mut at, mut column) = (layout.halo * (layout.row() + LANES), 0);
    for pixel in (0..layout.pixels()).step_by(LANES) {
        let mut scales = [0.0; LANES * LANES];
        for (lane, scale) in draw.pixels(s, first.wrapping_add(pixel as u64)).into_iter().enumerate() {
            // SAFETY: eight times eight elements.
            unsafe { s.store(scale, &mut scales, lane * LANES) };
        }
        for lane in 0..LANES.min(layout.pixels() - pixel) {
            // SAFETY: `at` walks over the plane's pixels; `codes` has eight for each.
            unsafe {
                let scale = s.load(&scales, lane * LANES);
                let kept = s.ne(scale, s.splat(0.0));
                s.store(s.select(kept, s.mul(s.load(y, at), scale), s.splat(0.0)), y, at);
                if CODES {
                    let code = s.load_bytes(codes, (pixel + lane) * LANES);
                    let code = s.select_u(kept, code, s.splat_u(u32::from(NO_GRADIENT)));
                    s.store_bytes(code, codes, (pixel + lane) * LANES);
                }
            }
            (at, column) = (at + LANES, column + 1);
            if column == layout.width {
                (at, column) = (at + 2 * layout.halo * LANES, 0);
            }
        }
    }
}
