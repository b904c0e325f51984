//! Forward and backward through the steps of a plan.

use std::ops::Range;

use taper_kernels::{Aligned, DropoutKey, KernelError, cross_entropy_rows};

use super::chunk::{Chunk, Sums};
use super::step::{Call, Forward, Inputs, Outcome, Rule, Scratch, room};
use super::team::{Spare, for_each, run};
use super::update::update_jobs;
use super::{Contribution, Phase, Plan, Run};
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

    /// The first phase starts with the images; any other with a barrier, which has been agreed on.
    fn forward_phase(
        &self,
        phase: usize,
        batch: &Batch<'_>,
        chunk: &mut Chunk,
        scratch: &mut Scratch,
    ) -> Outcome {
        if phase == 0 {
            let len = self.input_len();
            let images = &batch.images[(chunk.first - batch.first) * len..][..chunk.images * len];
            let own = chunk.images * self.buffers[0].layout.image();
            self.buffers[0].layout.pack(images, &mut chunk.values[0][..own])?;
        }
        self.forward(&self.phases[phase], Some(batch.dropout), chunk, scratch)
    }

    /// All steps of a phase, run by run.
    pub(super) fn forward(
        &self,
        phase: &Phase,
        dropout: Option<DropoutKey>,
        chunk: &mut Chunk,
        scratch: &mut Scratch,
    ) -> Outcome {
        for run in &phase.runs {
            for images in groups(chunk.images, run.images) {
                for step in run.steps.clone() {
                    self.forward_step(step, &images, dropout, chunk, scratch)?;
                }
            }
        }
        Ok(())
    }

    fn forward_step(
        &self,
        step: usize,
        images: &Range<usize>,
        dropout: Option<DropoutKey>,
        chunk: &mut Chunk,
        scratch: &mut Scratch,
    ) -> Outcome {
        let node = &self.steps[step];
        let mut y = std::mem::take(&mut chunk.values[node.output]);
        let mut saved = std::mem::take(&mut chunk.saved[step]);
        let own = self.saved_range(step, images, dropout.is_some());
        let x = Inputs { values: &chunk.values, buffers: &self.buffers, ids: &node.inputs, images };
        let mut call = Call { images: images.len(), first: chunk.first + images.start, dropout, scratch };
        let range = self.buffers[node.output].range(images);
        let outcome = node.step.forward(&mut call, x, &mut y[range], &mut saved[own]);
        chunk.values[node.output] = y;
        chunk.saved[step] = saved;
        outcome
    }

    fn saved_range(&self, step: usize, images: &Range<usize>, training: bool) -> Range<usize> {
        let len = if training { self.steps[step].step.saved_len() } else { 0 };
        images.start * len..images.end * len
    }

    pub(super) fn loss(&self, batch: &Batch<'_>, chunk: &mut Chunk) -> Outcome {
        let layout = self.buffers[self.output].layout;
        (chunk.correct, chunk.losses) = (0, Vec::with_capacity(chunk.parts.len()));
        let mut first = 0;
        for &images in &chunk.parts {
            let rows = first * layout.image()..(first + images) * layout.image();
            let (loss, correct) = cross_entropy_rows(
                [layout.channels, layout.image()],
                &chunk.values[self.output][rows.clone()],
                &batch.labels[chunk.first - batch.first + first..][..images],
                batch.label_smoothing,
                batch.whole,
                &mut chunk.gradients[self.output][rows],
            )?;
            chunk.losses.push(loss);
            chunk.correct += correct;
            first += images;
        }
        Ok(())
    }

    /// The barrier after the phase, then the steps of the phase backwards; then what the barrier that the phase starts with,
    /// if there is one, must see.
    pub(super) fn backward_phase(
        &self,
        phase: usize,
        batch: &Batch<'_>,
        chunk: &mut Chunk,
        scratch: &mut Scratch,
    ) -> Outcome {
        let next = self.phases.get(phase + 1).and_then(|p| p.barrier);
        self.backward(&self.phases[phase].runs, next, batch, chunk, scratch)?;
        self.phases[phase].barrier.map_or(Ok(()), |step| self.observe_backward(step, chunk))
    }

    /// The steps of some runs backwards, but for one that is a barrier; before them `after`, the barrier behind them.
    pub(super) fn backward(
        &self,
        runs: &[Run],
        after: Option<usize>,
        batch: &Batch<'_>,
        chunk: &mut Chunk,
        scratch: &mut Scratch,
    ) -> Outcome {
        for (place, run) in runs.iter().enumerate().rev() {
            let after = after.filter(|_| place + 1 == runs.len());
            for images in groups(chunk.images, run.images) {
                let own = run.steps.clone().rev().filter(|&step| self.steps[step].step.barrier().is_none());
                for step in after.into_iter().chain(own) {
                    self.backward_step(step, &images, batch.dropout, chunk, scratch)?;
                }
            }
        }
        Ok(())
    }

    fn backward_step(
        &self,
        step: usize,
        images: &Range<usize>,
        dropout: DropoutKey,
        chunk: &mut Chunk,
        scratch: &mut Scratch,
    ) -> Outcome {
        let node = &self.steps[step];
        if !self.buffers[node.output].gradient {
            // No parameter stands before it.
            return Ok(());
        }
        let mut sums = std::mem::take(&mut chunk.sums[step]);
        let mut outcome = Ok(());
        for (place, &contribution) in node.gradients.iter().enumerate() {
            let (input, wanted) = (node.inputs[place], contribution.is_some());
            if !wanted && place > 0 {
                continue;
            }
            let mut dx = std::mem::take(&mut chunk.gradients[input]);
            let own = self.buffers[input].gradient_range(images);
            let mut further = match contribution {
                Some(Contribution::Further) => std::mem::take(&mut scratch.further),
                _ => Aligned::default(),
            };
            let target = match contribution {
                Some(Contribution::First) => Some(&mut dx[own.clone()]),
                Some(Contribution::Further) => Some(room(&mut further, own.len())),
                None => None,
            };
            let call = Call {
                images: images.len(),
                first: chunk.first + images.start,
                dropout: Some(dropout),
                scratch: &mut *scratch,
            };
            outcome = outcome
                .and_then(|()| self.call_backward(step, place, images, call, chunk, target, &mut sums));
            if contribution == Some(Contribution::Further) {
                dx[own].iter_mut().zip(&*further).for_each(|(sum, part)| *sum += part);
                scratch.further = further;
            }
            chunk.gradients[input] = dx;
        }
        chunk.sums[step] = sums;
        outcome
    }

    #[expect(clippy::too_many_arguments, reason = "the one place where a step's backward is called")]
    fn call_backward(
        &self,
        step: usize,
        place: usize,
        images: &Range<usize>,
        mut call: Call<'_>,
        chunk: &Chunk,
        dx: Option<&mut [f32]>,
        sums: &mut Sums,
    ) -> Outcome {
        let node = &self.steps[step];
        let forward = self.forward_of(step, images, chunk);
        let dy = &chunk.gradients[node.output][self.buffers[node.output].gradient_range(images)];
        node.step.backward(&mut call, place, forward, dy, dx, sums)
    }

    /// What the forward pass of a step left of these images.
    pub(super) fn forward_of<'a>(
        &'a self,
        step: usize,
        images: &'a Range<usize>,
        chunk: &'a Chunk,
    ) -> Forward<'a> {
        let node = &self.steps[step];
        Forward {
            x: Inputs { values: &chunk.values, buffers: &self.buffers, ids: &node.inputs, images },
            y: &chunk.values[node.output][self.buffers[node.output].range(images)],
            saved: &chunk.saved[step][self.saved_range(step, images, true)],
        }
    }
}

/// The images of a chunk in as few groups of up to `size` as there can be, of nearly the same number.
fn groups(images: usize, size: usize) -> impl Iterator<Item = Range<usize>> {
    let count = images.div_ceil(size.max(1));
    (0..count).map(move |group| group * images / count..(group + 1) * images / count)
}
