//! Set-up that the benchmarks in `benches/` share. It has no dependencies, so that `cargo test` stays light.
//!
//! Run them all with `cargo bench -p taper-benches`, or one with `--bench training`. The number of threads is
//! rayon's: set `RAYON_NUM_THREADS` to try another.

/// Images in one training step, as in Taper's default recipe.
pub const BATCH: usize = 100;

/// Elements of one image of the reference CNN, `[1, 28, 28]`.
pub const IMAGE: usize = 28 * 28;

/// `len` evenly spread numbers in [0, 1), a function of `seed` (SplitMix64: Steele et al. 2014).
pub fn uniform(seed: u64, len: usize) -> Vec<f32> {
    let number = |index: u64| {
        let mut z = seed.wrapping_add(index + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        // The 24 highest bits, as many as an f32 holds.
        ((z ^ (z >> 31)) >> 40) as f32 / (1 << 24) as f32
    };
    (0..len as u64).map(number).collect()
}

/// `len` labels, 0 to 9 in turn.
pub fn labels(len: usize) -> Vec<u8> {
    (0..len).map(|item| (item % 10) as u8).collect()
}
