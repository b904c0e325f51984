//! The weight in its two orders, and in PyTorch's.

use std::ops::Range;

use super::BlockedLinear;
use super::transpose::transpose;
use crate::blocked::Blocked;
use crate::error::{KernelError, check_len};
use crate::simd::{LANES, dispatch};

impl BlockedLinear {
    /// Elements of the weight in either order.
    #[must_use]
    pub fn weight_len(&self) -> usize {
        self.in_stride.saturating_mul(self.out_stride)
    }

    /// Blocks of the weight: the parts that belong to 64 inputs; the last may be shorter.
    #[must_use]
    pub fn blocks(&self) -> usize {
        self.order().inputs.len()
    }

    /// Elements of one block of the weight in either order. A block with what an optimiser keeps of it is what a task should
    /// work on at a time.
    #[must_use]
    pub fn block_len(&self) -> usize {
        (self.order().inputs.width * LANES).saturating_mul(self.out_stride)
    }

    /// The weight `[out_features, in_features]` in the order of the backward pass, which is that of its gradient, too.
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length of the layer.
    pub fn pack(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        self.check_weights(weight.len(), packed.len())?;
        packed.fill(0.0);
        self.for_each_weight(|plain, here| packed[here] = weight[plain]);
        Ok(())
    }

    /// The inverse of [`BlockedLinear::pack`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length of the layer.
    pub fn unpack(&self, packed: &[f32], weight: &mut [f32]) -> Result<(), KernelError> {
        self.check_weights(weight.len(), packed.len())?;
        self.for_each_weight(|plain, here| weight[plain] = packed[here]);
        Ok(())
    }

    /// The blocks `blocks` of the forward weight, made of the same blocks of the weight.
    ///
    /// # Errors
    /// [`KernelError::Length`] if `blocks` are not blocks of the weight or a slice has not their length.
    pub fn pack_forward(
        &self,
        blocks: Range<usize>,
        weight: &[f32],
        packed: &mut [f32],
    ) -> Result<(), KernelError> {
        let expected = self.blocks_len(&blocks)?;
        check_len("weight", weight.len(), expected)?;
        check_len("forward weight", packed.len(), expected)?;
        if expected > 0 {
            dispatch!(self.isa, |s| transpose(s, self.order(), blocks, weight, packed));
        }
        Ok(())
    }

    /// Elements of some blocks of the weight.
    pub(super) fn blocks_len(&self, blocks: &Range<usize>) -> Result<usize, KernelError> {
        let count = self.blocks();
        check_len("blocks of the weight", blocks.end.max(count), count)?;
        let inputs = self.order().inputs;
        let [start, end] = [blocks.start.min(blocks.end), blocks.end].map(|block| inputs.piece(block).start);
        Ok((end - start).saturating_mul(self.out_stride))
    }

    /// Calls `visit` with where each weight stands in PyTorch's order and in that of the backward pass.
    fn for_each_weight(&self, mut visit: impl FnMut(usize, usize)) {
        let (order, inputs) = (self.order(), 0..self.in_features);
        let rows: Vec<usize> = match self.image {
            Some(image) => inputs.map(|input| row(image, input)).collect(),
            None => inputs.collect(),
        };
        for output in 0..self.out_features {
            for (input, &row) in rows.iter().enumerate() {
                visit(output * self.in_features + input, order.at(row, output));
            }
        }
    }

    fn check_weights(&self, plain: usize, packed: usize) -> Result<(), KernelError> {
        check_len("weight", plain, self.in_features.saturating_mul(self.out_features))?;
        check_len("packed weight", packed, self.weight_len())
    }
}

/// Where an input feature, in PyTorch's order, stands in an image.
fn row(image: Blocked, feature: usize) -> usize {
    let (channel, pixel) = (feature / image.pixels(), feature % image.pixels());
    image.at(channel / LANES, pixel / image.width, pixel % image.width) + channel % LANES
}
