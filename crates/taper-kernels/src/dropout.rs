//! Dropout, reproducible on any number of threads.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};
use crate::philox::philox4x32_lanes;

/// Counters worked on side by side.
const LANES: usize = 64;

/// Elements that one task handles; a multiple of the words that all lanes give.
const GRAIN: usize = 1 << 14;

/// What the mask of one dropout layer at one training step is drawn from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// The training step.
    pub step: u64,
    /// The layer's place in the network.
    pub layer: u32,
}

/// Zeroes each element of `x` with probability `p` and scales the others by `1 / (1 − p)`.
///
/// Dropout is linear in `x`, so the same call with the same key turns `dy` into `dx`.
///
/// # Errors
/// [`KernelError::Length`] if `x` and `y` differ in length.
///
/// ```
/// use taper_kernels::{DropoutKey, dropout};
/// let key = DropoutKey { seed: 0, step: 1, layer: 3 };
/// let mut y = vec![0.0; 1000];
/// dropout(key, 0.5, &[1.0; 1000], &mut y)?;
/// assert!(y.iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn dropout(key: DropoutKey, p: f32, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    check_len("y", y.len(), x.len())?;
    // A word below the threshold drops its element; 2³² possible words make the probability exact to 2⁻³².
    let threshold = (f64::from(p) * 4_294_967_296.0) as u32;
    let scale = 1.0 / (1.0 - p);
    y.par_chunks_mut(GRAIN).zip(x.par_chunks(GRAIN)).enumerate().for_each(|(task, (y, x))| {
        for (group, (y, x)) in y.chunks_mut(4 * LANES).zip(x.chunks(4 * LANES)).enumerate() {
            let words = key.words((task * (GRAIN / 4) + group * LANES) as u64);
            for ((y, &x), word) in y.iter_mut().zip(x).zip(words.as_flattened()) {
                *y = if *word < threshold { 0.0 } else { x * scale };
            }
        }
    });
    Ok(())
}

impl DropoutKey {
    /// The random words of the [`LANES`] counters from `first` on, of every counter its first word, then of every one
    /// its second, and so on.
    fn words(&self, first: u64) -> [[u32; LANES]; 4] {
        let place = std::array::from_fn::<u64, LANES, _>(|lane| first + lane as u64);
        // 2⁴⁴ elements a layer and 2⁵² steps, far beyond any run.
        let step_high = ((self.step >> 32) as u32) << 12;
        let counter = [
            place.map(|place| place as u32),
            place.map(|place| (place >> 32) as u32 | step_high),
            [self.step as u32; LANES],
            [self.layer; LANES],
        ];
        philox4x32_lanes(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(key: DropoutKey, p: f32) -> Vec<f32> {
        let mut y = vec![0.0; 100_003];
        dropout(key, p, &vec![1.0; y.len()], &mut y).unwrap();
        y
    }

    const KEY: DropoutKey = DropoutKey { seed: 7, step: 1, layer: 2 };

    #[test]
    fn drops_the_asked_share_and_keeps_the_mean() {
        for p in [0.0, 0.1, 0.3, 0.9] {
            let y = mask(KEY, p);
            let dropped = y.iter().filter(|&&y| y == 0.0).count() as f64 / y.len() as f64;
            // Four standard deviations of a binomial share.
            let tolerance = 4.0 * (f64::from(p) * (1.0 - f64::from(p)) / y.len() as f64).sqrt();
            assert!((dropped - f64::from(p)).abs() <= tolerance, "p {p}: dropped {dropped}");
        }
    }

    #[test]
    fn seed_step_and_layer_each_change_the_mask_and_nothing_else_does() {
        let y = mask(KEY, 0.5);
        assert_eq!(y, mask(KEY, 0.5));
        for other in
            [DropoutKey { seed: 8, ..KEY }, DropoutKey { step: 2, ..KEY }, DropoutKey { layer: 3, ..KEY }]
        {
            let same = y.iter().zip(mask(other, 0.5)).filter(|(a, b)| **a == *b).count();
            assert!((45_000..55_000).contains(&same), "{other:?}: {same} of 100003 agree");
        }
    }
}
