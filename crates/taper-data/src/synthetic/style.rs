//! One writer's hand: everything about an image that is not the digit itself.

use super::glyphs::Point;
use crate::rng::Rng;

/// How one image is written. Drawn anew for each image; the spreads were chosen so that the digits stay
/// readable while a linear classifier, which cannot follow distortions, stays clearly below a convolutional
/// one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// Standard deviation by which the given points of a stroke are off, in units of the glyph's height.
    pub(super) jitter: f32,
    /// Standard deviation of the page's elastic displacement, in the same units.
    pub(super) bend: f32,
    /// Length of the digit's longer side, in pixels.
    pub(super) size: f32,
    /// Half the width of the pen, in pixels.
    pub(super) radius: f32,
    /// How far the centre of mass is off the middle, in pixels.
    pub(super) shift: Point,
    /// Brightness of full ink, 0…1.
    pub(super) ink: f32,
    /// How uneven the ink is, 0…1.
    pub(super) grain: f32,
    /// Amplitude of the paper's noise, 0…1.
    pub(super) noise: f32,
    matrix: [f32; 4],
}

impl Style {
    pub(super) fn draw(rng: &mut Rng) -> Self {
        Self {
            jitter: rng.range(0.010, 0.035),
            bend: rng.range(0.010, 0.045),
            size: rng.range(16.0, 21.0),
            radius: rng.range(0.8, 1.7),
            shift: (rng.bell() * 0.9, rng.bell() * 0.9),
            ink: rng.range(0.75, 1.0),
            grain: rng.range(0.0, 0.30),
            noise: rng.range(0.0, 0.08),
            matrix: matrix(rng),
        }
    }

    /// Narrowed, slanted and turned.
    pub(super) fn affine(&self, (x, y): Point) -> Point {
        let (x, y) = (x - 0.5, y - 0.5);
        let [a, b, c, d] = self.matrix;
        (a * x + b * y, c * x + d * y)
    }

    /// A factor on the pen's radius.
    pub(super) fn pressure(&self, rng: &mut Rng) -> f32 {
        rng.range(0.8, 1.2)
    }
}

/// Rotation × slant × width, row by row.
fn matrix(rng: &mut Rng) -> [f32; 4] {
    let width = rng.range(0.6, 1.05);
    let slant = 0.12 + 0.17 * rng.bell();
    // The half-angle's tangent gives an exact rotation with no sine, which differs between machines.
    let half = 0.075 * rng.bell();
    let norm = 1.0 + half * half;
    let (cos, sin) = ((1.0 - half * half) / norm, 2.0 * half / norm);
    [cos * width, -cos * slant - sin, sin * width, cos - sin * slant]
}
