//! What a plan does with the gradients of a batch.

use rayon::prelude::*;

use super::Plan;
use super::step::{Contributions, Rule};
use crate::error::ModelError;

impl Plan {
    /// Moves all parameters against the gradients of the last [`Plan::train`].
    pub(crate) fn update(&mut self, rule: Rule) -> Result<(), ModelError> {
        let (chunks, buffers) = (&self.chunks, &self.buffers);
        self.steps.par_iter_mut().enumerate().try_for_each(|(step, node)| {
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
            let batch = Contributions { chunks: &self.chunks, step, x, y, buffers: &self.buffers };
            all.extend(node.parameters.clone().zip(node.step.gradients(batch)?));
        }
        Ok(all)
    }
}
