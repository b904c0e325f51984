//! The most multiply-adds that a core can do, to compare kernels with.

use std::hint::black_box;

use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

/// Sums that do not wait for each other: with twelve, a core that starts two multiply-adds a cycle and takes up to six
/// cycles for each is never idle, and all fit into sixteen registers.
const SUMS: usize = 12;

/// Runs `rounds` rounds of multiply-adds on values that stay in registers, on the calling thread. Returns how many
/// floating-point operations that was, two for each multiply-add, and the mean of the sums: `rounds`, up to what an
/// f32 can count.
///
/// Operations divided by the time that it takes are the peak of the core: no kernel can do more. Measure both in the
/// same run, since processors change their clock. `portable` has fewer registers than sums on some processors;
/// what it reaches is then below the peak.
///
/// ```
/// use taper_kernels::{Isa, fma_peak};
/// let (operations, rounds) = fma_peak(Isa::current(), 1000);
/// assert_eq!((operations, rounds), (1000 * 12 * 8 * 2, 1000.0));
/// ```
#[must_use]
pub fn fma_peak(isa: Isa, rounds: u32) -> (u64, f32) {
    let mean = dispatch!(isa, |s| add_up(s, rounds, black_box([1.0; 2])));
    (u64::from(rounds) * (2 * SUMS * LANES) as u64, mean)
}

/// Adds the product of both factors to each sum, `rounds` times.
#[inline(always)]
fn add_up<S: Simd>(s: S, rounds: u32, [a, b]: [f32; 2]) -> f32 {
    let (a, b) = (s.splat(a), s.splat(b));
    let mut sums = [s.splat(0.0); SUMS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = s.mul_add(a, b, *sum);
        }
    }
    let total = sums.into_iter().fold(s.splat(0.0), |total, sum| s.add(total, sum));
    s.sum(total) / (SUMS * LANES) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_round_counts_on_every_instruction_set() {
        for isa in Isa::available() {
            for rounds in [0, 1, 7, 1000] {
                let (operations, mean) = fma_peak(isa, rounds);
                assert_eq!(operations, u64::from(rounds) * 192);
                assert_eq!(mean, rounds as f32, "{isa:?}");
            }
        }
    }
}
