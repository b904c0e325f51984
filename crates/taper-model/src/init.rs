//! Seeded initialisation.

use taper_graph::Init;
use taper_kernels::philox4x32;

/// The word that keeps these numbers apart from those of dropout, which puts its layer there.
const STREAM: u32 = u32::MAX;

/// The first values of parameter number `index`: a function of the seed and the place alone.
pub(crate) fn initial_values(init: Init, seed: u64, index: usize, len: usize) -> Vec<f32> {
    let bound = match init {
        Init::Constant(value) => return vec![value; len],
        Init::Uniform { bound } => bound,
    };
    let key = [seed as u32, (seed >> 32) as u32];
    let words = (0..)
        .flat_map(|group: u64| philox4x32([group as u32, (group >> 32) as u32, index as u32, STREAM], key));
    // The 24 highest bits, as many as an f32 holds, give a number in [0, 1).
    let unit = |word: u32| f64::from(word >> 8) / f64::from(1 << 24);
    words.take(len).map(|word| ((2.0 * unit(word) - 1.0) * bound) as f32).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uniform_values_fill_their_interval_evenly_and_differ_by_parameter_and_seed() {
        let values = |seed, index| initial_values(Init::fan_in(4), seed, index, 40_000);
        let first = values(1, 0);
        let mean = first.iter().map(|&v| f64::from(v)).sum::<f64>() / 4e4;
        let variance = first.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>() / 4e4;
        assert!(first.iter().all(|v| (-0.5..0.5).contains(v)));
        assert!(
            mean.abs() < 0.006 && (variance - 1.0 / 12.0).abs() < 0.002,
            "mean {mean}, variance {variance}"
        );
        assert!(first == values(1, 0) && first != values(1, 1) && first != values(2, 0));
    }
}
