//! How the numbers of a value are distributed, and the range to keep of it.

use super::method::Method;

/// Bins of a histogram.
const BINS: usize = 2048;

/// Numbers that a byte tells apart.
const LEVELS: usize = 256;

/// The share of numbers that [`Method::Percentile`] cuts off at either end.
const CUT: f64 = 1e-4;

/// The numbers of a value: how many lie in each part of a range.
#[derive(Debug, Clone)]
pub(super) struct Histogram {
    low: f64,
    width: f64,
    counts: Vec<u64>,
}

impl Histogram {
    /// Of numbers in a range.
    pub(super) fn new([low, high]: [f32; 2]) -> Self {
        let (low, high) = (f64::from(low), f64::from(high));
        Self { low, width: (high - low) / BINS as f64, counts: vec![0; BINS] }
    }

    /// Counts more numbers, but no zeros: a zero is exact in any range, and behind a ReLU there are so many that the rest
    /// would count for nothing.
    pub(super) fn add(&mut self, numbers: &[f32]) {
        for &number in numbers.iter().filter(|&&number| number != 0.0) {
            // Where all numbers are one, 0/0 becomes bin 0.
            let bin = (f64::from(number) - self.low) / self.width;
            self.counts[(bin as usize).min(BINS - 1)] += 1;
        }
    }

    /// The range to keep; the whole one for [`Method::MinMax`].
    pub(super) fn range(&self, method: Method) -> [f32; 2] {
        let is_empty = self.counts.iter().all(|&count| count == 0);
        let [first, end] = match method {
            Method::Percentile if !is_empty => self.percentile(),
            Method::Entropy if !is_empty => self.entropy(),
            _ => [0, BINS],
        };
        [first, end].map(|bin| (self.low + bin as f64 * self.width) as f32)
    }

    /// The bins that are left, from the first to before the last.
    fn percentile(&self) -> [usize; 2] {
        let total: u64 = self.counts.iter().sum();
        let most = (total as f64 * CUT) as u64;
        let cut = |counts: &mut dyn Iterator<Item = &u64>| {
            let mut sum = 0;
            let is_cut = |count: &&u64| {
                sum += **count;
                sum <= most
            };
            counts.take_while(is_cut).count()
        };
        let (first, last) = (cut(&mut self.counts.iter()), cut(&mut self.counts.iter().rev()));
        [first, BINS - last]
    }

    /// The bins whose distribution in 256 levels, with all others moved to the ends, is closest to the true one. What is
    /// tried is everything up to some distance from the number 0.
    fn entropy(&self) -> [usize; 2] {
        let zero = (-self.low / self.width).clamp(0.0, BINS as f64);
        let farthest = zero.max(BINS as f64 - zero);
        let bins = |share: f64| {
            let first = (zero - farthest * share).floor().max(0.0) as usize;
            let end = (zero + farthest * share).ceil() as usize;
            [first.min(BINS - 1), end.clamp(first + 1, BINS)]
        };
        // Of equals the widest.
        let shares = (LEVELS / 8..=BINS / 8).map(|eighth| (eighth * 8) as f64 / BINS as f64);
        let scored = shares.map(|share| (bins(share), self.divergence(bins(share))));
        let best = scored.reduce(|best, next| if next.1 <= best.1 { next } else { best });
        best.map_or([0, BINS], |(bins, _)| bins)
    }

    /// The Kullback-Leibler divergence of the bins from `first` to before `end` in 256 levels from the whole.
    fn divergence(&self, [first, end]: [usize; 2]) -> f64 {
        let kept = &self.counts[first..end];
        let total: u64 = self.counts.iter().sum();
        let mut clipped: Vec<f64> = kept.iter().map(|&count| count as f64).collect();
        let last = clipped.len() - 1;
        clipped[0] += self.counts[..first].iter().sum::<u64>() as f64;
        clipped[last] += self.counts[end..].iter().sum::<u64>() as f64;
        let inside: u64 = kept.iter().sum();
        let mut sum = 0.0;
        for level in 0..LEVELS {
            let bins = level * kept.len() / LEVELS..(level + 1) * kept.len() / LEVELS;
            let used = kept[bins.clone()].iter().filter(|&&count| count > 0).count().max(1);
            let in_level: u64 = kept[bins.clone()].iter().sum();
            // All bins of a level that hold anything come back alike.
            let made = in_level as f64 / used as f64 / inside.max(1) as f64;
            for bin in bins.filter(|&bin| clipped[bin] > 0.0) {
                let share = clipped[bin] / total as f64;
                // A number that only clipping brings here is very far from any that the level stands for.
                sum += share * (share / made.max(1e-9)).ln();
            }
        }
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::{Histogram, Method};

    /// Numbers of a bell from -1 to 1, and a few outliers.
    fn histogram(outliers: &[f32]) -> Histogram {
        let bell = (0..100_000).map(|place| {
            let at = (place as f32 + 0.5) / 100_000.0;
            let side = if at < 0.5 { -1.0 } else { 1.0 };
            side * (1.0 - (1.0 - (2.0 * at - 1.0).abs()).sqrt())
        });
        let numbers: Vec<f32> = bell.chain(outliers.iter().copied()).collect();
        let least = numbers.iter().copied().fold(f32::INFINITY, f32::min);
        let most = numbers.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let mut histogram = Histogram::new([least, most]);
        histogram.add(&numbers);
        histogram
    }

    #[test]
    fn outliers_are_kept_or_cut_off() {
        let histogram = histogram(&[-3.0, 20.0]);
        assert_eq!(histogram.range(Method::MinMax), [-3.0, 20.0]);
        for method in [Method::Percentile, Method::Entropy] {
            let [low, high] = histogram.range(method);
            assert!((0.7..4.0).contains(&high) && (-3.0..-0.4).contains(&low), "{method}: {low} to {high}");
        }
    }

    #[test]
    fn zeros_cut_nothing_off() {
        for method in Method::ALL {
            let mut histogram = Histogram::new([0.0, 8.0]);
            histogram.add(&[0.0; 100]);
            assert_eq!(histogram.range(method), [0.0, 8.0], "{method}: nothing but zeros");
            let falling: Vec<f32> =
                (0..10_000).map(|place| 8.0 * (1.0 - (place as f32 / 1e4).sqrt())).collect();
            histogram.add(&[0.0; 1_000_000]);
            histogram.add(&falling);
            let [low, high] = histogram.range(method);
            assert!(low == 0.0 && (6.0..=8.0).contains(&high), "{method}: {low} to {high}");
        }
    }

    #[test]
    fn one_number_alone_is_a_range() {
        for method in Method::ALL {
            let mut histogram = Histogram::new([0.25, 0.25]);
            histogram.add(&[0.25; 7]);
            assert_eq!(histogram.range(method), [0.25, 0.25], "{method}");
        }
    }
}
