//! A training step of a plan.

use taper_kernels::{DropoutKey, KernelError};

use super::Plan;
use super::chunk::Chunk;
use super::step::{Outcome, Rule, Scratch};
use super::team::{Spare, for_each, run};
use super::update::update_jobs;
use crate::error::ModelError;

/// What a training step is told: a batch, or a shard of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Batch<'a> {
    /// `[N, C, H, W]`.
    pub(crate) images: &'a [f32],
    pub(crate) labels: &'a [u8],
    /// The number in the whole batch of the first of these images, which their dropout is drawn for.
    pub(crate) first: usize,
    /// How many images the whole batch has, over which the loss is the mean.
    pub(crate) whole: usize,
    pub(crate) label_smoothing: f64,
    pub(crate) dropout: DropoutKey,
}

/// Refuses a label that is none of the classes.
pub(crate) fn check_labels(batch: &Batch<'_>, classes: usize) -> Result<(), ModelError> {
    match batch.labels.iter().position(|&label| usize::from(label) >= classes) {
        Some(item) => {
            let label = usize::from(batch.labels[item]);
            Err(KernelError::Label { item: batch.first + item, label, classes }.into())
        }
        None => Ok(()),
    }
}

impl Plan {
    /// Forward in training mode, loss, and backward. Gives the sum of the images' losses, and how many were classified
    /// correctly. With a `rule`, all parameters are moved as well, as [`Plan::update`] does.
    pub(crate) fn train(
        &mut self,
        batch: &Batch<'_>,
        rule: Option<Rule>,
    ) -> Result<(f64, usize), ModelError> {
        let found = self.train_early(batch)?;
        match rule {
            Some(rule) => self.train_late_and_update(batch, rule)?,
            None => self.train_late(batch)?,
        }
        Ok(found)
    }

    /// [`Plan::train`] until the gradients of [`Part::Early`](super::Part) and all that the forward pass finds are complete.
    pub(crate) fn train_early(&mut self, batch: &Batch<'_>) -> Result<(f64, usize), ModelError> {
        let images = batch.labels.len();
        check_labels(batch, self.classes())?;
        let lonely = self.steps.iter().find(|node| node.step.barrier().is_some_and(|b| b.values(images) < 2));
        if let Some(node) = lonely {
            return Err(ModelError::SingleValue { node: node.names[0].clone() });
        }
        let (mut chunks, mut tails) = (std::mem::take(&mut self.chunks), std::mem::take(&mut self.tails));
        self.prepare(&mut chunks, batch.first, images);
        if self.tail.is_some() {
            self.prepare_tails(&mut tails, &chunks);
        }
        let outcome = self.train_chunks_early(batch, &mut chunks, &mut tails);
        (self.chunks, self.tails) = (chunks, tails);
        outcome?;
        let last = if self.tail.is_some() { &self.tails } else { &self.chunks };
        let loss = last.iter().flat_map(|chunk| &chunk.losses).sum();
        Ok((loss, last.iter().map(|chunk| chunk.correct).sum()))
    }

    /// What [`Plan::train_early`] left of the same batch.
    pub(crate) fn train_late(&mut self, batch: &Batch<'_>) -> Outcome {
        if self.tail.is_none() {
            return Ok(());
        }
        let mut chunks = std::mem::take(&mut self.chunks);
        let outcome = self.backward_phases(self.phases.len(), batch, &mut chunks, &Spare::default());
        self.chunks = chunks;
        outcome
    }

    /// [`Plan::train_late`] and [`Plan::update`]: the tail moves while other threads are busy with what stands before it.
    fn train_late_and_update(&mut self, batch: &Batch<'_>, rule: Rule) -> Outcome {
        let (mut chunks, tails) = (std::mem::take(&mut self.chunks), std::mem::take(&mut self.tails));
        let (phases, buffers) =
            (if self.tail.is_some() { self.phases.len() } else { 0 }, self.buffers.clone());
        // What moves cannot be read meanwhile, and is not: no step before the tail asks for one of it.
        let first = self.tail_start();
        let mut tail = self.steps.split_off(first);
        let outcome = update_jobs(&mut tail, first, &tails, &buffers, rule).and_then(|jobs| {
            let spare = Spare::new(jobs);
            self.backward_phases(phases, batch, &mut chunks, &spare)?;
            let mut jobs = update_jobs(&mut self.steps, 0, &chunks, &buffers, rule)?;
            jobs.extend(spare.into_rest());
            run(jobs)
        });
        self.steps.append(&mut tail);
        (self.chunks, self.tails) = (chunks, tails);
        outcome
    }

    fn train_chunks_early(
        &mut self,
        batch: &Batch<'_>,
        chunks: &mut [Chunk],
        tails: &mut [Chunk],
    ) -> Outcome {
        let last = self.phases.len() - 1;
        for phase in 0..last {
            self.for_each(chunks, |plan, chunk, scratch| {
                plan.forward_phase(phase, batch, chunk, scratch)?;
                plan.observe(phase + 1, chunk)
            })?;
            self.agree(phase + 1, chunks, false)?;
        }
        if self.tail.is_some() {
            self.for_each(chunks, |plan, chunk, scratch| plan.forward_phase(last, batch, chunk, scratch))?;
            self.train_tails(batch, chunks, tails)?;
            self.leave_tails(chunks, tails);
            return Ok(());
        }
        self.for_each(chunks, |plan, chunk, scratch| {
            plan.forward_phase(last, batch, chunk, scratch)?;
            plan.loss(batch, chunk)?;
            plan.backward_phase(last, batch, chunk, scratch)
        })?;
        self.backward_phases(last, batch, chunks, &Spare::default())
    }

    /// The first `count` phases backwards; `spare` is for threads that would have to wait.
    fn backward_phases(
        &mut self,
        count: usize,
        batch: &Batch<'_>,
        chunks: &mut [Chunk],
        spare: &Spare<'_>,
    ) -> Outcome {
        for phase in (0..count).rev() {
            self.agree(phase + 1, chunks, true)?;
            let plan = &*self;
            for_each(chunks, spare, |chunk| {
                plan.with_scratch(|scratch| plan.backward_phase(phase, batch, chunk, scratch))
            })?;
        }
        Ok(())
    }

    /// Runs `work` on every chunk, in parallel.
    pub(super) fn for_each(
        &self,
        chunks: &mut [Chunk],
        work: impl Fn(&Self, &mut Chunk, &mut Scratch) -> Outcome + Sync,
    ) -> Outcome {
        let work = |chunk: &mut Chunk| self.with_scratch(|scratch| work(self, chunk, scratch));
        for_each(chunks, &Spare::default(), work)
    }

    fn with_scratch(&self, work: impl FnOnce(&mut Scratch) -> Outcome) -> Outcome {
        let mut scratch = self.borrow_scratch();
        let outcome = work(&mut scratch);
        self.return_scratch(scratch);
        outcome
    }
}
