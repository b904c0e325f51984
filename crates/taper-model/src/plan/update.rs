//! What a plan does with the gradients of a batch.

use rayon::prelude::*;
use taper_kernels::KernelError;

use super::chunk::{Buffer, Chunk};
use super::step::{Contributions, Job, Rule};
use super::team::run;
use super::{Node, Plan};
use crate::error::ModelError;

impl Plan {
    /// What the chunks of the last [`Plan::train`] say about a step's parameters.
    fn contributions(&self, step: usize) -> Contributions<'_> {
        let in_tail = self.tail.as_ref().is_some_and(|tail| step >= tail.first);
        let chunks = if in_tail { &self.tails } else { &self.chunks };
        let node = &self.steps[step];
        Contributions { chunks, step, x: node.inputs[0], y: node.output, buffers: &self.buffers }
    }

    /// Moves all parameters against the gradients of the last [`Plan::train`].
    pub(crate) fn update(&mut self, rule: Rule) -> Result<(), ModelError> {
        let first = self.tail_start();
        let (before, tail) = self.steps.split_at_mut(first);
        let mut jobs = update_jobs(before, 0, &self.chunks, &self.buffers, rule)?;
        jobs.extend(update_jobs(tail, first, &self.tails, &self.buffers, rule)?);
        Ok(run(jobs)?)
    }

    /// Moves all parameters against gradients in the order of [`Plan::write_gradients`], and the running statistics towards
    /// those in the order of [`Plan::statistics`].
    pub(crate) fn update_by(
        &mut self,
        mut gradients: &[f32],
        mut statistics: &[f64],
        rule: Rule,
    ) -> Result<(), ModelError> {
        let mut shares = Vec::with_capacity(self.steps.len());
        for node in &self.steps {
            let seen = node.step.barrier().map_or(0, |barrier| barrier.statistics_len());
            shares.push((
                split_off(&mut gradients, node.step.gradient_len()),
                split_off(&mut statistics, seen),
            ));
        }
        self.steps.par_iter_mut().zip(shares).try_for_each(|(node, (gradient, statistics))| {
            if let Some(barrier) = node.step.barrier_mut() {
                barrier.move_statistics(statistics);
            }
            node.step.update_by(gradient, rule)
        })?;
        Ok(())
    }

    /// Elements of the gradients of all parameters, in the steps' own orders.
    pub(crate) fn gradient_len(&self) -> usize {
        self.steps.iter().map(|node| node.step.gradient_len()).sum()
    }

    /// Fills `gradients` with those of the last [`Plan::train`], step after step, in the steps' own orders.
    pub(crate) fn write_gradients(&self, mut gradients: &mut [f32]) -> Result<(), ModelError> {
        let mut shares = Vec::with_capacity(self.steps.len());
        for node in &self.steps {
            let (own, rest) = gradients.split_at_mut(node.step.gradient_len());
            shares.push(own);
            gradients = rest;
        }
        self.steps
            .par_iter()
            .zip(shares)
            .enumerate()
            .try_for_each(|(step, (node, own))| node.step.gradient(self.contributions(step), own))?;
        Ok(())
    }

    /// What [`Plan::write_gradients`] wrote, in PyTorch's layouts, each with its place among the graph's parameters.
    pub(crate) fn unpack_gradients(
        &self,
        mut gradients: &[f32],
    ) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let mut all = Vec::new();
        for node in &self.steps {
            let own = split_off(&mut gradients, node.step.gradient_len());
            all.extend(node.parameters.clone().zip(node.step.unpack_gradient(own)?));
        }
        Ok(all)
    }

    /// The gradients of the last [`Plan::train`], as [`Plan::unpack_gradients`] gives them.
    pub(crate) fn gradients(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let mut gradients = vec![0.0; self.gradient_len()];
        self.write_gradients(&mut gradients)?;
        self.unpack_gradients(&gradients)
    }

    /// How many numbers [`Plan::statistics`] gives.
    pub(crate) fn statistics_len(&self) -> usize {
        self.steps.iter().filter_map(|node| node.step.barrier()).map(|barrier| barrier.statistics_len()).sum()
    }

    /// What the batch norms saw in the last [`Plan::train`].
    pub(crate) fn statistics(&self) -> impl Iterator<Item = f64> {
        self.steps.iter().filter_map(|node| node.step.barrier()).flat_map(|barrier| barrier.statistics())
    }
}

/// What moves the parameters of neighbouring steps, of which the first is number `first`, against the gradients that `chunks`
/// have; running statistics are moved at once.
pub(super) fn update_jobs<'a>(
    steps: &'a mut [Node],
    first: usize,
    chunks: &'a [Chunk],
    buffers: &'a [Buffer],
    rule: Rule,
) -> Result<Vec<Job<'a>>, KernelError> {
    let mut jobs = Vec::new();
    for (step, node) in (first..).zip(steps) {
        if let Some(barrier) = node.step.barrier_mut() {
            let statistics = barrier.statistics();
            barrier.move_statistics(&statistics);
        }
        let batch = Contributions { chunks, step, x: node.inputs[0], y: node.output, buffers };
        jobs.extend(node.step.update(batch, rule)?);
    }
    Ok(jobs)
}

/// Takes the first `len` elements off.
fn split_off<'a, T>(values: &mut &'a [T], len: usize) -> &'a [T] {
    let (own, rest) = values.split_at(len);
    *values = rest;
    own
}
