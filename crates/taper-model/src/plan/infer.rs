//! Forward through a plan that was compiled for evaluation.

use rayon::prelude::*;

use super::chunk::Chunk;
use super::step::{Call, InParts, Inputs, Outcome, Scratch};
use super::{Node, Plan};
use crate::error::ModelError;

/// Images that inference works on at a time on one thread: enough to read the weights of large layers rarely.
const INFERENCE_IMAGES: usize = 50;

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
        let share = count.div_ceil(threads).clamp(1, INFERENCE_IMAGES);
        let shares = logits.par_chunks_mut(share * classes).zip(images.par_chunks(share * len));
        shares.with_max_len(1).try_for_each(|(logits, images)| {
            self.infer_chunk(images, logits, |chunk, scratch| {
                self.phases.iter().try_for_each(|phase| self.forward(phase, None, chunk, scratch))
            })
        })?;
        Ok(())
    }

    /// From images to their logits; `forward` runs the steps.
    fn infer_chunk(
        &self,
        images: &[f32],
        logits: &mut [f32],
        forward: impl FnOnce(&mut Chunk, &mut Scratch) -> Outcome,
    ) -> Outcome {
        let (mut scratch, mut chunk) =
            (self.borrow_scratch(), self.borrow_chunk(images.len() / self.input_len()));
        let [input, output] = [0, self.output].map(|buffer| self.buffers[buffer].layout);
        let own = |layout: taper_kernels::blocked::Blocked| chunk.images * layout.image();
        let [input_len, output_len] = [input, output].map(own);
        let packed = input.pack(images, &mut chunk.values[0][..input_len]);
        let outcome = packed
            .and_then(|()| forward(&mut chunk, &mut scratch))
            .and_then(|()| output.unpack(&chunk.values[self.output][..output_len], logits));
        self.return_chunk(chunk);
        self.return_scratch(scratch);
        outcome
    }

    /// One image, of whose steps threads that have none of their own do a share.
    fn infer_together(&self, image: &[f32], logits: &mut [f32]) -> Outcome {
        self.infer_chunk(image, logits, |chunk, scratch| {
            let runs = self.phases.iter().flat_map(|phase| &phase.runs);
            runs.flat_map(|run| run.steps.clone())
                .try_for_each(|step| self.step_together(&self.steps[step], chunk, scratch))
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
