//! From the pen's path to pixels.

use super::pen::Segment;
use super::style::Style;
use crate::rng::Rng;

/// Side of an image, in pixels.
pub(super) const SIDE: usize = 28;
/// Pixels of an image.
pub(super) const PIXELS: usize = SIDE * SIDE;

/// Draws the segments onto `page`, row by row, light on dark.
pub(super) fn ink(page: &mut [u8], segments: &[Segment], style: &Style, rng: &mut Rng) {
    let mut coverage = [0.0f32; PIXELS];
    for segment in segments {
        cover(&mut coverage, segment);
    }
    for (pixel, &covered) in page.iter_mut().zip(&coverage) {
        // The paper's noise is one-sided, as black is the darkest there is.
        let paper = style.noise * (2.0 * rng.unit() - 1.0);
        let value = covered * style.ink * (1.0 - style.grain * rng.unit()) + paper;
        *pixel = (value.clamp(0.0, 1.0) * 255.0 + 0.5) as u8;
    }
}

/// Raises each pixel near the segment to the share of it that the round nib covers: one inside, zero outside,
/// and linear over the pixel at the edge.
fn cover(coverage: &mut [f32; PIXELS], segment: &Segment) {
    let Segment { a, b, radius } = *segment;
    let reach = radius + 0.5;
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let inverse = 1.0 / (dx * dx + dy * dy).max(1e-12);
    for row in span(a.1.min(b.1) - reach, a.1.max(b.1) + reach) {
        for column in span(a.0.min(b.0) - reach, a.0.max(b.0) + reach) {
            let (x, y) = (column as f32 - a.0, row as f32 - a.1);
            let along = ((x * dx + y * dy) * inverse).clamp(0.0, 1.0);
            let (u, v) = (x - along * dx, y - along * dy);
            let covered = (reach - (u * u + v * v).sqrt()).clamp(0.0, 1.0);
            let pixel = &mut coverage[row * SIDE + column];
            *pixel = pixel.max(covered);
        }
    }
}

/// The pixels of a row or column between two coordinates (pixel centres are whole numbers).
fn span(low: f32, high: f32) -> std::ops::Range<usize> {
    // A cast to usize takes a negative number to zero.
    low as usize..((high + 1.0) as usize).min(SIDE)
}
