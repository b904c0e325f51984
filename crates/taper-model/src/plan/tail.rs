//! The fully connected layers at the end of a network: their weights are large, so that each thread should read them once for
//! all images that are its share, and not again for every chunk.

use std::ops::Range;

use rayon::prelude::*;

use super::chunk::Chunk;
use super::step::Outcome;
use super::train::Batch;
use super::{Node, Phase, Plan};

/// The last steps of a plan, from the first of its last linear layers on.
#[derive(Debug)]
pub(super) struct Tail {
    /// The first step.
    pub(super) first: usize,
    /// The buffer that it reads, of which tails and chunks have a copy each.
    pub(super) input: usize,
    pub(super) phase: Phase,
}

/// The steps of a plan by when a training step has completed their gradients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The tail, or all steps if there is none: by [`Plan::train_early`].
    Early,
    /// Those before the tail: by [`Plan::train_late`].
    Late,
}

impl Part {
    /// Both, in the order in which they are completed.
    pub(crate) const ALL: [Self; 2] = [Self::Early, Self::Late];
}

/// Where the tail starts, if there is one: at a linear layer behind which nothing is summed up by chunks, and which alone
/// reads what stands before it.
pub(super) fn start(steps: &[Node]) -> Option<usize> {
    let free = steps.iter().rev().take_while(|node| node.step.is_free_of_chunks()).count();
    let mut candidates = steps.len() - free..steps.len();
    let start = candidates.find(|&step| steps[step].step.parameter_len() > 0)?;
    let (before, tail) = steps.split_at(start);
    let made_before = |input: &usize| before.iter().any(|node| node.output == *input) || *input == 0;
    let crossing = tail.iter().flat_map(|node| &node.inputs).filter(|input| made_before(input));
    let input = tail[0].inputs[0];
    (crossing.count() == 1 && made_before(&input)).then_some(start)
}

impl Plan {
    /// The steps of a part.
    pub(super) fn steps_of(&self, part: Part) -> Range<usize> {
        let first = self.tail.as_ref().map_or(0, |tail| tail.first);
        match part {
            Part::Early => first..self.steps.len(),
            Part::Late => 0..first,
        }
    }

    /// Whether the chunks of the tail, or the others, need a buffer.
    pub(super) fn holds(&self, buffer: usize, in_tail: bool) -> bool {
        let made = self.steps.iter().position(|node| node.output == buffer);
        // The first buffer is made by no step: it holds the images.
        self.runs(made.unwrap_or(0), in_tail) || self.tail.as_ref().is_some_and(|tail| buffer == tail.input)
    }

    /// The first step of the tail, or the number of steps if there is none.
    pub(super) fn tail_start(&self) -> usize {
        self.tail.as_ref().map_or(self.steps.len(), |tail| tail.first)
    }

    /// Whether the chunks of the tail, or the others, run a step.
    pub(super) fn runs(&self, step: usize, in_tail: bool) -> bool {
        (step >= self.tail_start()) == in_tail
    }

    /// Brings together neighbouring chunks, a share for every thread. No result depends on how many there are, as long as
    /// the weights are finite.
    pub(super) fn prepare_tails(&self, tails: &mut Vec<Chunk>, chunks: &[Chunk]) {
        let count = rayon::current_num_threads().min(chunks.len());
        tails.resize_with(count, Chunk::default);
        for (number, tail) in tails.iter_mut().enumerate() {
            let own = &chunks[number * chunks.len() / count..(number + 1) * chunks.len() / count];
            tail.first = own.first().map_or(0, |chunk| chunk.first);
            tail.parts = own.iter().map(|chunk| chunk.images).collect();
            self.make_room(tail, own.iter().map(|chunk| chunk.images).sum(), true);
        }
    }

    /// Forward, loss and backward of all steps of the tail; `chunks` have run what stands before it.
    pub(super) fn train_tails(&self, batch: &Batch<'_>, chunks: &[Chunk], tails: &mut [Chunk]) -> Outcome {
        let Some(tail) = &self.tail else { return Ok(()) };
        self.for_each(tails, |plan, own, scratch| {
            let len = plan.buffers[tail.input].layout.image();
            let images = own.range();
            for chunk in chunks.iter().filter(|chunk| images.contains(&chunk.first)) {
                let start = (chunk.first - images.start) * len;
                let values = &chunk.values[tail.input][..chunk.images * len];
                own.values[tail.input][start..start + values.len()].copy_from_slice(values);
            }
            plan.forward(&tail.phase, Some(batch.dropout), own, scratch)?;
            plan.loss(batch, own)?;
            plan.backward(&tail.phase.runs, None, batch, own, scratch)
        })
    }

    /// Hands the gradient of what the tail reads back to the chunks.
    pub(super) fn leave_tails(&self, chunks: &mut [Chunk], tails: &[Chunk]) {
        let Some(tail) = self.tail.as_ref().filter(|tail| self.buffers[tail.input].gradient) else { return };
        let len = self.buffers[tail.input].gradient_len();
        chunks.par_iter_mut().with_max_len(1).for_each(|chunk| {
            let Some(own) = tails.iter().find(|own| own.range().contains(&chunk.first)) else { return };
            let start = (chunk.first - own.first) * len;
            let gradient = &own.gradients[tail.input][start..start + chunk.images * len];
            chunk.gradients[tail.input][..gradient.len()].copy_from_slice(gradient);
        });
    }
}
