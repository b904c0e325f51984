//! The crate's one source of random numbers: ChaCha8, keyed by a seed, a purpose and a counter.
//!
//! Counter-based keys make every image and every epoch independent of the order they are computed in, so
//! that results do not depend on the thread count. All draws are built from integer arithmetic and exact
//! float operations, hence equal bit for bit on every machine.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// What the numbers are for; two purposes never share a stream.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Split = 1,
    Shuffle = 2,
    TrainDigits = 3,
    TestDigits = 4,
    Augment = 5,
    SplitClass = 6,
}

pub(crate) struct Rng(ChaCha8Rng);

impl Rng {
    pub(crate) fn new(seed: u64, purpose: Purpose, counter: u64) -> Self {
        Self::at(seed, purpose, [counter, 0])
    }

    /// As [`Rng::new`], for what is counted twice over.
    pub(crate) fn at(seed: u64, purpose: Purpose, counters: [u64; 2]) -> Self {
        let mut key = [0u8; 32];
        let parts = [seed, purpose as u64, counters[0], counters[1]];
        key.as_chunks_mut().0.iter_mut().zip(parts).for_each(|(bytes, part)| *bytes = part.to_le_bytes());
        Self(ChaCha8Rng::from_seed(key))
    }

    /// Uniform in `0..n` without bias (Lemire 2019, "Fast Random Integer Generation in an Interval");
    /// 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        let threshold = n.wrapping_neg().checked_rem(n).unwrap_or(0);
        loop {
            let product = u128::from(self.0.next_u64()) * u128::from(n);
            if product as u64 >= threshold {
                return (product >> 64) as u64;
            }
        }
    }

    /// Uniform in `[0, 1)`, with 24 random bits.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 * (1.0 / 16_777_216.0)
    }

    /// Uniform in `[low, high)`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// Bell-shaped, mean 0 and standard deviation 1, within ±3.47: the sum of four uniform draws (a normal
    /// draw would need a logarithm, which differs between machines).
    pub(crate) fn bell(&mut self) -> f32 {
        let sum = self.unit() + self.unit() + self.unit() + self.unit();
        (sum - 2.0) * 1.732_050_8
    }

    /// The numbers `0..len` in random order (Fisher–Yates).
    pub(crate) fn permutation(&mut self, len: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..len).collect();
        for last in (1..len).rev() {
            order.swap(last, self.below(last as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permutation_holds_every_number_once_and_is_value_stable() {
        let order = Rng::new(7, Purpose::Split, 0).permutation(1000);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
        assert_ne!(order, sorted);
        assert_eq!(order, Rng::new(7, Purpose::Split, 0).permutation(1000));
        assert_ne!(order, Rng::new(7, Purpose::Shuffle, 0).permutation(1000));
        assert_ne!(order, Rng::new(7, Purpose::Split, 1).permutation(1000));
    }

    #[test]
    fn draws_have_the_promised_mean_and_spread() {
        let mut rng = Rng::new(1, Purpose::TrainDigits, 0);
        let n = 20_000;
        let draws: Vec<f64> = (0..n).map(|_| f64::from(rng.bell())).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        assert!(mean.abs() < 0.03, "{mean}");
        assert!((variance - 1.0).abs() < 0.05, "{variance}");
        let mut counts = [0; 3];
        (0..n).for_each(|_| counts[rng.below(3) as usize] += 1);
        assert!(counts.iter().all(|&count| (6300..7000).contains(&count)), "{counts:?}");
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
    }
}
