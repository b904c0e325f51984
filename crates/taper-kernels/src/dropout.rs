//! Dropout, reproducible on any number of threads and in any layout.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};
use crate::geometry::product;
use crate::isa::Isa;
use crate::philox::philox4x32_lanes;
use crate::simd::{LANES, Simd, dispatch};

/// Elements that one task handles at least.
const GRAIN: usize = 1 << 14;

/// What the mask of one dropout layer at one training step is drawn from.
///
/// Channels are drawn in blocks of eight. The fate of channel c of pixel p of image n, of `[N, C, P]`, is the 16-bit word
/// number c mod 8, lowest first, of the 128 random bits that Philox4x32-10 gives for the counter (n·⌈C/8⌉ + ⌊c/8⌋)·P + p:
/// the element is dropped if its word is below p·2¹⁶, rounded to a whole number t, and else multiplied by
/// 2¹⁶ / (2¹⁶ − t), so that its expectation is what it was. It depends on nothing else, whatever the layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropoutKey {
    /// The run's seed.
    pub seed: u64,
    /// The training step.
    pub step: u64,
    /// The layer's place in the network.
    pub layer: u32,
}

/// Zeroes each element of `x` with probability `p` and scales the others by `1 / (1 − p)`, with `p` rounded to a
/// multiple of 2⁻¹⁶: one that rounds to 1 leaves zeros alone.
///
/// `x` and `y` are `[N, C, P]`, of images, channels and pixels; features are channels of one pixel. Dropout is linear in
/// `x`, so the same call with the same key turns `dy` into `dx`. [`DropoutKey`] says how the mask is drawn;
/// [`crate::blocked::dropout`] draws the same one.
///
/// # Errors
/// [`KernelError::Length`] if `x` or `y` is not of these sizes, [`KernelError::Probability`] if `p` is not from 0 to 1.
///
/// ```
/// use taper_kernels::{DropoutKey, dropout};
/// let key = DropoutKey { seed: 0, step: 1, layer: 3 };
/// let mut y = vec![0.0; 1000];
/// dropout(key, 0.5, [2, 500, 1], &[1.0; 1000], &mut y)?;
/// assert!(y.iter().all(|&y| y == 0.0 || y == 2.0));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn dropout(
    key: DropoutKey,
    p: f32,
    sizes: [usize; 3],
    x: &[f32],
    y: &mut [f32],
) -> Result<(), KernelError> {
    let [images, channels, pixels] = sizes;
    let rate = Rate::new(p)?;
    check_len("x", x.len(), product([images, channels, pixels]))?;
    check_len("y", y.len(), x.len())?;
    if y.is_empty() {
        return Ok(());
    }
    let (isa, image_len) = (Isa::current(), channels * pixels);
    let first = |image: usize| (image * channels.div_ceil(LANES) * pixels) as u64;
    let each = y.par_chunks_mut(image_len).zip(x.par_chunks(image_len)).enumerate();
    each.with_min_len(GRAIN.div_ceil(image_len)).for_each(|(image, (y, x))| {
        dispatch!(isa, |s| drop_image(s, Draw { key, rate }, first(image), pixels, x, y));
    });
    Ok(())
}

/// [`dropout`] of one image `[C, P]`, whose counters start at `first`.
#[inline(always)]
fn drop_image<S: Simd>(s: S, draw: Draw, first: u64, pixels: usize, x: &[f32], y: &mut [f32]) {
    let blocks = y.chunks_mut(LANES * pixels).zip(x.chunks(LANES * pixels));
    let mut scales = [[0.0; LANES]; LANES];
    // Of the counters in `scales`, the first and the one behind the last.
    let (mut start, mut end) = (first, first);
    for (counter, (y, x)) in (first..).step_by(pixels).zip(blocks) {
        for pixel in 0..pixels {
            let place = counter + pixel as u64;
            if place >= end {
                (start, end) = (place, place + LANES as u64);
                for (scales, lanes) in scales.iter_mut().zip(draw.channels(s, start)) {
                    // SAFETY: eight elements.
                    unsafe { s.store(lanes, scales, 0) };
                }
            }
            let channels = y[pixel..].iter_mut().step_by(pixels).zip(x[pixel..].iter().step_by(pixels));
            for ((y, &x), scales) in channels.zip(&scales) {
                let scale = scales[(place - start) as usize];
                *y = if scale == 0.0 { 0.0 } else { x * scale };
            }
        }
    }
}

/// Values of a 16-bit word.
const WORDS: u32 = 1 << 16;

/// How much is dropped.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Rate {
    /// A 16-bit word below it drops its element.
    threshold: u32,
    /// What the others are multiplied by; 0 if there are none.
    pub(crate) scale: f32,
}

impl Rate {
    /// That of the probability `p`.
    ///
    /// # Errors
    /// [`KernelError::Probability`] if it is not from 0 to 1.
    pub(crate) fn new(p: f32) -> Result<Self, KernelError> {
        if !(0.0..=1.0).contains(&p) {
            return Err(KernelError::Probability { p });
        }
        let threshold = (f64::from(p) * f64::from(WORDS)).round() as u32;
        // Of the share that is really kept, which is not quite 1 − p. Where nothing is, no scale matters.
        let kept = WORDS - threshold;
        let scale = if kept == 0 { 0.0 } else { f64::from(WORDS) / f64::from(kept) };
        Ok(Self { threshold, scale: scale as f32 })
    }
}

