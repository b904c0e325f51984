//! Random data and comparison.

use proptest::prelude::*;
use taper_kernels::philox4x32;

/// `len` numbers in [-1, 1), a function of the seed.
pub(crate) fn random(seed: u32, len: usize) -> Vec<f32> {
    let words = (0..).flat_map(|at| philox4x32([at, 0, 0, 0], [seed, 1]));
    words.take(len).map(|word| (word >> 8) as f32 / (1 << 23) as f32 - 1.0).collect()
}

/// `len` different numbers, at least `1 / len` apart, in random order: no ties for max pooling.
pub(crate) fn distinct(seed: u32, len: usize) -> Vec<f32> {
    let keys = random(seed, len);
    let mut order: Vec<usize> = (0..len).collect();
    order.sort_by(|&a, &b| keys[a].total_cmp(&keys[b]).then(a.cmp(&b)));
    let mut values = vec![0.0; len];
    order.into_iter().enumerate().for_each(|(rank, at)| values[at] = rank as f32 / len as f32 - 0.5);
    values
}

pub(crate) fn wide(data: &[f32]) -> Vec<f64> {
    data.iter().map(|&value| f64::from(value)).collect()
}

/// ‖found − expected‖ must stay within f32's rounding of sums of a few hundred terms of magnitude 1: what such sums pass
/// through is of magnitude 10 and more, even where the terms cancel in the end.
pub(crate) fn assert_close(what: &str, found: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len(), "{}", what);
    // A window that lies in the padding alone has no maximum: both sides say −∞ there.
    let pairs = found.iter().map(|&f| f64::from(f)).zip(expected).filter(|(f, e)| f != *e);
    let difference: f64 = pairs.map(|(f, e)| (f - e).powi(2)).sum();
    let norm: f64 = expected.iter().filter(|e| e.is_finite()).map(|e| e * e).sum();
    let bound = 1e-6 * norm.sqrt() + 1e-5 * (found.len() as f64).sqrt();
    prop_assert!(difference.sqrt() <= bound, "{}: off by {} of {}", what, difference.sqrt(), norm.sqrt());
    Ok(())
}

/// Runs `work` in a pool of `threads` threads.
pub(crate) fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}
