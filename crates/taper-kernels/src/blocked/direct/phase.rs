//! Which inputs an output reads along one axis.

use taper_graph::Window;

/// Outputs along one axis that read their inputs by the same taps: output `first + i·step` reads the inputs
/// `i·read_step + offset` for the offset of each tap.
#[derive(Debug, Clone)]
pub(super) struct Phase {
    pub(super) first: usize,
    pub(super) step: usize,
    pub(super) count: usize,
    pub(super) read_step: usize,
    /// Each tap and its offset.
    pub(super) taps: Vec<(usize, isize)>,
}

impl Phase {
    /// The `count` outputs of a convolution.
    pub(super) fn forward(window: &Window, count: usize) -> Self {
        let offset = |tap| (tap * window.dilation) as isize - window.padding as isize;
        let taps = (0..window.kernel).map(|tap| (tap, offset(tap))).collect();
        Self { first: 0, step: 1, count, read_step: window.stride, taps }
    }

    /// The gradients of the `size` inputs, which read the gradients of the outputs. Input `i` was read by tap `t` of
    /// output `(i + padding − t·dilation) / stride` if that is whole: which taps these are depends on `i` mod stride.
    pub(super) fn backward(window: &Window, size: usize) -> Vec<Self> {
        let stride = window.stride;
        let phase = |first: usize| {
            let distance = |tap: usize| (first + window.padding) as isize - (tap * window.dilation) as isize;
            let taps = (0..window.kernel).map(|tap| (tap, distance(tap)));
            let whole = taps.filter(|(_, distance)| distance.rem_euclid(stride as isize) == 0);
            let taps = whole.map(|(tap, distance)| (tap, distance / stride as isize)).collect();
            Self { first, step: stride, count: (size - first).div_ceil(stride), read_step: 1, taps }
        };
        (0..stride.min(size)).map(phase).collect()
    }

    /// The least offset; 0 if there are no taps.
    pub(super) fn low(&self) -> isize {
        self.taps.iter().map(|(_, offset)| *offset).min().unwrap_or(0)
    }

    /// How far the taps read beyond an axis of `size` elements, on either side.
    pub(super) fn beyond(&self, size: usize) -> usize {
        let last = (self.count.saturating_sub(1) * self.read_step) as isize - size as isize + 1;
        let beyond = self.taps.iter().map(|(_, offset)| (-offset).max(last + offset).max(0));
        beyond.max().unwrap_or(0) as usize
    }
}
