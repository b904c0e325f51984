//! What a plan does with the gradients of a batch.

use rayon::prelude::*;

use super::Plan;
use super::step::{Contributions, Rule};
use crate::error::ModelError;

impl Plan {
    /// Moves all parameters against the gradients of the last [`Plan::train`].
    pub(crate) fn update(&mut self, rule: Rule) -> Result<(), ModelError> {
        let (buffers, tail) = (&self.buffers, self.tail.as_ref().map(|tail| tail.first));
        let (chunks, tails) = (&self.chunks, &self.tails);
        self.steps.par_iter_mut().enumerate().try_for_each(|(step, node)| {
            let chunks = if tail.is_some_and(|first| step >= first) { tails } else { chunks };
            if let Some(barrier) = node.step.barrier_mut() {
                barrier.move_statistics();
            }
            let (x, y) = (node.inputs[0], node.output);
            node.step.update(Contributions { chunks, step, x, y, buffers }, rule)
        })?;
        Ok(())
    }

    /// The gradients of the last [`Plan::train`], in PyTorch's layouts, each with its place among the graph's parameters.
    pub(crate) fn gradients(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let mut all = Vec::new();
        for (step, node) in self.steps.iter().enumerate() {
            let (x, y) = (node.inputs[0], node.output);
            let in_tail = self.tail.as_ref().is_some_and(|tail| step >= tail.first);
            let chunks = if in_tail { &self.tails } else { &self.chunks };
            let batch = Contributions { chunks, step, x, y, buffers: &self.buffers };
            all.extend(node.parameters.clone().zip(node.step.gradients(batch)?));
        }
        Ok(all)
    }
}
