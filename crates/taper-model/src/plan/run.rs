//! Forward and backward through the steps of a plan.

use std::ops::Range;

use taper_kernels::{Aligned, DropoutKey, cross_entropy_rows};

use super::chunk::{Chunk, Sums};
use super::step::{Call, Forward, Inputs, Outcome, Scratch, room};
use super::train::Batch;
use super::{Contribution, Phase, Plan, Run};

impl Plan {
    /// The first phase starts with the images; any other with a barrier, which has been agreed on.
    pub(super) fn forward_phase(
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
