//! The fully connected layer.

use rayon::prelude::*;
use taper_kernels::blocked::{Blocked, BlockedLinear};
use taper_kernels::{Isa, KernelError};

use super::weight::Weight;
use crate::plan::chunk::Sums;
use crate::plan::step::{Call, Contributions, Forward, Inputs, Outcome, Rule, Step, room};

/// `y = x·Wᵀ + bias`. The weight is kept in the kernel's order, in which the optimiser works on it as well: it is the
/// largest of most networks, and would cost more to reorder than to use.
#[derive(Debug)]
pub(crate) struct LinearStep {
    kernel: BlockedLinear,
    weight: Weight,
    bias: Option<Weight>,
    /// Elements of the weight in PyTorch's layout.
    plain_len: usize,
    out_features: usize,
    /// Whether an input of 0 needs no gradient.
    zero_is_dead: bool,
}

impl LinearStep {
    pub(crate) fn new(input: Blocked, out_features: usize, bias: bool, zero_is_dead: bool, isa: Isa) -> Self {
        let kernel = BlockedLinear::of_image(input, out_features, isa);
        let in_features = input.channels * input.pixels();
        Self {
            kernel,
            weight: Weight::zeros(kernel.weight_len()),
            bias: bias.then(|| Weight::zeros(out_features)),
            plain_len: in_features * out_features,
            out_features,
            zero_is_dead,
        }
    }

    /// Fills the gradient of the part of the weight that starts at `start`: one block, or the last.
    fn block_gradient(
        kernel: &BlockedLinear,
        start: usize,
        x: &[&[f32]],
        dy: &[&[f32]],
        part: &mut [f32],
    ) -> Outcome {
        let block = start / kernel.block_len().max(1);
        kernel.backward_weight_blocks(block..block + 1, x, dy, part)
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
        self.kernel.forward(call.images, x.get(0), &self.weight.values, bias, work, y)
    }

    fn backward(
        &self,
        call: &mut Call<'_>,
        _place: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        _sums: &mut Sums,
    ) -> Outcome {
        let Some(dx) = dx else { return Ok(()) };
        let work = room(&mut call.scratch.work, self.kernel.scratch_len(call.images));
        let x = self.zero_is_dead.then(|| forward.x.get(0));
        self.kernel.backward_input(call.images, dy, &self.weight.values, x, work, dx)
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
        self.kernel.pack(parameters[0], &mut self.weight.values)?;
        match &mut self.bias {
            Some(bias) => bias.set("bias", parameters[1]),
            None => Ok(()),
        }
    }

    fn gradients(&self, batch: Contributions<'_>) -> Result<Vec<Vec<f32>>, KernelError> {
        let mut packed = vec![0.0; self.kernel.weight_len()];
        let (x, dy, len) = (batch.x(), batch.dy(), self.kernel.block_len().max(1));
        packed.par_chunks_mut(len).enumerate().try_for_each(|(block, gradient)| {
            Self::block_gradient(&self.kernel, block * len, &x, &dy, gradient)
        })?;
        let mut weight = vec![0.0; self.plain_len];
        self.kernel.unpack(&packed, &mut weight)?;
        Ok(std::iter::once(weight).chain(self.bias_gradient(batch)?).collect())
    }

    /// A block of the weight at a time: its gradient is still in the cache when the optimiser reads it.
    fn update(&mut self, batch: Contributions<'_>, rule: Rule) -> Outcome {
        let (x, dy) = (batch.x(), batch.dy());
        if let (Some(gradient), Some(bias)) = (self.bias_gradient(batch)?, &mut self.bias) {
            bias.step(&gradient, rule)?;
        }
        let kernel = &self.kernel;
        self.weight.step_in_parts(kernel.block_len(), rule, |start, gradient| {
            Self::block_gradient(kernel, start, &x, &dy, gradient)
        })
    }
}
