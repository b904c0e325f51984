//! Weights to the order of the products and back.
//!
//! Output channels stand in panels of sixteen; the last panel has eight where the channels fill only half of it.

use super::tiles::{PAIRS, POINTS};
use super::transform::{Weight, WeightGradient, square};
use crate::simd::{LANES, Simd};

/// Output channels of a panel.
pub(super) const PANEL: usize = 2 * LANES;
const TAPS: usize = 9;

/// The weight's sizes, `[outputs, inputs]` of the convolution that reads it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channels {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Whether the weight is stored as that of the transposed convolution, `[inputs, outputs, 3, 3]` with its taps
    /// in reverse.
    pub(super) transposed: bool,
}

/// Where a panel starts, and its channels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub(super) first: usize,
    pub(super) width: usize,
}

impl Channels {
    /// Elements of the transformed weight.
    pub(super) fn packed_len(&self) -> usize {
        PAIRS * self.inputs * self.outputs.next_multiple_of(LANES)
    }

    pub(super) fn panels(&self) -> impl Iterator<Item = Panel> + use<> {
        let padded = self.outputs.next_multiple_of(LANES);
        (0..padded).step_by(PANEL).map(move |first| Panel { first, width: (padded - first).min(PANEL) })
    }

    /// Where the weights of a panel start in the packed weight: `[panel][pair][input][width]`.
    pub(super) fn packed_at(&self, panel: Panel) -> usize {
        PAIRS * self.inputs * panel.first
    }

    /// Where the sums of a pair of points and a panel start: `[pair][panel][input][width]`.
    pub(super) fn sum_at(&self, pair: usize, panel: Panel) -> usize {
        self.inputs * (pair * self.outputs.next_multiple_of(LANES) + panel.first)
    }

    fn taps_at(&self, output: usize, input: usize) -> usize {
        TAPS * if self.transposed { input * self.outputs + output } else { output * self.inputs + input }
    }

    /// The nine taps of eight output channels from `first` on, zero beyond the last.
    ///
    /// # Safety
    /// `weight` must have all its elements, `input` be a channel.
    #[inline(always)]
    unsafe fn taps<S: Simd>(&self, s: S, weight: &[f32], first: usize, input: usize) -> [S::F; TAPS] {
        // SAFETY: the first and the last eight of nine taps.
        let (first, last) =
            unsafe { (self.eight(s, weight, first, input, 0), self.eight(s, weight, first, input, 1)) };
        let ([a, b, c, d, e, f, g, h], [.., i]) = (first, last);
        let taps = [a, b, c, d, e, f, g, h, i];
        if self.transposed { [i, h, g, f, e, d, c, b, a] } else { taps }
    }

    /// Eight taps of eight output channels.
    ///
    /// # Safety
    /// As [`Channels::taps`]; `from` must be 0 or 1.
    #[inline(always)]
    unsafe fn eight<S: Simd>(
        &self,
        s: S,
        weight: &[f32],
        first: usize,
        input: usize,
        from: usize,
    ) -> [S::F; LANES] {
        let mut rows = [s.splat(0.0); LANES];
        for (lane, row) in rows.iter_mut().enumerate().take(self.outputs - first) {
            // SAFETY: eight of the nine taps of a filter.
            *row = unsafe { s.load(weight, self.taps_at(first + lane, input) + from) };
        }
        s.transpose(rows)
    }

    /// Writes `G g Gᵀ` of every filter.
    ///
    /// # Safety
    /// Both slices must have all their elements.
    #[inline(always)]
    pub(super) unsafe fn pack<S: Simd>(&self, s: S, weight: &[f32], packed: &mut [f32]) {
        for panel in self.panels() {
            let step = self.inputs * panel.width;
            for (half, input) in
                (0..panel.width).step_by(LANES).flat_map(|h| (0..self.inputs).map(move |i| (h, i)))
            {
                // SAFETY: the channels are those of the panel.
                let taps = unsafe { self.taps(s, weight, panel.first + half, input) };
                let at = self.packed_at(panel) + input * panel.width + half;
                square::<S, Weight, Weight>(
                    s,
                    #[inline(always)]
                    |i, j| taps[3 * i + j],
                    #[inline(always)]
                    // SAFETY: the element is inside the panel.
                    |i, j, value| unsafe { s.store(value, packed, at + (POINTS * i + j) * step) },
                );
            }
        }
    }

    /// Adds up `sums` in their order and writes `Gᵀ (·) G` of every filter.
    ///
    /// # Safety
    /// All slices must have all their elements.
    #[inline(always)]
    pub(super) unsafe fn unpack<S: Simd>(&self, s: S, sums: &[&[f32]], dweight: &mut [f32]) {
        for panel in self.panels() {
            for (half, input) in
                (0..panel.width).step_by(LANES).flat_map(|h| (0..self.inputs).map(move |i| (h, i)))
            {
                let mut taps = [s.splat(0.0); TAPS];
                square::<S, WeightGradient, WeightGradient>(
                    s,
                    #[inline(always)]
                    |i, j| {
                        let at = self.sum_at(POINTS * i + j, panel) + input * panel.width + half;
                        let mut total = s.splat(0.0);
                        for sum in sums {
                            // SAFETY: the element is inside the panel.
                            total = s.add(total, unsafe { s.load(sum, at) });
                        }
                        total
                    },
                    #[inline(always)]
                    |i, j, value| taps[3 * i + j] = value,
                );
                // SAFETY: the channels are those of the panel.
                unsafe { self.store_taps(s, taps, dweight, panel.first + half, input) };
            }
        }
    }

    /// The inverse of [`Channels::taps`].
    ///
    /// # Safety
    /// As there.
    #[inline(always)]
    unsafe fn store_taps<S: Simd>(
        &self,
        s: S,
        [a, b, c, d, e, f, g, h, last]: [S::F; TAPS],
        weight: &mut [f32],
        first: usize,
        input: usize,
    ) {
        let mut lasts = [0.0; LANES];
        // SAFETY: eight elements.
        unsafe { s.store(last, &mut lasts, 0) };
        let rows = s.transpose([a, b, c, d, e, f, g, h]);
        for (lane, row) in rows.into_iter().enumerate().take(self.outputs.saturating_sub(first)) {
            let at = self.taps_at(first + lane, input);
            // SAFETY: the nine taps of a filter.
            unsafe {
                s.store(row, weight, at);
                *weight.get_unchecked_mut(at + LANES) = lasts[lane];
            }
        }
    }
}
