//! The two orders of the weights, in which the products read them.

use std::ops::Range;

use crate::simd::LANES;

/// Vectors of inputs, and the most of outputs, of a tile of weights: it fills three quarters of a first-level cache of
/// 32 KiB, and a product has a register for the sum of each vector.
pub(super) const INPUTS: usize = 8;
const OUTPUTS: usize = 12;
/// The most features along either side of a tile.
pub(super) const LONGEST: usize = OUTPUTS * LANES;

/// Vectors of features cut into pieces of `width`, the last of which may be shorter.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) vectors: usize,
    pub(super) width: usize,
}

impl Cut {
    fn inputs(features: usize) -> Self {
        Self { vectors: features / LANES, width: INPUTS }
    }

    /// In as few pieces as there can be, of about the same width.
    fn outputs(features: usize) -> Self {
        let vectors = features / LANES;
        Self { vectors, width: vectors.div_ceil(vectors.div_ceil(OUTPUTS).max(1)).max(1) }
    }

    /// How many pieces there are.
    pub(super) fn len(self) -> usize {
        self.vectors.div_ceil(self.width)
    }

    /// The features of all pieces.
    pub(super) fn features(self) -> usize {
        self.vectors * LANES
    }

    /// The features of a piece.
    pub(super) fn piece(self, piece: usize) -> Range<usize> {
        let [start, end] = [piece, piece.saturating_add(1)]
            .map(|at| self.vectors.min(at.saturating_mul(self.width)) * LANES);
        start..end
    }
}

/// Weights cut into tiles, piece by piece of the inputs and in each by piece of the outputs. In a tile stand the rows
/// `[output][input]` in the order of the backward pass, `[input][output]` in that of the forward pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    pub(super) inputs: Cut,
    pub(super) outputs: Cut,
}

impl Order {
    /// Of padded numbers of features, which are multiples of eight.
    pub(super) fn new(inputs: usize, outputs: usize) -> Self {
        Self { inputs: Cut::inputs(inputs), outputs: Cut::outputs(outputs) }
    }

    /// Where the weights between a piece of the inputs and one of the outputs stand, in either order.
    pub(super) fn tile(self, input: usize, output: usize) -> Range<usize> {
        let (inputs, outputs) = (self.inputs.piece(input), self.outputs.piece(output));
        let start = inputs.start * self.outputs.features() + outputs.start * inputs.len();
        start..start + inputs.len() * outputs.len()
    }

    /// Where the weight between an input and an output stands in the order of the backward pass, in which the tiles of a
    /// piece of the inputs follow each other without a seam.
    pub(super) fn at(self, input: usize, output: usize) -> usize {
        let inputs = self.inputs.piece(input / (self.inputs.width * LANES));
        inputs.start * self.outputs.features() + output * inputs.len() + input - inputs.start
    }
}

/// `0..len` in as few pieces of up to `longest` as there can be, of nearly the same length.
pub(super) fn pieces(len: usize, longest: usize) -> impl Iterator<Item = Range<usize>> {
    let count = len.div_ceil(longest);
    (0..count).map(move |piece| piece * len / count..(piece + 1) * len / count)
}
