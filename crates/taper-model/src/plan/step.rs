//! What every step of a plan can do.

use std::fmt::Debug;
use std::ops::Range;

use taper_kernels::{Aligned, DropoutKey, KernelError, Optimizer};

use super::chunk::{Buffer, Chunk, Sums};

pub(crate) type Outcome = Result<(), KernelError>;

/// A part of an update; it may use the memory for what it likes.
pub(crate) type Job<'a> = Box<dyn FnOnce(&mut Aligned) -> Outcome + Send + 'a>;

/// What is kept beside a parameter: the optimiser's first and second moments, and the moving average.
pub(crate) type Kept = [Vec<f32>; 3];

/// A step whose forward pass of one image, in evaluation, can be shared by threads.
pub(crate) trait InParts: Sync {
    /// How many parts there are.
    fn parts(&self) -> usize;

    /// Where in the image that the step writes a part starts, or its length behind the last part.
    fn part_start(&self, part: usize) -> usize;

    /// Fills `y`, the parts `parts` of the output for one image.
    fn forward_parts(
        &self,
        parts: Range<usize>,
        call: &mut Call<'_>,
        x: Inputs<'_>,
        y: &mut [f32],
    ) -> Outcome;
}

/// One or more nodes of the graph, fused. A step reads and writes the values of a few images of a chunk at a time, and
/// keeps its own parameters.
pub(crate) trait Step: Debug + Send + Sync {
    /// What it does, for [`Plan::explain`](super::Plan::explain).
    fn describe(&self) -> String;

    /// How many images a call should be about: few, so that what the next step reads is in the cache, or all of the
    /// chunk's, where weights are large.
    fn images(&self) -> usize;

    /// Fills `y`; in training also what the backward pass will need.
    fn forward(&self, call: &mut Call<'_>, x: Inputs<'_>, y: &mut [f32], saved: &mut [u8]) -> Outcome;

    /// If the forward pass of one image can be cut into parts as things are: how.
    fn in_parts(&self) -> Option<&dyn InParts> {
        None
    }

    /// Fills `dx`, the gradient of input number `place`, unless it is not wanted, and adds to `sums` what the gradients of the
    /// parameters are made of. Called once for every input that wants a gradient, and for the first in any case.
    fn backward(
        &self,
        call: &mut Call<'_>,
        place: usize,
        forward: Forward<'_>,
        dy: &[f32],
        dx: Option<&mut [f32]>,
        sums: &mut Sums,
    ) -> Outcome;

    /// Bytes that the forward pass saves for the backward pass, for one image.
    fn saved_len(&self) -> usize {
        0
    }

    /// Whether an element of the output that is 0 has no gradient, because a ReLU made or kept it 0.
    fn zero_is_dead(&self) -> bool {
        false
    }

    /// Whether it sums nothing up over a chunk, so that no result depends on how a batch is cut.
    fn is_free_of_chunks(&self) -> bool {
        false
    }

    /// Elements of all parameters.
    fn parameter_len(&self) -> usize {
        0
    }

    /// The parameters, in PyTorch's layouts and order.
    fn parameters(&self) -> Result<Vec<Vec<f32>>, KernelError> {
        Ok(Vec::new())
    }

    /// Takes over parameters in PyTorch's layouts and order.
    fn set_parameters(&mut self, _parameters: &[&[f32]]) -> Outcome {
        Ok(())
    }

    /// What is kept beside each parameter, in PyTorch's layouts and order; empty where nothing is.
    fn kept(&self) -> Result<Vec<Kept>, KernelError> {
        Ok(Vec::new())
    }

    /// Takes over what was kept, after `steps` steps.
    fn set_kept(&mut self, _steps: u64, _kept: &[[&[f32]; 3]]) -> Outcome {
        Ok(())
    }

    /// Elements of the gradients of all parameters, in the step's own order.
    fn gradient_len(&self) -> usize {
        0
    }

    /// Fills `gradient` with the gradients of the parameters over all chunks, in the step's own order.
    fn gradient(&self, _batch: Contributions<'_>, _gradient: &mut [f32]) -> Outcome {
        Ok(())
    }

    /// What [`Step::gradient`] gave, in PyTorch's layouts and order; empty for statistics.
    fn unpack_gradient(&self, _gradient: &[f32]) -> Result<Vec<Vec<f32>>, KernelError> {
        Ok(Vec::new())
    }

    /// Moves the parameters one step against gradients in the step's own order.
    fn update_by(&mut self, _gradient: &[f32], _rule: Rule) -> Outcome {
        Ok(())
    }

