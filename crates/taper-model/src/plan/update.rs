//! What a plan does with the gradients of a batch.

use rayon::prelude::*;
use taper_kernels::KernelError;

use super::chunk::{Buffer, Chunk};
use super::step::{Contributions, Job, Rule};
use super::team::run;
use super::{Node, Part, Plan};
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

    /// Moves all parameters against gradients, those of each [`Part`] in the order of [`Plan::write_gradients`], and the
    /// running statistics towards those in the order of [`Plan::statistics`].
    pub(crate) fn update_by(
        &mut self,
        gradients: [&[f32]; 2],
        mut statistics: &[f64],
        rule: Rule,
    ) -> Result<(), ModelError> {
        let gradients = self.by_step(gradients);
        let seen = |node: &Node| node.step.barrier().map_or(0, |barrier| barrier.statistics_len());
        let statistics: Vec<_> =
            self.steps.iter().map(|node| split_off(&mut statistics, seen(node))).collect();
        let steps = self.steps.par_iter_mut().zip(gradients).zip(statistics);
        steps.try_for_each(|((node, gradient), statistics)| {
            if let Some(barrier) = node.step.barrier_mut() {
                barrier.move_statistics(statistics);
            }
            node.step.update_by(gradient, rule)
        })?;
        Ok(())
    }

    /// Elements of the gradients of all parameters of a part, in the steps' own orders.
    pub(crate) fn gradient_len(&self, part: Part) -> usize {
        self.steps[self.steps_of(part)].iter().map(|node| node.step.gradient_len()).sum()
    }

    /// Fills `gradients` with those of a part, which are complete, step after step, in the steps' own orders.
    pub(crate) fn write_gradients(&self, part: Part, mut gradients: &mut [f32]) -> Result<(), ModelError> {
        let steps = self.steps_of(part);
        let mut shares = Vec::with_capacity(steps.len());
        for node in &self.steps[steps.clone()] {
            let (own, rest) = gradients.split_at_mut(node.step.gradient_len());
            shares.push(own);
            gradients = rest;
        }
        let shares = steps.into_par_iter().zip(shares);
        shares.try_for_each(|(step, own)| self.steps[step].step.gradient(self.contributions(step), own))?;
        Ok(())
    }

    /// What [`Plan::write_gradients`] wrote of each [`Part`], by step.
    fn by_step<'a>(&self, [mut early, mut late]: [&'a [f32]; 2]) -> Vec<&'a [f32]> {
        let early_steps = self.steps_of(Part::Early);
        let own = self.steps.iter().enumerate().map(|(step, node)| {
            let part = if early_steps.contains(&step) { &mut early } else { &mut late };
            split_off(part, node.step.gradient_len())
        });
        own.collect()
    }

    /// What [`Plan::write_gradients`] wrote of each [`Part`], in PyTorch's layouts, each with its place among the graph's
    /// parameters.
    pub(crate) fn unpack_gradients(
        &self,
        gradients: [&[f32]; 2],
    ) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let mut all = Vec::new();
        for (node, own) in self.steps.iter().zip(self.by_step(gradients)) {
            all.extend(node.parameters.clone().zip(node.step.unpack_gradient(own)?));
        }
        Ok(all)
    }

    /// The gradients of the last [`Plan::train`], as [`Plan::unpack_gradients`] gives them.
    pub(crate) fn gradients(&self) -> Result<Vec<(usize, Vec<f32>)>, ModelError> {
        let mut gradients = Part::ALL.map(|part| vec![0.0; self.gradient_len(part)]);
        for (part, own) in Part::ALL.into_iter().zip(&mut gradients) {
            self.write_gradients(part, own)?;
        }
        self.unpack_gradients(gradients.each_ref().map(|own| &own[..]))
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
