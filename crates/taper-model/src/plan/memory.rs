//! The buffers of a plan, which are made once and grow when a batch is larger than any before.

use std::sync::{Mutex, PoisonError};

use taper_kernels::Aligned;

use super::chunk::{Chunk, Sums};
use super::step::Scratch;
use super::{Plan, Purpose};

/// Chunks of a batch: eight for 100 images, which gives enough tasks for a few threads and keeps the sums over weights,
/// of which every chunk has its own, few. A function of the batch alone, as the order of additions is.
fn chunk_count(batch: usize) -> usize {
    batch.div_ceil(13).clamp(4, 16).min(batch)
}

impl Plan {
    /// Cuts `images` images, of which the first is number `first`, into chunks with all of their buffers.
    pub(super) fn prepare(&mut self, chunks: &mut Vec<Chunk>, first: usize, images: usize) {
        let count = chunk_count(images);
        while chunks.len() > count {
            self.idle.get_mut().unwrap_or_else(PoisonError::into_inner).extend(chunks.pop());
        }
        while chunks.len() < count {
            chunks.push(pop(&self.idle));
        }
        for (number, chunk) in chunks.iter_mut().enumerate() {
            // Even shares, so that no thread waits for one that has the larger.
            let [start, end] = [number, number + 1].map(|number| number * images / count);
            chunk.first = first + start;
            self.make_room(chunk, end - start, false);
            chunk.parts = vec![chunk.images];
        }
    }

    /// Makes the buffers of a chunk, or of one of the tail's, large enough for `images`. A value's halo, and its channels
    /// beyond the last, are zero from the start, and nothing is ever written to them.
    pub(super) fn make_room(&self, chunk: &mut Chunk, images: usize, in_tail: bool) {
        chunk.images = images;
        chunk.values.resize_with(self.buffers.len(), Aligned::default);
        chunk.gradients.resize_with(self.buffers.len(), Aligned::default);
        chunk.saved.resize_with(self.steps.len(), Vec::new);
        chunk.sums.resize_with(self.steps.len(), Sums::default);
        chunk.observed.resize_with(self.steps.len(), Vec::new);
        let held = self.buffers.iter().enumerate().filter(|(id, _)| self.holds(*id, in_tail));
        for (id, buffer) in held {
            let held = if buffer.transient { images.min(self.transient_images) } else { images };
            chunk.values[id].grow(held * buffer.layout.image());
            if buffer.gradient && self.purpose == Purpose::Training {
                let held = if buffer.passing { images.min(self.transient_images) } else { images };
                chunk.gradients[id].grow(held * buffer.gradient_len());
            }
        }
        for (step, (saved, node)) in chunk.saved.iter_mut().zip(&self.steps).enumerate() {
            if self.purpose == Purpose::Training && self.runs(step, in_tail) {
                let len = images * node.step.saved_len();
                saved.resize(len.max(saved.len()), 0);
            }
        }
        chunk.sums.iter_mut().for_each(Sums::clear);
    }

    pub(super) fn borrow_scratch(&self) -> Scratch {
        pop(&self.scratch)
    }

    pub(super) fn return_scratch(&self, scratch: Scratch) {
        push(&self.scratch, scratch);
    }

    /// A chunk with the buffers of the parts of the plan that it is to run: what stands before the tail, the tail.
    pub(super) fn borrow_chunk(&self, images: usize, [before, tail]: [bool; 2]) -> Chunk {
        let mut chunk = pop(&self.idle);
        for (in_tail, _) in [(false, before), (true, tail)].into_iter().filter(|(_, wanted)| *wanted) {
            self.make_room(&mut chunk, images, in_tail);
        }
        chunk
    }

    pub(super) fn return_chunk(&self, chunk: Chunk) {
        push(&self.idle, chunk);
    }
}

/// What a thread that panicked left is as good as any: its next user overwrites it.
fn pop<T: Default>(idle: &Mutex<Vec<T>>) -> T {
    idle.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
}

fn push<T>(idle: &Mutex<Vec<T>>, item: T) {
    idle.lock().unwrap_or_else(PoisonError::into_inner).push(item);
}
