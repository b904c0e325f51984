//! Cutout: a black square.

use crate::rng::Rng;

/// Paints a square of `side` pixels, whose middle is anywhere in the image, black in all channels.
pub(super) fn paint([height, width]: [usize; 2], side: usize, rng: &mut Rng, image: &mut [f32]) {
    let mut covered = |len: usize| {
        let middle = rng.below(len as u64) as usize;
        let first = middle.saturating_sub(side / 2);
        first..len.min((middle + side).saturating_sub(side / 2))
    };
    let (rows, columns) = (covered(height), covered(width));
    for plane in image.chunks_exact_mut(height * width) {
        for row in rows.clone() {
            plane[row * width..][columns.clone()].fill(0.0);
        }
    }
}
