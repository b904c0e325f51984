//! The fully connected layer.

use std::ops::Range;

use rayon::prelude::*;
use taper_kernels::blocked::{Blocked, BlockedLinear, LinearLists};
use taper_kernels::{Aligned, Isa, KernelError};

use super::weight::Weight;
use crate::plan::Purpose;
use crate::plan::chunk::Sums;
use crate::plan::step::{
    Call, Contributions, Forward, InParts, Inputs, Job, Kept, Outcome, Rule, Step, room,
};
use crate::plan::team::run;

/// `y = x·Wᵀ + bias`. The weight is kept in the kernel's backward order, in which the optimiser works on it as well: it is
/// the largest of most networks, and would cost more to reorder than to use.
#[derive(Debug)]
pub(crate) struct LinearStep {
    kernel: BlockedLinear,
    /// Empty where nothing is trained.
    weight: Weight,
    /// The weight in the order of the forward pass, if nothing is trained.
    forward: Aligned,
    /// The gradients of a batch's outputs, for the optimiser.
    lists: LinearLists,
    bias: Option<Weight>,
    /// Elements of the weight in PyTorch's layout.
    plain_len: usize,
    out_features: usize,
}

impl LinearStep {
    pub(crate) fn new(input: Blocked, out_features: usize, bias: bool, purpose: Purpose, isa: Isa) -> Self {
        let kernel = BlockedLinear::of_image(input, out_features, isa);
        let in_features = input.channels * input.pixels();
        Self {
            kernel,
            weight: Weight::zeros(if purpose == Purpose::Training { kernel.weight_len() } else { 0 }),
            forward: Aligned::default(),
            lists: LinearLists::default(),
            bias: bias.then(|| Weight::zeros(out_features)),
            plain_len: in_features * out_features,
            out_features,
        }
    }

    fn bias_gradient(&self, batch: Contributions<'_>) -> Result<Option<Vec<f32>>, KernelError> {
        if self.bias.is_none() {
            return Ok(None);
        }
        let mut gradient = vec![0.0; self.out_features];
        self.kernel.backward_bias(&batch.dy(), &mut gradient)?;
        Ok(Some(gradient))
    }
}

impl InParts for LinearStep {
    fn parts(&self) -> usize {
        self.kernel.parts()
    }

    fn part_start(&self, part: usize) -> usize {
        self.kernel.part_start(part)
    }

    fn forward_parts(
        &self,
        parts: Range<usize>,
        call: &mut Call<'_>,
        x: Inputs<'_>,
        y: &mut [f32],
    ) -> Outcome {
        let work = room(&mut call.scratch.work, self.kernel.scratch_len(1));
        let bias = self.bias.as_ref().map(|bias| &bias.values[..]);
        self.kernel.forward_parts(parts, 1, x.get(0), &self.forward, bias, work, y)
    }
}

impl Step for LinearStep {
    fn describe(&self) -> String {
        format!("linear{}", if self.bias.is_some() { " + bias" } else { "" })
    }