    /// What moves the parameters one step against their gradients over all chunks: jobs that may run at once, in any order.
    fn update<'a>(&'a mut self, batch: Contributions<'a>, rule: Rule) -> Result<Vec<Job<'a>>, KernelError> {
        if self.parameter_len() == 0 {
            return Ok(Vec::new());
        }
        Ok(vec![Box::new(move |memory| {
            let gradient = room(memory, self.gradient_len());
            self.gradient(batch, gradient)?;
            self.update_by(gradient, rule)
        })])
    }

    /// What the whole batch must agree on before this step can run, if anything.
    fn barrier(&self) -> Option<&dyn Barrier> {
        None
    }

    /// As [`Step::barrier`], to fill it.
    fn barrier_mut(&mut self) -> Option<&mut dyn Barrier> {
        None
    }
}

/// A step that needs sums over the whole batch: batch norm.
pub(crate) trait Barrier: Send + Sync {
    /// How many values of a channel a batch of so many images has.
    fn values(&self, images: usize) -> usize;

    /// Sums over one chunk before the forward pass.
    fn observe(&self, images: usize, x: Inputs<'_>, observed: &mut Vec<f64>) -> Outcome;

    /// Brings the chunks' sums together, in order.
    fn agree(&mut self, chunks: &[(usize, &[f64])]) -> Outcome;

    /// Sums over one chunk before the backward pass.
    fn observe_backward(
        &self,
        images: usize,
        forward: Forward<'_>,
        dy: &[f32],
        observed: &mut Vec<f64>,
    ) -> Outcome;

    /// Brings the chunks' sums together, in order.
    fn agree_backward(&mut self, chunks: &[(usize, &[f64])]) -> Outcome;

    /// How many numbers [`Barrier::statistics`] gives.
    fn statistics_len(&self) -> usize;

    /// The statistics of the batch, or of a shard, as the running ones follow them.
    fn statistics(&self) -> Vec<f64>;

    /// Moves the running statistics towards others, after a step that counts.
    fn move_statistics(&mut self, batch: &[f64]);
}

/// Which images a call is about, and what it may use.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// How many images.
    pub(crate) images: usize,
    /// The number in the whole batch of the first of them.
    pub(crate) first: usize,
    /// What dropout is drawn from; none outside training.
    pub(crate) dropout: Option<DropoutKey>,
    pub(crate) scratch: &'a mut Scratch,
}

/// Memory that a thread works in, kept from call to call.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    pub(crate) work: Aligned,
    pub(crate) gradient: Aligned,
    pub(crate) further: Aligned,
}

/// The first `len` elements of a buffer that grows when needed; what they hold is anything.
pub(crate) fn room(buffer: &mut Aligned, len: usize) -> &mut [f32] {
    buffer.grow(len);
    &mut buffer[..len]
}

/// The inputs of a step for the images of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub(crate) values: &'a [Aligned],
    pub(crate) buffers: &'a [Buffer],
    pub(crate) ids: &'a [usize],
    pub(crate) images: &'a Range<usize>,
}

impl<'a> Inputs<'a> {
    pub(crate) fn get(&self, place: usize) -> &'a [f32] {
        let id = self.ids[place];
        &self.values[id][self.buffers[id].range(self.images)]
    }
}

/// What the forward pass left.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Forward<'a> {
    pub(crate) x: Inputs<'a>,
    pub(crate) y: &'a [f32],
    pub(crate) saved: &'a [u8],
}

/// What the chunks of a batch say about a step's parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contributions<'a> {
    pub(crate) chunks: &'a [Chunk],
    /// The step's own number.
    pub(crate) step: usize,
    /// The buffers of its first input and of its output.
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) buffers: &'a [Buffer],
}

impl<'a> Contributions<'a> {
    /// What each chunk summed up as part number `part`, of those that did.
    pub(crate) fn sums(&self, part: usize) -> Vec<&'a [f32]> {
        self.chunks.iter().filter_map(|chunk| chunk.sums[self.step].used(part)).collect()
    }

    /// The step's input in each chunk.
    pub(crate) fn x(&self) -> Vec<&'a [f32]> {
        let rows = |chunk: &'a Chunk| &chunk.values[self.x][self.buffers[self.x].range(&(0..chunk.images))];
        self.chunks.iter().map(rows).collect()
    }

    /// The gradient of the step's output in each chunk.
    pub(crate) fn dy(&self) -> Vec<&'a [f32]> {
        let len = self.buffers[self.y].gradient_len();
        self.chunks.iter().map(|chunk| &chunk.gradients[self.y][..chunk.images * len]).collect()
    }
}

/// How parameters move.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) optimizer: Optimizer,
    pub(crate) learning_rate: f64,
    /// What gradients are multiplied by.
    pub(crate) gradient_scale: f32,
    /// How far the moving average goes towards the new values, if there is one.
    pub(crate) average_share: Option<f32>,
}
