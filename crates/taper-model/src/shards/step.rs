//! A training step on a batch that is cut into shards.

use taper_kernels::DropoutKey;

use super::Summed;
use super::reduce::all_reduce;
use super::tree::{Node, Tree};
use crate::error::ModelError;
use crate::plan::Batch;
use crate::trainer::{Step, Trainer};

/// The places of the totals; the statistics of the batch norms follow.
const LOSS: usize = 0;
const CORRECT: usize = 1;
const VOTES: usize = 2;
const STATISTICS: usize = 3;

impl Summed {
    /// What the step found, in a batch of `batch` images.
    pub(crate) fn step(&self, batch: usize) -> Step {
        Step { loss: self.totals[LOSS] / batch as f64, correct: self.totals[CORRECT] as usize }
    }

    /// Whether any rank wants the run to end.
    pub(crate) fn votes(&self) -> bool {
        self.totals[VOTES] > 0.0
    }

    /// The statistics of the batch norms: the means over the shards, weighted by their images.
    pub(crate) fn statistics(&self) -> &[f64] {
        &self.totals[STATISTICS..]
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
        let mut tree = Tree::new(shards.count);
        for shard in shards.own() {
            let range = shards.images(shard, batch);
            let [start, end] = [range.start, range.end].map(|image| image - own.start);
            let mut sum = self.take_sum()?;
            if !range.is_empty() {
                let batch = Batch {
                    images: &images[start * len..end * len],
                    labels: &labels[start..end],
                    first: range.start,
                    whole: batch,
                    label_smoothing: self.settings.label_smoothing,
                    dropout: DropoutKey { seed: self.settings.seed, step: self.step, layer: 0 },
                };
                self.run_shard(&batch, &mut sum)?;
            }
            if shard == shards.own().start {
                sum.totals[VOTES] = f64::from(u8::from(self.votes));
            }
            let spare = &mut self.spare;
            tree.push(Node::leaf(shard), sum, |total, part| {
                total.add(&part);
                spare.push(part);
            });
        }
        let mut held = tree.into_held();
        let summed = match (self.exchange.size(), held.pop()) {
            (1, Some((_, sum))) => sum,
            (_, last) => {
                held.extend(last);
                all_reduce(&*self.exchange, shards, held)?
            }
        };
        self.voted = summed.votes();
        Ok(summed)
    }

    fn run_shard(&mut self, shard: &Batch<'_>, sum: &mut Summed) -> Result<(), ModelError> {
        let plan = self.engine.plan_mut()?;
        let (loss, correct) = plan.train(shard, None)?;
        plan.write_gradients(&mut sum.gradients)?;
        (sum.totals[LOSS], sum.totals[CORRECT]) = (loss, correct as f64);
        let share = shard.labels.len() as f64 / shard.whole as f64;
        let statistics = sum.totals[STATISTICS..].iter_mut().zip(plan.statistics());
        statistics.for_each(|(total, statistic)| *total = share * statistic);
        Ok(())
    }

    /// A sum over nothing, in the memory of an earlier one if there is any.
    fn take_sum(&mut self) -> Result<Summed, ModelError> {
        let plan = self.engine.plan()?;
        let mut sum = self.spare.pop().unwrap_or_default();
        sum.gradients.clear();
        sum.gradients.resize(plan.gradient_len(), 0.0);
        sum.totals.clear();
        sum.totals.resize(STATISTICS + plan.statistics_len(), 0.0);
        Ok(sum)
    }
}
