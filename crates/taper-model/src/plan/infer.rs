//! Forward through a plan that was compiled for evaluation.

use rayon::prelude::*;

use super::chunk::Chunk;
use super::step::{Call, InParts, Inputs, Outcome, Scratch};
use super::tail::Tail;
use super::{Node, Plan};
use crate::error::ModelError;

/// Images that inference works on at a time on one thread: enough to read the weights of large layers rarely.
const INFERENCE_IMAGES: usize = 50;

/// Images of what a thread takes at a time of the work before a plan's tail: few, so that nobody waits long for the last; more
/// where a step wants more.
const PIECE_IMAGES: usize = 5;

/// Multiply-adds of a step for one image from which on its parts are worth a second thread: some microseconds of work.
const SHARED_MACS: u64 = 100_000;

impl Plan {
    /// Logits `[N, classes]` of images `[N, C, H, W]`.
    pub(crate) fn infer(&self, images: &[f32], logits: &mut [f32]) -> Result<(), ModelError> {
        let (len, classes, threads) = (self.input_len(), self.classes(), rayon::current_num_threads());
        let count = images.len() / len;
        // What an image gives does not depend on those beside it, nor on who computes which part of it, so this may
        // depend on the number of threads.
        if count < threads {
            let each = logits.par_chunks_mut(classes).zip(images.par_chunks(len)).with_max_len(1);
            return Ok(each.try_for_each(|(logits, image)| self.infer_together(image, logits))?);
        }
        // Within the pool, so that its threads are woken once.
        let mut outcome = Ok(());
        rayon::scope(|_| {
            let few = threads > 1 && count <= threads * INFERENCE_IMAGES;
            outcome = match (&self.tail, self.piece()) {
                (Some(tail), Some(piece)) if few => self.infer_evenly(tail, piece, images, logits),
                _ => self.infer_shares(images, logits),
            };
        });
        Ok(outcome?)
    }

    /// Shares of the images, each on the first thread that is free.
    fn infer_shares(&self, images: &[f32], logits: &mut [f32]) -> Outcome {
        let share = self.share(images);
        let images = images.par_chunks(share * self.input_len());
        let shares = images.zip(logits.par_chunks_mut(share * self.classes())).with_max_len(1);
        shares.try_for_each(|(images, logits)| {
            self.with_images(images, [true, true], |chunk, scratch| {
                self.forward_before_tail(chunk, scratch)?;
                self.tail.iter().try_for_each(|tail| self.forward(&tail.phase, None, chunk, scratch))?;
                self.read_output(chunk, logits)
            })
        })
    }

    /// How many images to work on at a time before the tail; `None` if a step there wants as many as there can be.
    fn piece(&self) -> Option<usize> {
        let wanted = self.steps[..self.tail_start()].iter().map(|node| node.step.images()).max();
        wanted.map_or(Some(PIECE_IMAGES), |most| (most < INFERENCE_IMAGES).then_some(most.max(PIECE_IMAGES)))
    }

    /// A share for each thread, but of the tail only: where all have one share, all wait for the slowest.
    fn infer_evenly(&self, tail: &Tail, piece: usize, images: &[f32], logits: &mut [f32]) -> Outcome {
        let (len, share) = (self.input_len(), self.share(images));
        let tails = images.chunks(share * len).map(|own| self.borrow_chunk(own.len() / len, [false, true]));
        let mut tails: Vec<Chunk> = tails.collect();
        let outcome = self.fill_tails(tail, piece, images, &mut tails).and_then(|()| {
            let logits = logits.par_chunks_mut(share * self.classes());
            tails.par_iter_mut().zip(logits).with_max_len(1).try_for_each(|(chunk, logits)| {
                let mut scratch = self.borrow_scratch();
                let outcome = self.forward(&tail.phase, None, chunk, &mut scratch);
                self.return_scratch(scratch);
                outcome.and_then(|()| self.read_output(chunk, logits))
            })
        });
        tails.into_iter().for_each(|chunk| self.return_chunk(chunk));
        outcome
    }

    /// How many images to work on at a time on each thread.
    fn share(&self, images: &[f32]) -> usize {
        let count = images.len() / self.input_len();
        count.div_ceil(rayon::current_num_threads()).clamp(1, INFERENCE_IMAGES)
    }