    /// All of a chunk's: the weights are read once for them all.
    fn images(&self) -> usize {
        usize::MAX
    }

    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], _saved: &mut [u8]) -> Outcome {
        let work = room(&mut call.scratch.work, self.kernel.scratch_len(call.images));
        let bias = self.bias.as_ref().map(|bias| &bias.values[..]);
        if self.weight.values.is_empty() {
            self.kernel.forward(call.images, x.get(0), &self.forward, bias, work, y)
        } else {
            self.kernel.forward_turning(call.images, x.get(0), &self.weight.values, bias, work, y)
        }
    }

    /// In evaluation alone the weight is kept as the parts read it.
    fn in_parts(&self) -> Option<&dyn InParts> {
        (self.weight.values.is_empty() && self.kernel.parts() > 1).then_some(self)
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        _place: usize,
        _forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        _sums: &mut Sums,
    ) -> Outcome {
        let Some(dx) = dx else { return Ok(()) };
        let work = room(&mut call.scratch.work, self.kernel.scratch_len(call.images));
        self.kernel.backward_input(call.images, dy, &self.weight.values, work, dx)
    }

    fn is_free_of_chunks(&self) -> bool {
        true
    }

    fn parameter_len(&self) -> usize {
        self.plain_len + self.bias.as_ref().map_or(0, |bias| bias.values.len())
    }

    fn parameters(&self) -> Result<Vec<Vec<f32>>, KernelError> {
        let mut weight = vec![0.0; self.plain_len];
        self.kernel.unpack(&self.weight.values, &mut weight)?;
        let bias = self.bias.iter().map(|bias| bias.values.to_vec());
        Ok(std::iter::once(weight).chain(bias).collect())
    }

    fn set_parameters(&mut self, parameters: &[&[f32]]) -> Outcome {
        if self.weight.values.is_empty() {
            let mut weight = Aligned::zeros(self.kernel.weight_len());
            self.forward = Aligned::zeros(weight.len());
            self.kernel.pack(parameters[0], &mut weight)?;
            self.kernel.pack_forward(0..self.kernel.blocks(), &weight, &mut self.forward)?;
        } else {
            self.kernel.pack(parameters[0], &mut self.weight.values)?;
        }
        match &mut self.bias {
            Some(bias) => bias.set("bias", parameters[1]),
            None => Ok(()),
        }
    }

    fn kept(&self) -> Result<Vec<Kept>, KernelError> {
        let mut plain = Kept::default();
        for (plain, packed) in plain.iter_mut().zip(self.weight.kept()).filter(|(_, kept)| !kept.is_empty()) {
            plain.resize(self.plain_len, 0.0);
            self.kernel.unpack(&packed, plain)?;
        }
        let bias = self.bias.iter().map(Weight::kept);
        Ok(std::iter::once(plain).chain(bias).collect())
    }

    fn set_kept(&mut self, steps: u64, kept: &[[&[f32]; 3]]) -> Outcome {
        let mut packed = Kept::default();
        for (packed, plain) in packed.iter_mut().zip(kept[0]).filter(|(_, plain)| !plain.is_empty()) {
            packed.resize(self.kernel.weight_len(), 0.0);
            self.kernel.pack(plain, packed)?;
        }
        self.weight.set_kept(steps, packed.each_ref().map(|kept| &kept[..]))?;
        self.bias.as_mut().map_or(Ok(()), |bias| bias.set_kept(steps, kept[1]))
    }

    /// The weight in the order of the backward pass, then the bias.
    fn gradient_len(&self) -> usize {
        self.kernel.weight_len() + self.bias.as_ref().map_or(0, |_| self.out_features)
    }

    fn gradient(&self, batch: Contributions<'_>, gradient: &mut [f32]) -> Outcome {
        let (weight, bias) = gradient.split_at_mut(self.kernel.weight_len());
        let (x, mut lists) = (batch.x(), LinearLists::default());
        self.kernel.list(&batch.dy(), &mut lists)?;
        weight.par_chunks_mut(self.kernel.block_len().max(1)).enumerate().try_for_each(
            |(block, gradient)| self.kernel.backward_weight_blocks(block..block + 1, &x, &lists, gradient),
        )?;
        if let Some(own) = self.bias_gradient(batch)? {
            bias.copy_from_slice(&own);
        }
        Ok(())
    }

    fn unpack_gradient(&self, gradient: &[f32]) -> Result<Vec<Vec<f32>>, KernelError> {
        let (packed, bias) = gradient.split_at(self.kernel.weight_len());
        let mut weight = vec![0.0; self.plain_len];
        self.kernel.unpack(packed, &mut weight)?;
        let bias = self.bias.iter().map(|_| bias.to_vec());
        Ok(std::iter::once(weight).chain(bias).collect())
    }

    fn update_by(&mut self, gradient: &[f32], rule: Rule) -> Outcome {
        let (weight, bias) = gradient.split_at(self.kernel.weight_len());
        if let Some(own) = &mut self.bias {
            own.step(bias, rule)?;
        }
        let len = self.kernel.block_len();
        run(self.weight.jobs(len, rule, |block, own| {
            own.copy_from_slice(&weight[block * len..][..own.len()]);
            Ok(())
        }))
    }

    /// A block of the weight is a job: its gradient is still in the cache when the optimiser reads it.
    fn update<'a>(&'a mut self, batch: Contributions<'a>, rule: Rule) -> Result<Vec<Job<'a>>, KernelError> {
        let bias_gradient = self.bias_gradient(batch)?;
        let (kernel, x) = (self.kernel, batch.x());
        kernel.list(&batch.dy(), &mut self.lists)?;
        let lists = &self.lists;
        let mut jobs = self.weight.jobs(kernel.block_len(), rule, move |block, gradient| {
            kernel.backward_weight_blocks(block..block + 1, &x, lists, gradient)
        });
        if let (Some(bias), Some(gradient)) = (&mut self.bias, bias_gradient) {
            jobs.push(Box::new(move |_| bias.step(&gradient, rule)));
        }
        Ok(jobs)
    }
}
