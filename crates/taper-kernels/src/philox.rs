//! A counter-based random generator: any element of the stream is found without the ones before it, so that
//! threads need no shared state and the result does not depend on how many there are.

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): four random words for a
/// 128-bit counter and a 64-bit key.
///
/// ```
/// // A known answer of the authors' Random123 library.
/// assert_eq!(taper_kernels::philox4x32([0; 4], [0; 2])[0], 0x6627_e8d5);
/// ```
pub fn philox4x32(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox4x32_lanes(counter.map(|word| [word]), key).map(|[word]| word)
}

/// [`philox4x32`] of several counters at once, word by word, so that the compiler can put them side by side in vector
/// registers.
///
/// Each word has 64 bits to itself, for its product; what stands in the upper half of a factor does not count.
#[inline(always)]
pub(crate) fn philox4x32_lanes<const L: usize>(counter: [[u32; L]; 4], mut key: [u32; 2]) -> [[u32; L]; 4] {
    const MULTIPLIERS: [u64; 2] = [0xd251_1f53, 0xcd9e_8d57];
    const WEYL: [u32; 2] = [0x9e37_79b9, 0xbb67_ae85];
    const LOW: u64 = 0xffff_ffff;
    let mut state = [[0; L]; 4];
    for (state, counter) in state.as_flattened_mut().iter_mut().zip(counter.as_flattened()) {
        *state = u64::from(*counter);
    }
    let [mut c0, mut c1, mut c2, mut c3] = state;
    for _ in 0..10 {
        for lane in 0..L {
            let first = MULTIPLIERS[0] * (c0[lane] & LOW);
            let second = MULTIPLIERS[1] * (c2[lane] & LOW);
            c0[lane] = second >> 32 ^ c1[lane] ^ u64::from(key[0]);
            c1[lane] = second;
            c2[lane] = first >> 32 ^ c3[lane] ^ u64::from(key[1]);
            c3[lane] = first;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    let mut words = [[0; L]; 4];
    for lane in 0..L {
        words[0][lane] = c0[lane] as u32;
        words[1][lane] = c1[lane] as u32;
        words[2][lane] = c2[lane] as u32;
        words[3][lane] = c3[lane] as u32;
    }
    words
}

#[cfg(test)]
mod tests {
    use super::philox4x32;

    /// From `kat_vectors` of Random123.
    #[test]
    fn matches_the_known_answers() {
        let ones = u32::MAX;
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([ones; 4], [ones; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }
}
