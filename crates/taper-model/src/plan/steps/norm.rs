//! Batch norm, with the sum and the ReLU that may follow it.

use taper_graph::BatchNorm2d;
use taper_kernels::blocked::{Blocked, BlockedNorm, Elementwise, Values, ValuesMut};
use taper_kernels::{BatchStatistics, Isa, KernelError};

use super::weight::Weight;
use crate::plan::Purpose;
use crate::plan::chunk::Sums;
use crate::plan::step::{Barrier, Call, Contributions, Forward, Inputs, Kept, Outcome, Rule, Step};

/// `y = [relu]((x − mean) · weight / √(variance + eps) + bias [+ residual])`.
#[derive(Debug)]
pub(crate) struct NormStep {
    kernel: BlockedNorm,
    map: Elementwise,
    settings: BatchNorm2d,
    purpose: Purpose,
    input: Blocked,
    output: Blocked,
    residual: Option<Blocked>,
    relu: bool,
    weight: Weight,
    bias: Weight,
    running: BatchStatistics,
    /// What the chunks agreed on: the batch's statistics, and what makes `y` of `x`, and `dx` of `dy`, by them.
    batch: BatchStatistics,
    images: usize,
    affine: Vec<f32>,
    backward_affine: Vec<f32>,
    gradients: [Vec<f32>; 2],
}

impl NormStep {
    pub(crate) fn new(
        settings: &BatchNorm2d,
        [input, output]: [Blocked; 2],
        residual: Option<Blocked>,
        relu: bool,
        purpose: Purpose,
        isa: Isa,
    ) -> Self {
        let kernel = BlockedNorm::new(input, isa);
        let channels = input.channels;
        let statistics = || BatchStatistics { mean: vec![0.0; channels], variance: vec![1.0; channels] };
        Self {
            affine: vec![0.0; kernel.affine_len()],
            backward_affine: vec![0.0; kernel.backward_affine_len()],
            kernel,
            map: Elementwise::new(input, isa),
            settings: settings.clone(),
            purpose,
            input,
            output,
            residual,
            relu,
            weight: Weight::zeros(channels),
            bias: Weight::zeros(channels),
            running: statistics(),
            batch: statistics(),
            images: 0,
            gradients: [vec![0.0; channels], vec![0.0; channels]],
        }
    }

    /// The output, which says where ReLU passed, if there is one.
    fn mask<'a>(&self, y: &'a [f32]) -> Option<Values<'a>> {
        self.relu.then(|| Values::new(y, self.output.halo))
    }
}

impl Step for NormStep {
    fn describe(&self) -> String {
        let residual = if self.residual.is_some() { " + add" } else { "" };
        format!("batch_norm2d{residual}{}", if self.relu { " + relu" } else { "" })
    }

    fn images(&self) -> usize {
        0
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        let residual = self.residual.map(|layout| Values::new(x.get(1), layout.halo));
        let (x, y) = (Values::new(x.get(0), self.input.halo), ValuesMut::new(y, self.output.halo));
        self.kernel.apply(call.images, x, &self.affine, residual, self.relu, y)
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        place: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        _sums: &mut Sums,
    ) -> Outcome {
        let Some(dx) = dx else { return Ok(()) };
        let mask = self.mask(forward.y);
        match (place, mask) {
            (0, mask) => {
                let x = Values::new(forward.x.get(0), self.input.halo);
                let affine = &self.backward_affine;
                self.kernel.backward_apply(call.images, x, affine, mask, dy.into(), dx.into())
            }
            (_, Some(y)) => self.map.relu_backward(call.images, y, dy.into(), dx.into()),
            (_, None) => {
                dx.copy_from_slice(dy);
                Ok(())
            }
        }
    }

    fn zero_is_dead(&self) -> bool {
        self.relu
    }

    fn parameter_len(&self) -> usize {
        4 * self.weight.values.len()
    }

    fn parameters(&self) -> Result<Vec<Vec<f32>>, KernelError> {
        let narrow = |values: &[f64]| values.iter().map(|&value| value as f32).collect();
        let BatchStatistics { mean, variance } = &self.running;
        Ok(vec![self.weight.values.to_vec(), self.bias.values.to_vec(), narrow(mean), narrow(variance)])
    }

