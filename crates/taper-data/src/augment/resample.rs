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
    let framed: Vec<Framed> = image.chunks_exact(plane).map(|image| Framed::new(image, width)).collect();
    for row in 0..height {
        for column in 0..width {
            let pixel = row * width + column;
            let [mut x, mut y] = affine.apply(column as f32 - middle[0], row as f32 - middle[1]);
            if let Some(elastic) = elastic {
                let [right, down] = elastic.at(pixel);
                (x, y) = (x + right, y + down);
            }
            let at = [side(x + middle[0], width), side(y + middle[1], height)];
            for (channel, framed) in framed.iter().enumerate() {
                changed[channel * plane + pixel] = framed.read(at);
            }
        }
    }
}

/// One channel with a frame of one black pixel, so that whatever is read is there.
struct Framed {
    width: usize,
    pixels: Vec<f32>,
}

impl Framed {
    fn new(plane: &[u8], width: usize) -> Self {
        let framed = width + 2;
        let mut pixels = vec![0.0; framed];
        for row in plane.chunks_exact(width) {
            pixels.push(0.0);
            pixels.extend(row.iter().map(|&byte| unit(byte)));
            pixels.push(0.0);
        }
        pixels.resize(pixels.len() + framed, 0.0);
        Self { width: framed, pixels }
    }

    /// Between four pixels.
    fn read(&self, [(column, right), (row, down)]: [(usize, f32); 2]) -> f32 {
        let at = row * self.width + column;
        let (upper, lower) = (&self.pixels[at..at + 2], &self.pixels[at + self.width..][..2]);
        let between = |pair: &[f32]| pair[0] + right * (pair[1] - pair[0]);
        let (upper, lower) = (between(upper), between(lower));
        upper + down * (lower - upper)
    }
}

/// Where `place` on an axis of `len` pixels is on the framed axis: the pixel before it, and how far it is from that one to the
/// next. What is farther outside is as black as the frame.
fn side(place: f32, len: usize) -> (usize, f32) {
    let place = place.max(-1.0).min(len as f32) + 1.0;
    let before = (place as usize).min(len);
    (before, place - before as f32)
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
