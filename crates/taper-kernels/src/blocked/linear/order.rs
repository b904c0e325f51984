//! The order of the weights, which is that in which the products read them.

use std::ops::Range;

use crate::simd::LANES;

/// Depth of a block of weights: a panel of it fills three quarters of a first-level cache of 32 KiB.
pub(super) const BLOCK: usize = 64;
/// Vectors of a panel, as many as there are registers for their sums.
pub(super) const PANEL: usize = 12;

/// Weights `[depth, columns]` in the order `[block of depth][panel of columns][depth][columns]`, every part of it
/// without gaps. Both sizes are multiples of eight.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) depth: usize,
    pub(super) columns: usize,
}

impl Order {
    /// How many blocks there are.
    pub(super) fn blocks(self) -> usize {
        self.depth.div_ceil(BLOCK)
    }

    /// What of the depth belongs to a block.
    pub(super) fn block(self, block: usize) -> Range<usize> {
        block * BLOCK..self.depth.min((block + 1) * BLOCK)
    }

    /// How many panels there are.
    pub(super) fn panels(self) -> usize {
        (self.columns / LANES).div_ceil(PANEL)
    }

    /// The vectors of columns of a panel.
    pub(super) fn panel(self, panel: usize) -> Range<usize> {
        let (vectors, panels) = (self.columns / LANES, self.panels());
        panel * vectors / panels..(panel + 1) * vectors / panels
    }

    /// Where the weights of a block and a panel stand.
    pub(super) fn range(self, block: usize, panel: &Range<usize>) -> Range<usize> {
        let depth = self.block(block);
        let start = depth.start * self.columns + panel.start * LANES * depth.len();
        start..start + depth.len() * panel.len() * LANES
    }

    /// Where the weights of a row and a vector of columns stand.
    pub(super) fn at(self, row: usize, vector: usize) -> usize {
        // The inverse of `panel`.
        let panel = self.panel(((vector + 1) * self.panels() - 1) / (self.columns / LANES));
        let start = self.range(row / BLOCK, &panel).start;
        start + (row % BLOCK * panel.len() + vector - panel.start) * LANES
    }
}

/// `0..len` in as few pieces of up to `longest` as there can be, of nearly the same length.
pub(super) fn pieces(len: usize, longest: usize) -> impl Iterator<Item = Range<usize>> {
    let count = len.div_ceil(longest);
    (0..count).map(move |piece| piece * len / count..(piece + 1) * len / count)
}