    fn set_parameters(&mut self, parameters: &[&[f32]]) -> Outcome {
        self.weight.set("weight", parameters[0])?;
        self.bias.set("bias", parameters[1])?;
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        self.running = BatchStatistics { mean: wide(parameters[2]), variance: wide(parameters[3]) };
        if self.purpose == Purpose::Inference {
            let weights = [&self.weight.values[..], &self.bias.values];
            self.kernel.affine(&self.running, weights, self.settings.eps, &mut self.affine)?;
        }
        Ok(())
    }

    fn kept(&self) -> Result<Vec<Kept>, KernelError> {
        Ok(vec![self.weight.kept(), self.bias.kept(), Kept::default(), Kept::default()])
    }

    fn set_kept(&mut self, steps: u64, kept: &[[&[f32]; 3]]) -> Outcome {
        self.weight.set_kept(steps, kept[0])?;
        self.bias.set_kept(steps, kept[1])
    }

    fn gradient_len(&self) -> usize {
        2 * self.weight.values.len()
    }

    fn gradient(&self, _batch: Contributions<'_>, gradient: &mut [f32]) -> Outcome {
        let (weight, bias) = gradient.split_at_mut(self.weight.values.len());
        weight.copy_from_slice(&self.gradients[0]);
        bias.copy_from_slice(&self.gradients[1]);
        Ok(())
    }

    fn unpack_gradient(&self, gradient: &[f32]) -> Result<Vec<Vec<f32>>, KernelError> {
        let (weight, bias) = gradient.split_at(self.weight.values.len());
        Ok(vec![weight.to_vec(), bias.to_vec(), Vec::new(), Vec::new()])
    }

    fn update_by(&mut self, gradient: &[f32], rule: Rule) -> Outcome {
        let (weight, bias) = gradient.split_at(self.weight.values.len());
        self.weight.step(weight, rule)?;
        self.bias.step(bias, rule)
    }

    fn barrier(&self) -> Option<&dyn Barrier> {
        (self.purpose == Purpose::Training).then_some(self)
    }

    fn barrier_mut(&mut self) -> Option<&mut dyn Barrier> {
        (self.purpose == Purpose::Training).then_some(self)
    }
}

impl Barrier for NormStep {
    fn values(&self, images: usize) -> usize {
        images * self.input.pixels()
    }

    fn observe(&self, images: usize, x: Inputs<'_>, observed: &mut Vec<f64>) -> Outcome {
        observed.resize(self.kernel.sums_len(), 0.0);
        self.kernel.sums(images, Values::new(x.get(0), self.input.halo), observed)
    }

    fn agree(&mut self, chunks: &[(usize, &[f64])]) -> Outcome {
        self.images = chunks.iter().map(|(images, _)| images).sum();
        self.kernel.merge(chunks.iter().copied(), &mut self.batch)?;
        let weights = [&self.weight.values[..], &self.bias.values];
        self.kernel.affine(&self.batch, weights, self.settings.eps, &mut self.affine)
    }

    fn observe_backward(
        &self,
        images: usize,
        forward: Forward<'_>,
        dy: &[f32],
        observed: &mut Vec<f64>,
    ) -> Outcome {
        observed.resize(self.kernel.sums_len(), 0.0);
        let x = Values::new(forward.x.get(0), self.input.halo);
        self.kernel.backward_sums(images, x, &self.batch, self.mask(forward.y), dy.into(), observed)
    }

    fn agree_backward(&mut self, chunks: &[(usize, &[f64])]) -> Outcome {
        let sums = chunks.iter().map(|&(_, sums)| sums);
        let [weight, bias] = &mut self.gradients;
        self.kernel.backward_merge(
            sums,
            Some(self.images),
            &self.batch,
            &self.weight.values,
            self.settings.eps,
            [weight, bias],
            &mut self.backward_affine,
        )
    }

    fn statistics_len(&self) -> usize {
        2 * self.input.channels
    }

    /// The means, then the variances by their unbiased estimates, as in PyTorch.
    fn statistics(&self) -> Vec<f64> {
        let count = (self.images * self.input.pixels()) as f64;
        let variances = self.batch.variance.iter().map(|variance| variance * count / (count - 1.0));
        self.batch.mean.iter().copied().chain(variances).collect()
    }

    fn move_statistics(&mut self, batch: &[f64]) {
        let share = self.settings.momentum;
        let BatchStatistics { mean, variance } = &mut self.running;
        // Kept in f64 only between steps of a run would be another network than the one that is saved.
        let moved = |running: f64, batch: f64| f64::from(((1.0 - share) * running + share * batch) as f32);
        let running = mean.iter_mut().chain(variance);
        running.zip(batch).for_each(|(running, batch)| *running = moved(*running, *batch));
    }
}
