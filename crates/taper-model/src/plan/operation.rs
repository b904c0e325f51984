//! A plan as one operation of a larger computation, from which its inputs and the gradients of its outputs come.

use std::ops::Range;

use rayon::prelude::*;
use taper_graph::Graph;
use taper_kernels::{DropoutKey, KernelError};

use super::chunk::Chunk;
use super::train::Batch;
use super::{Plan, Purpose, build};
use crate::error::ModelError;
use crate::isa::isa;

/// What is around an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Around {
    /// Whether there will be a backward pass.
    pub(crate) training: bool,
    /// Whether what stands before wants a gradient.
    pub(crate) input_gradient: bool,
    /// The number of the dropout layer, if the operation has one.
    pub(crate) dropout_layer: u32,
}

impl Plan {
    /// Compiles a graph without batch norm as an operation.
    pub(crate) fn operation(graph: &Graph, around: Around) -> Result<Self, ModelError> {
        let purpose = if around.training { Purpose::Training } else { Purpose::Inference };
        build::build(graph, purpose, Some(around), isa()?)
    }

    /// Fills `y` `[N, …]` from `images` images `x` `[N, …]`; a key of dropout says that it is for training.
    pub(crate) fn apply(
        &mut self,
        images: usize,
        x: &[f32],
        dropout: Option<DropoutKey>,
        y: &mut [f32],
    ) -> Result<(), ModelError> {
        let mut chunks = std::mem::take(&mut self.chunks);
        self.prepare(&mut chunks, 0, images);
        let outcome = self.apply_chunks(&mut chunks, x, dropout, y);
        self.chunks = chunks;
        Ok(outcome?)
    }

    fn apply_chunks(
        &self,
        chunks: &mut [Chunk],
        x: &[f32],
        dropout: Option<DropoutKey>,
        y: &mut [f32],
    ) -> Result<(), KernelError> {
        let (input, output) = (self.buffers[0].layout, self.buffers[self.output].layout);
        let (x_len, y_len) = (self.input_len(), output.channels * output.pixels());
        let shares = shares_mut(chunks, y, y_len);
        chunks.par_iter_mut().zip(shares).with_max_len(1).try_for_each(|(chunk, y)| {
            let mut scratch = self.borrow_scratch();
            input.pack(share(chunk, x, x_len), &mut chunk.values[0][..chunk.images * input.image()])?;
            self.phases.iter().try_for_each(|phase| self.forward(phase, dropout, chunk, &mut scratch))?;
            self.return_scratch(scratch);
            output.unpack(&chunk.values[self.output][..chunk.images * output.image()], y)
        })
    }

    /// The backward pass of the last [`Plan::apply`]: fills `dx` and gives the gradients of all parameters, in PyTorch's
    /// layouts and the graph's order.
    pub(crate) fn differentiate(
        &mut self,
        dropout: DropoutKey,
        dy: &[f32],
        dx: Option<&mut [f32]>,
    ) -> Result<Vec<Vec<f32>>, ModelError> {
        let mut chunks = std::mem::take(&mut self.chunks);
        let outcome = self.differentiate_chunks(&mut chunks, dropout, dy, dx);
        self.chunks = chunks;
        outcome?;
        let mut gradients = self.gradients()?;
        gradients.sort_by_key(|(index, _)| *index);
        Ok(gradients.into_iter().map(|(_, gradient)| gradient).collect())
    }

    fn differentiate_chunks(
        &self,
        chunks: &mut [Chunk],
        dropout: DropoutKey,
        dy: &[f32],
        dx: Option<&mut [f32]>,
    ) -> Result<(), KernelError> {
        let (input, output) = (self.buffers[0].layout.with_halo(0), self.buffers[self.output].layout);
        let (plain, x_len, y_len) =
            (output.with_halo(0), self.input_len(), output.channels * output.pixels());
        let shares: Vec<Option<&mut [f32]>> = match dx {
            Some(dx) => shares_mut(chunks, dx, x_len).into_iter().map(Some).collect(),
            None => chunks.iter().map(|_| None).collect(),
        };
        let batch = Batch { images: &[], labels: &[], first: 0, whole: 0, label_smoothing: 0.0, dropout };
        chunks.par_iter_mut().zip(shares).with_max_len(1).try_for_each(|(chunk, dx)| {
            let mut scratch = self.borrow_scratch();
            chunk.sums.iter_mut().for_each(super::chunk::Sums::clear);
            let own = chunk.images * plain.image();
            plain.pack(share(chunk, dy, y_len), &mut chunk.gradients[self.output][..own])?;
            for phase in (0..self.phases.len()).rev() {
                self.backward_phase(phase, &batch, chunk, &mut scratch)?;
            }
            self.return_scratch(scratch);
            match dx {
                Some(dx) => input.unpack(&chunk.gradients[0][..chunk.images * input.image()], dx),
                None => Ok(()),
            }
        })
    }
}

/// What of all images' values, `len` for each, is a chunk's.
fn share<'a>(chunk: &Chunk, values: &'a [f32], len: usize) -> &'a [f32] {
    let Range { start, end } = chunk.range();
    &values[start * len..end * len]
}

/// [`share`] for each of the chunks, which follow each other.
fn shares_mut<'a>(chunks: &[Chunk], mut values: &'a mut [f32], len: usize) -> Vec<&'a mut [f32]> {
    let split = |chunk: &Chunk| {
        let (own, rest) = std::mem::take(&mut values).split_at_mut(chunk.images * len);
        values = rest;
        own
    };
    chunks.iter().map(split).collect()
}