    /// What stands before the tail, whose chunks take the images in order; whoever is free does the next few images.
    fn fill_tails(&self, tail: &Tail, piece: usize, images: &[f32], tails: &mut [Chunk]) -> Outcome {
        let (len, row) = (self.input_len(), self.buffers[tail.input].layout.image());
        let (mut rest, mut pieces) = (images, Vec::new());
        for chunk in tails {
            let (images, others) = rest.split_at(chunk.images * len);
            let rows = chunk.values[tail.input][..chunk.images * row].chunks_mut(piece * row);
            pieces.extend(images.chunks(piece * len).zip(rows));
            rest = others;
        }
        pieces.into_par_iter().with_max_len(1).try_for_each(|(images, rows)| {
            self.with_images(images, [true, false], |chunk, scratch| {
                self.forward_before_tail(chunk, scratch)?;
                rows.copy_from_slice(&chunk.values[tail.input][..rows.len()]);
                Ok(())
            })
        })
    }

    /// Lets `work` run on a chunk that holds images and has the buffers of the parts of the plan that are named.
    fn with_images(
        &self,
        images: &[f32],
        parts: [bool; 2],
        work: impl FnOnce(&mut Chunk, &mut Scratch) -> Outcome,
    ) -> Outcome {
        let count = images.len() / self.input_len();
        let (mut scratch, mut chunk) = (self.borrow_scratch(), self.borrow_chunk(count, parts));
        let layout = self.buffers[0].layout;
        let packed = layout.pack(images, &mut chunk.values[0][..count * layout.image()]);
        let outcome = packed.and_then(|()| work(&mut chunk, &mut scratch));
        self.return_chunk(chunk);
        self.return_scratch(scratch);
        outcome
    }

    fn forward_before_tail(&self, chunk: &mut Chunk, scratch: &mut Scratch) -> Outcome {
        self.phases.iter().try_for_each(|phase| self.forward(phase, None, chunk, scratch))
    }

    fn read_output(&self, chunk: &Chunk, logits: &mut [f32]) -> Outcome {
        let layout = self.buffers[self.output].layout;
        layout.unpack(&chunk.values[self.output][..chunk.images * layout.image()], logits)
    }

    /// One image, of whose steps threads that have none of their own do a share.
    fn infer_together(&self, image: &[f32], logits: &mut [f32]) -> Outcome {
        self.with_images(image, [true, true], |chunk, scratch| {
            let phases = self.phases.iter().chain(self.tail.as_ref().map(|tail| &tail.phase));
            let steps = phases.flat_map(|phase| &phase.runs).flat_map(|run| run.steps.clone());
            steps.into_iter().try_for_each(|step| self.step_together(&self.steps[step], chunk, scratch))?;
            self.read_output(chunk, logits)
        })
    }

    /// One step for one image, its parts shared out to the threads where there is enough to do.
    fn step_together(&self, node: &Node, chunk: &mut Chunk, scratch: &mut Scratch) -> Outcome {
        let mut y = std::mem::take(&mut chunk.values[node.output]);
        let images = 0..1;
        let x = Inputs { values: &chunk.values, buffers: &self.buffers, ids: &node.inputs, images: &images };
        let own = &mut y[self.buffers[node.output].range(&images)];
        let step = &node.step;
        let worth_it = node.macs >= SHARED_MACS && rayon::current_num_threads() > 1;
        let outcome = match step.in_parts().filter(|_| worth_it) {
            None => step.forward(&mut Call { images: 1, first: 0, dropout: None, scratch }, x, own, &mut []),
            Some(step) => self.share_parts(step, x, own),
        };
        chunk.values[node.output] = y;
        outcome
    }

    fn share_parts(&self, step: &dyn InParts, x: Inputs<'_>, y: &mut [f32]) -> Outcome {
        let parts = step.parts();
        let shares = rayon::current_num_threads().min(parts);
        let (mut rest, mut work) = (y, Vec::with_capacity(shares));
        for share in 0..shares {
            let parts = share * parts / shares..(share + 1) * parts / shares;
            let len = step.part_start(parts.end) - step.part_start(parts.start);
            let (own, others) = rest.split_at_mut(len);
            work.push((parts, own));
            rest = others;
        }
        work.into_par_iter().with_max_len(1).try_for_each(|(parts, y)| {
            let mut scratch = self.borrow_scratch();
            let mut call = Call { images: 1, first: 0, dropout: None, scratch: &mut scratch };
            let outcome = step.forward_parts(parts, &mut call, x, y);
            self.return_scratch(scratch);
            outcome
        })
    }
}
