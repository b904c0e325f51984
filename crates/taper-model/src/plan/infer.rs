//! Forward through a plan that was compiled for evaluation.

use rayon::prelude::*;

use super::Plan;
use super::chunk::Chunk;
use super::step::{Outcome, Scratch};
use crate::error::ModelError;

/// Images that inference works on at a time on one thread: enough to read the weights of large layers rarely.
const INFERENCE_IMAGES: usize = 50;

impl Plan {
    /// Logits `[N, classes]` of images `[N, C, H, W]`.
    pub(crate) fn infer(&self, images: &[f32], logits: &mut [f32]) -> Result<(), ModelError> {
        let (len, classes) = (self.input_len(), self.classes());
        let count = images.len() / len;
        // What an image gives does not depend on those beside it, so this may depend on the number of threads.
        let share = count.div_ceil(rayon::current_num_threads()).clamp(1, INFERENCE_IMAGES);
        let shares = logits.par_chunks_mut(share * classes).zip(images.par_chunks(share * len));
        shares.with_max_len(1).try_for_each(|(logits, images)| {
            let mut scratch = self.borrow_scratch();
            let mut chunk = self.borrow_chunk(images.len() / len);
            let outcome = self.infer_chunk(images, &mut chunk, &mut scratch, logits);
            self.return_chunk(chunk);
            self.return_scratch(scratch);
            outcome
        })?;
        Ok(())
    }

    fn infer_chunk(
        &self,
        images: &[f32],
        chunk: &mut Chunk,
        scratch: &mut Scratch,
        logits: &mut [f32],
    ) -> Outcome {
        let own = chunk.images * self.buffers[0].layout.image();
        self.buffers[0].layout.pack(images, &mut chunk.values[0][..own])?;
        for phase in &self.phases {
            self.forward(phase, None, chunk, scratch)?;
        }
        let layout = self.buffers[self.output].layout;
        layout.unpack(&chunk.values[self.output][..chunk.images * layout.image()], logits)
    }
}
