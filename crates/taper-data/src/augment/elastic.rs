//! Elastic distortion: random displacements, smoothed so that neighbouring pixels move alike.

use crate::rng::Rng;

/// How far each pixel is displaced, in pixels.
pub(super) struct Elastic {
    right: Vec<f32>,
    down: Vec<f32>,
}

impl Elastic {
    /// Displacements for an image of `[height, width]`, whose root mean square is expected to be `strength` everywhere, also at
    /// the edges.
    pub(super) fn draw(sides: [usize; 2], strength: f32, sigma: f32, rng: &mut Rng) -> Self {
        let [down, right] = [(); 2].map(|()| smooth_noise(sides, strength, sigma, rng));
        Self { right, down }
    }

    /// Of one pixel, along x and along y.
    pub(super) fn at(&self, pixel: usize) -> [f32; 2] {
        [self.right[pixel], self.down[pixel]]
    }
}

/// Uniform noise under a Gaussian, `[height, width]`.
fn smooth_noise([height, width]: [usize; 2], strength: f32, sigma: f32, rng: &mut Rng) -> Vec<f32> {
    // Uniform in −√3…√3 has the variance 1.
    let root_3 = 3f32.sqrt();
    let noise: Vec<f32> = (0..height * width).map(|_| rng.range(-root_3, root_3)).collect();
    // Columns first: a row of numbers at a time is quicker than a number.
    let across = smooth_rows(&noise, height, &smoothing(width, sigma, 1.0));
    let turned: Vec<f32> =
        (0..height * width).map(|place| across[place % width * height + place / width]).collect();
    smooth_rows(&turned, width, &smoothing(height, sigma, strength))
}

/// Every row of `len` numbers becomes a sum over its neighbours.
fn smooth_rows(rows: &[f32], len: usize, weights: &[Weights]) -> Vec<f32> {
    let mut smooth = vec![0.0; rows.len()];
    for (to, weights) in smooth.chunks_exact_mut(len).zip(weights) {
        for (weight, from) in weights.taps.iter().zip(rows[weights.first * len..].chunks_exact(len)) {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += weight * from);
        }
    }
    smooth
}

/// The weights of the neighbours of one place, from the first within reach on.
struct Weights {
    first: usize,
    taps: Vec<f32>,
}

/// Gaussian weights for every place along an axis, their squares adding up to `strength²`: sums of independent noise of variance
/// 1 then have that variance.
fn smoothing(len: usize, sigma: f32, strength: f32) -> Vec<Weights> {
    let reach = (3.0 * sigma).ceil() as usize;
    let gaussian = |distance: usize| libm::expf(-(distance as f32 / sigma).powi(2) / 2.0);
    let bell: Vec<f32> = (0..len.min(reach + 1)).map(gaussian).collect();
    let weights = |place: usize| {
        let first = place.saturating_sub(reach);
        let within = first..len.min(place + reach + 1);
        let mut taps: Vec<f32> = within.map(|other| bell[other.abs_diff(place)]).collect();
        let norm = taps.iter().map(|weight| weight * weight).sum::<f32>().sqrt();
        taps.iter_mut().for_each(|weight| *weight *= strength / norm);
        Weights { first, taps }
    };
    (0..len).map(weights).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Purpose;

    #[test]
    fn displacements_have_the_strength_asked_for_everywhere_and_neighbours_move_alike() {
        let (sides, strength, sigma) = ([12, 9], 2.0, 3.0);
        let (mut corner, mut middle, mut change) = (0.0, 0.0, 0.0);
        let draws = 4000;
        for draw in 0..draws {
            let field = Elastic::draw(sides, strength, sigma, &mut Rng::new(draw, Purpose::Augment, 0));
            corner += field.right[0].powi(2);
            middle += field.down[6 * 9 + 4].powi(2);
            change += (field.down[6 * 9 + 4] - field.down[6 * 9 + 5]).powi(2);
        }
        let root_mean = |sum: f32| (sum / draws as f32).sqrt();
        assert!((root_mean(corner) - strength).abs() < 0.1, "{}", root_mean(corner));
        assert!((root_mean(middle) - strength).abs() < 0.1, "{}", root_mean(middle));
        assert!(root_mean(change) < 0.3 * strength, "{}", root_mean(change));
    }
}
