//! A few nodes of a graph, compiled and fused, as one op.
//!
//! No lock is held while kernels run: a thread that waits for them may take up another task, which may ask for the same lock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, Result, Shape, Tensor};
use taper_graph::{Graph, Op};
use taper_kernels::DropoutKey;

use super::record::{self, Argument, InputGradients, Operation};
use super::storage::{gradient, output, refuse, slice, with_all, with_slices};
use crate::plan::{Around, Plan};

/// The most compiled operations that wait for another call: one for each forward pass whose backward pass is still to
/// come, usually, and for each size of images.
const IDLE: usize = 8;

/// A layer that keeps the buffers of earlier calls, so that the next call finds them in place.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    idle: Mutex<Vec<Held>>,
}

/// A compiled operation with its buffers, and what it was compiled for.
#[derive(Debug)]
struct Held {
    ops: Vec<Op>,
    /// Sizes of one image of the input.
    item: Vec<usize>,
    around: Around,
    plan: Plan,
    graph: Graph,
}

impl Compiled {
    /// Runs `ops` on `x` `[N, …]` in candle's record. The first op has the weight and perhaps a bias; the dropout among
    /// the others, if there is one, is drawn from `key`.
    pub(crate) fn apply(
        self: &Arc<Self>,
        ops: Vec<Op>,
        [x, weight]: [&Tensor; 2],
        bias: Option<&Tensor>,
        key: Option<DropoutKey>,
    ) -> Result<Tensor> {
        let inputs: Vec<&Tensor> = [x, weight].into_iter().chain(bias).collect();
        let around = Around {
            training: key.is_some() || inputs.iter().any(|tensor| tensor.track_op()),
            input_gradient: x.track_op(),
            dropout_layer: key.map_or(0, |key| key.layer),
        };
        // What is drawn when there is no dropout does not matter.
        let key = key.unwrap_or(DropoutKey { seed: 0, step: 0, layer: 0 });
        let op = CompiledOp { home: Arc::clone(self), ops, around, key, held: Mutex::default() };
        record::apply(op, &inputs)
    }

    /// An operation for inputs of these sizes, from an earlier call if there is one.
    fn take(&self, ops: &[Op], dims: &[usize], around: Around) -> Result<Held> {
        let [_, item @ ..] = dims else { candle_core::bail!("a layer takes [N, …], not a scalar") };
        let fits = |held: &Held| held.around == around && held.item == item && held.ops == ops;
        let mut idle = lock(&self.idle);
        if let Some(place) = idle.iter().position(fits) {
            return Ok(idle.remove(place));
        }
        drop(idle);
        let name = ops.first().map_or("op", Op::name);
        let graph = Graph::sequential(name, item, ops.iter().cloned()).map_err(refuse)?;
        let plan = Plan::operation(&graph, around).map_err(refuse)?;
        Ok(Held { ops: ops.to_vec(), item: item.to_vec(), around, plan, graph })
    }

    /// Keeps an operation for later calls.
    fn give(&self, held: Held) {
        let mut idle = lock(&self.idle);
        idle.push(held);
        let oldest = (idle.len() > IDLE).then(|| idle.remove(0));
        drop(idle);
        drop(oldest);
    }
}

impl Held {
    /// Whether the parameters are those that the ops have.
    fn check(&self, parameters: &[Shape]) -> Result<()> {
        let layer = self.graph.name();
        for (named, shape) in self.graph.params().zip(parameters) {
            let (name, expected) = (named.param.name, &named.param.shape);
            if shape.dims() != expected {
                let found = shape.dims();
                candle_core::bail!("the {name} of this {layer} is {found:?} and should be {expected:?}");
            }
        }
        Ok(())
    }

    fn forward(
        &mut self,
        images: usize,
        x: &[f32],
        parameters: &[&[f32]],
        key: DropoutKey,
    ) -> Result<(Vec<f32>, Shape)> {
        let shape: Shape = self.graph.output_shape().with_batch(images).into();
        let mut y = vec![0.0; shape.elem_count()];
        self.plan.set_parameters(parameters).map_err(refuse)?;
        let key = self.around.training.then_some(key);
        self.plan.apply(images, x, key, &mut y).map_err(refuse)?;
        Ok((y, shape))
    }
}

/// One call.
struct CompiledOp {
    home: Arc<Compiled>,
    ops: Vec<Op>,
    around: Around,
    key: DropoutKey,
    /// What the forward pass left for the backward pass; not here while a backward pass works on it. It goes back to
    /// the layer when candle forgets the result.
    held: Mutex<Option<Held>>,
}

impl Drop for CompiledOp {
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        held.into_iter().for_each(|held| self.home.give(held));
    }
}

impl CompiledOp {
    /// Keeps what a pass left, unless another pass has left as much.
    fn keep(&self, held: Held) {
        let mut own = lock(&self.held);
        if own.is_none() {
            *own = Some(held);
            return;
        }
        drop(own);
        self.home.give(held);
    }

    /// The forward pass once more, in other buffers: another thread works on those of the first.
    fn again(&self, inputs: &[&Tensor]) -> Result<Held> {
        let x = inputs[0];
        let mut held = self.home.take(&self.ops, x.dims(), self.around)?;
        with_all(inputs, |slices| held.forward(x.dims()[0], slices[0], &slices[1..], self.key))?;
        Ok(held)
    }
}

impl Operation for CompiledOp {
    fn name(&self) -> &'static str {
        "compiled"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let slices = inputs.iter().map(|(storage, layout)| slice(storage, layout));
        let slices = slices.collect::<Result<Vec<&[f32]>>>()?;
        let shapes: Vec<Shape> = inputs.iter().map(|(_, layout)| layout.shape().clone()).collect();
        let mut held = self.home.take(&self.ops, shapes[0].dims(), self.around)?;
        held.check(&shapes[1..])?;
        let (y, shape) = held.forward(shapes[0].dims()[0], slices[0], &slices[1..], self.key)?;
        self.keep(held);
        Ok(output(y, shape))
    }

    fn backward(&self, inputs: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let x = inputs[0];
        let left = lock(&self.held).take();
        let mut held = match left {
            Some(held) => held,
            None => self.again(inputs)?,
        };
        let mut dx = self.around.input_gradient.then(|| vec![0.0; x.elem_count()]);
        let found = with_slices([dy], |[dy]| {
            held.plan.differentiate(self.key, dy, dx.as_deref_mut()).map_err(refuse)
        })?;
        self.keep(held);
        let mut gradients = vec![dx.map(|dx| gradient(dx, x.shape())).transpose()?];
        for (found, parameter) in found.into_iter().zip(&inputs[1..]) {
            gradients.push(Some(gradient(found, parameter.shape())?));
        }
        Ok(gradients)
    }
}

/// What a thread that panicked left is as good as any: its next user overwrites it.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
