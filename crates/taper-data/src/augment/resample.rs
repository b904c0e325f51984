//! Images looked at through an affine map and a field of displacements.

use super::elastic::Elastic;
use crate::batches::unit;

/// Where each pixel of the changed image comes from: `[x', y'] = matrix·[x − shift x, y − shift y]`, about the middle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Affine {
    matrix: [[f32; 2]; 2],
    shift: [f32; 2],
}

impl Affine {
    /// The way back of: shear along x, then scale, then rotate (angles in radians), then shift. libm gives the same bits on
    /// every machine.
    pub(super) fn inverse_of(rotation: f32, scale: f32, shear: f32, shift: [f32; 2]) -> Self {
        let (sin, cos, slope) = (libm::sinf(rotation), libm::cosf(rotation), libm::tanf(shear));
        // (R·S·K)⁻¹ = K⁻¹·S⁻¹·R⁻¹ with K = [[1, slope], [0, 1]].
        let matrix =
            [[(cos + slope * sin) / scale, (sin - slope * cos) / scale], [-sin / scale, cos / scale]];
        Self { matrix, shift }
    }

    /// Where the pixel at `x`, `y` from the middle comes from.
    fn apply(&self, x: f32, y: f32) -> [f32; 2] {
        let (x, y) = (x - self.shift[0], y - self.shift[1]);
        self.matrix.map(|row| row[0] * x + row[1] * y)
    }
}

/// Fills `changed`, `[C, H, W]`, by bilinear interpolation in `image`, which is black beyond its edges.
pub(super) fn resample(
    image: &[u8],
    [height, width]: [usize; 2],
    affine: &Affine,
    elastic: Option<&Elastic>,
    changed: &mut [f32],
) {
    let plane = height * width;
    let middle = [width, height].map(|side| (side as f32 - 1.0) / 2.0);
    for row in 0..height {
        for column in 0..width {
            let pixel = row * width + column;
            let [mut x, mut y] = affine.apply(column as f32 - middle[0], row as f32 - middle[1]);
            if let Some(elastic) = elastic {
                let [right, down] = elastic.at(pixel);
                (x, y) = (x + right, y + down);
            }
            let taps = Taps::at([x + middle[0], y + middle[1]], [height, width]);
            for (image, changed) in image.chunks_exact(plane).zip(changed.chunks_exact_mut(plane)) {
                changed[pixel] = taps.read(image);
            }
        }
    }
}

/// The four pixels around a place, and their shares; those outside the image have none.
struct Taps([(usize, f32); 4]);

impl Taps {
    fn at([x, y]: [f32; 2], [height, width]: [usize; 2]) -> Self {
        let ([left, right], [top, bottom]) = (sides(x, width), sides(y, height));
        let tap = |row: (usize, f32), column: (usize, f32)| (row.0 * width + column.0, row.1 * column.1);
        Self([tap(top, left), tap(top, right), tap(bottom, left), tap(bottom, right)])
    }

    fn read(&self, plane: &[u8]) -> f32 {
        self.0.iter().map(|&(pixel, share)| share * unit(plane[pixel])).sum()
    }
}

/// The two pixels on either side of `place` along an axis of `len` pixels, with their shares.
fn sides(place: f32, len: usize) -> [(usize, f32); 2] {
    // Far outside, or no number at all, is as good as one pixel outside.
    let place = if place > -1.0 && place < len as f32 { place } else { -1.0 };
    let floor = place.floor();
    let share = place - floor;
    let tap = |at: f32, share: f32| {
        if at >= 0.0 && at < len as f32 { (at as usize, share) } else { (0, 0.0) }
    };
    [tap(floor, 1.0 - share), tap(floor + 1.0, share)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_undoes_the_way_there() {
        let (rotation, scale, shear) = (0.7f32, 1.2f32, -0.3f32);
        let affine = Affine::inverse_of(rotation, scale, shear, [2.0, -1.0]);
        let (x, y) = (3.0f32, -4.0f32);
        let sheared = [x + shear.tan() * y, y].map(|side| scale * side);
        let there = [
            rotation.cos() * sheared[0] - rotation.sin() * sheared[1] + 2.0,
            rotation.sin() * sheared[0] + rotation.cos() * sheared[1] - 1.0,
        ];
        let back = affine.apply(there[0], there[1]);
        assert!((back[0] - x).abs() < 1e-5 && (back[1] - y).abs() < 1e-5, "{back:?}");
    }
}