/// The mask of one layer at one step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Draw {
    pub(crate) key: DropoutKey,
    pub(crate) rate: Rate,
}

impl Draw {
    /// What the elements of the eight counters from `first` on are multiplied by, 0 or the scale: eight channels, each
    /// with a lane for each counter.
    #[inline(always)]
    pub(crate) fn channels<S: Simd>(self, s: S, first: u64) -> [S::F; LANES] {
        let words = self.key.words(first);
        let (threshold, scale, zero) =
            (s.splat_u(self.rate.threshold), s.splat(self.rate.scale), s.splat(0.0));
        let mut channels = [zero; LANES];
        for (word, channels) in words.iter().zip(channels.as_chunks_mut().0) {
            let mut halves = [[0; LANES]; 2];
            for lane in 0..LANES {
                halves[0][lane] = word[lane] & 0xffff;
                halves[1][lane] = word[lane] >> 16;
            }
            let [low, high]: &mut [S::F; 2] = channels;
            // SAFETY: eight elements each.
            let (first, second) = unsafe { (s.load_u(&halves[0], 0), s.load_u(&halves[1], 0)) };
            *low = s.select(s.lt_u(first, threshold), zero, scale);
            *high = s.select(s.lt_u(second, threshold), zero, scale);
        }
        channels
    }

    /// The same as eight counters, each with a lane for each channel.
    #[inline(always)]
    pub(crate) fn pixels<S: Simd>(self, s: S, first: u64) -> [S::F; LANES] {
        s.transpose(self.channels(s, first))
    }
}

impl DropoutKey {
    /// The random words of the eight counters from `first` on, of every counter its first word, then of every one its
    /// second, and so on.
    #[inline(always)]
    fn words(&self, first: u64) -> [[u32; LANES]; 4] {
        // 2⁴⁴ counters a layer and 2⁵² steps, far beyond any run.
        let step_high = ((self.step >> 32) as u32) << 12;
        let high = (first >> 32) as u32;
        let (mut low, mut carried) = ([0; LANES], [0; LANES]);
        for lane in 0..LANES {
            low[lane] = (first as u32).wrapping_add(lane as u32);
            carried[lane] = high.wrapping_add(u32::from(low[lane] < first as u32)) | step_high;
        }
        let counter = [low, carried, [self.step as u32; LANES], [self.layer; LANES]];
        philox4x32_lanes(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::philox::philox4x32;

    fn mask(key: DropoutKey, p: f32) -> Vec<f32> {
        let mut y = vec![0.0; 7 * 11 * 1301];
        dropout(key, p, [7, 11, 1301], &vec![1.0; y.len()], &mut y).unwrap();
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

    /// What is kept makes up for what is dropped, also where 2¹⁶ words are too few to tell `p` from its neighbours.
    #[test]
    fn the_scale_belongs_to_the_share_that_is_dropped() {
        for p in [0.0, 1e-9, 7e-6, 8e-6, 0.3, 0.9999, 0.99998, 0.999_985] {
            let Rate { threshold, scale } = Rate::new(p).unwrap();
            let expectation = f64::from(65536 - threshold) / 65536.0 * f64::from(scale);
            assert!((expectation - 1.0).abs() < 1e-7, "p {p}: {expectation}");
        }
    }

    #[test]
    fn a_probability_next_to_one_drops_all() {
        for p in [0.999_999_9, 1.0] {
            let mut y = [9.0; 3];
            dropout(KEY, p, [1, 3, 1], &[f32::INFINITY, f32::NAN, 1.0], &mut y).unwrap();
            assert_eq!(y, [0.0; 3], "p {p}");
        }
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for p in [f32::NAN, -0.1, 1.000_000_1, f32::INFINITY, f32::NEG_INFINITY] {
            let mut y = [9.0];
            let error = dropout(KEY, p, [1, 1, 1], &[1.0], &mut y).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the probability of dropout is {p}; use a number from 0 to 1")
            );
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
            assert!((45_000..55_000).contains(&same), "{other:?}: {same} of 100177 agree");
        }
    }

    /// The definition, element by element, with a step that needs more than 32 bits.
    #[test]
    fn each_element_has_its_own_word() {
        let key = DropoutKey { seed: 0x0123_4567_89ab_cdef, step: 5 << 32 | 9, layer: 4 };
        for [images, channels, pixels] in [[2, 11, 5], [3, 77, 1], [1, 8, 9], [2, 3, 196]] {
            let mut y = vec![0.0; images * channels * pixels];
            dropout(key, 0.3, [images, channels, pixels], &vec![1.0; y.len()], &mut y).unwrap();
            for (at, &y) in y.iter().enumerate() {
                let (n, c, p) = (at / pixels / channels, at / pixels % channels, at % pixels);
                let counter = ((n * channels.div_ceil(8) + c / 8) * pixels + p) as u32;
                let words = philox4x32([counter, 5 << 12, 9, 4], [0x89ab_cdef, 0x0123_4567]);
                let word = words[c % 8 / 2] >> (16 * (c % 2)) & 0xffff;
                assert_eq!(y == 0.0, word < 19661, "element {at} of {images}, {channels}, {pixels}");
            }
        }
    }

    #[test]
    fn counters_carry_beyond_32_bits() {
        let words = KEY.words(u64::from(u32::MAX) - 3);
        let expected = philox4x32([1, 1, 1, 2], [7, 0]);
        assert_eq!(words.map(|word| word[5]), expected);
    }
}
