//! A training step on a batch that is cut into shards.

use std::sync::Arc;

use taper_kernels::DropoutKey;

use super::beside::beside;
use super::reduce::{Sum, all_reduce};
use super::tree::{Node, Tree};
use crate::error::ModelError;
use crate::plan::{Batch, Part};
use crate::trainer::{Step, Trainer};

/// The places of the totals; the statistics of the batch norms follow.
const LOSS: usize = 0;
const CORRECT: usize = 1;
const VOTES: usize = 2;
const STATISTICS: usize = 3;

/// What all shards of a batch found together.
#[derive(Debug)]
pub(crate) struct Summed {
    /// With the totals, which are complete as early.
    early: Sum,
    late: Sum,
}

impl Summed {
    /// What the step found, in a batch of `batch` images.
    pub(crate) fn step(&self, batch: usize) -> Step {
        let totals = &self.early.totals;
        Step { loss: totals[LOSS] / batch as f64, correct: totals[CORRECT] as usize }
    }

    /// Whether any rank wants the run to end.
    fn votes(&self) -> bool {
        self.early.totals[VOTES] > 0.0
    }

    /// The gradients of each [`Part`].
    pub(crate) fn gradients(&self) -> [&[f32]; 2] {
        [&self.early.gradients, &self.late.gradients]
    }

    /// The statistics of the batch norms: the means over the shards, weighted by their images.
    pub(crate) fn statistics(&self) -> &[f64] {
        &self.early.totals[STATISTICS..]
    }
}

/// Sums whose memory waits for the next step, of each [`Part`].
#[derive(Debug, Default)]
pub(crate) struct Spare([Vec<Sum>; 2]);

impl Spare {
    pub(crate) fn keep(&mut self, summed: Summed) {
        self.0.iter_mut().zip([summed.early, summed.late]).for_each(|(spare, sum)| spare.push(sum));
    }
}

impl Trainer {
    /// Forward, loss and backward of all shards of a batch of `batch` images, of which `images` and `labels` are this rank's.
    pub(crate) fn sum_shards(
        &mut self,
        batch: usize,
        images: &[f32],
        labels: &[u8],
    ) -> Result<Summed, ModelError> {
        let (shards, own) = (self.shards, self.shards.own_images(batch));
        let len = self.model.graph().input_shape().elements();
        let label_smoothing = self.settings.label_smoothing;
        let dropout = DropoutKey { seed: self.settings.seed, step: self.step, layer: 0 };
        let images_of = |shard| {
            let range = shards.images(shard, batch);
            let [start, end] = [range.start, range.end].map(|image| image - own.start);
            let (images, labels) = (&images[start * len..end * len], &labels[start..end]);
            Batch { images, labels, first: range.start, whole: batch, label_smoothing, dropout }
        };
        let [mut early, mut late] = Part::ALL.map(|_| Tree::new(shards.count));
        let last = shards.own().end - 1;
        for shard in shards.own() {
            self.run_early(shard, &images_of(shard), &mut early)?;
            if shard != last {
                self.run_late(shard, &images_of(shard), &mut late)?;
            }
        }
        let exchange = Arc::clone(&self.exchange);
        let overlaps = exchange.size() > 1 && self.engine.plan()?.gradient_len(Part::Late) > 0;
        let reduce = |sums: Tree<Sum>| all_reduce(&*exchange, shards, sums.into_held());
        let mut rest = || self.run_late(last, &images_of(last), &mut late);
        let early = if overlaps {
            beside(|| reduce(early), rest)?
        } else {
            rest()?;
            reduce(early)?
        };
        let summed = Summed { early, late: reduce(late)? };
        self.voted = summed.votes();
        Ok(summed)
    }

    /// Runs a shard until its early gradients and its totals are complete.
    fn run_early(
        &mut self,
        number: usize,
        shard: &Batch<'_>,
        sums: &mut Tree<Sum>,
    ) -> Result<(), ModelError> {
        let mut sum = self.take_sum(Part::Early)?;
        let plan = self.engine.plan_mut()?;
        sum.totals.resize(STATISTICS + plan.statistics_len(), 0.0);
        if !shard.labels.is_empty() {
            let (loss, correct) = plan.train_early(shard)?;
            plan.write_gradients(Part::Early, &mut sum.gradients)?;
            (sum.totals[LOSS], sum.totals[CORRECT]) = (loss, correct as f64);
            let share = shard.labels.len() as f64 / shard.whole as f64;
            let statistics = sum.totals[STATISTICS..].iter_mut().zip(plan.statistics());
            statistics.for_each(|(total, statistic)| *total = share * statistic);
        }
        if number == self.shards.own().start {
            sum.totals[VOTES] = f64::from(u8::from(self.votes));
        }
        self.push(Part::Early, number, sum, sums);
        Ok(())
    }

    /// Runs the rest of a shard.
    fn run_late(&mut self, number: usize, shard: &Batch<'_>, sums: &mut Tree<Sum>) -> Result<(), ModelError> {
        let mut sum = self.take_sum(Part::Late)?;
        if !shard.labels.is_empty() {
            let plan = self.engine.plan_mut()?;
            plan.train_late(shard)?;
            plan.write_gradients(Part::Late, &mut sum.gradients)?;
        }
        self.push(Part::Late, number, sum, sums);
        Ok(())
    }

    /// A sum over nothing, without totals, in the memory of an earlier one if there is any.
    fn take_sum(&mut self, part: Part) -> Result<Sum, ModelError> {
        let mut sum = self.spare.0[part as usize].pop().unwrap_or_default();
        sum.gradients.clear();
        sum.gradients.resize(self.engine.plan()?.gradient_len(part), 0.0);
        sum.totals.clear();
        Ok(sum)
    }

    /// Adds what a shard found to what those before it did.
    fn push(&mut self, part: Part, shard: usize, sum: Sum, sums: &mut Tree<Sum>) {
        let spare = &mut self.spare.0[part as usize];
        sums.push(Node::leaf(shard), sum, |total, part| {
            total.add(&part);
            spare.push(part);
        });
    }
}
