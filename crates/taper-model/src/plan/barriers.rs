//! What the chunks of a batch must agree on before they can go on: the statistics of batch norm.

use super::Plan;
use super::chunk::Chunk;
use super::step::{Inputs, Outcome};

impl Plan {
    /// What the barrier at the start of `phase` must see of this chunk before the forward pass.
    pub(super) fn observe(&self, phase: usize, chunk: &mut Chunk) -> Outcome {
        let Some(step) = self.phases[phase].barrier else { return Ok(()) };
        let Some(barrier) = self.steps[step].step.barrier() else { return Ok(()) };
        let images = 0..chunk.images;
        let mut observed = std::mem::take(&mut chunk.observed[step]);
        let ids = &self.steps[step].inputs;
        let x = Inputs { values: &chunk.values, buffers: &self.buffers, ids, images: &images };
        let outcome = barrier.observe(chunk.images, x, &mut observed);
        chunk.observed[step] = observed;
        outcome
    }

    /// The same before the backward pass.
    pub(super) fn observe_backward(&self, step: usize, chunk: &mut Chunk) -> Outcome {
        let Some(barrier) = self.steps[step].step.barrier() else { return Ok(()) };
        let images = 0..chunk.images;
        let mut observed = std::mem::take(&mut chunk.observed[step]);
        let output = self.steps[step].output;
        let dy = &chunk.gradients[output][self.buffers[output].gradient_range(&images)];
        let forward = self.forward_of(step, &images, chunk);
        let outcome = barrier.observe_backward(chunk.images, forward, dy, &mut observed);
        chunk.observed[step] = observed;
        outcome
    }

    /// Lets the barrier at the start of `phase`, if there is one, bring together what the chunks saw.
    pub(super) fn agree(&mut self, phase: usize, chunks: &[Chunk], backward: bool) -> Outcome {
        let Some(step) = self.phases.get(phase).and_then(|phase| phase.barrier) else { return Ok(()) };
        let Some(barrier) = self.steps[step].step.barrier_mut() else { return Ok(()) };
        let seen: Vec<(usize, &[f64])> =
            chunks.iter().map(|chunk| (chunk.images, &chunk.observed[step][..])).collect();
        if backward { barrier.agree_backward(&seen) } else { barrier.agree(&seen) }
    }
}
