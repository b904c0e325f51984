//! A few nodes of a graph, compiled and fused, as one op of candle's.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{CpuStorage, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor};
use taper_graph::{Graph, Op};
use taper_kernels::DropoutKey;

use super::backward::hand_over;
use super::storage::{gradient, output, refuse, slice, with_slices};
use crate::plan::{Around, Plan};

/// The most compiled operations that wait for another call: one for each forward pass whose backward pass is still to
/// come, usually, and for each size of images.
const IDLE: usize = 8;

/// A layer that keeps the buffers of earlier calls, so that the next call finds them in place.
#[derive(Debug, Default)]
pub(crate) struct Compiled {
    idle: Mutex<Vec<Held>>,
}

/// A compiled operation, and what it was compiled for.
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
        let (x, weight) = (x.contiguous()?, weight.contiguous()?);
        let bias = bias.map(Tensor::contiguous).transpose()?;
        let tracked = |tensor: &Tensor| tensor.track_op();
        let around = Around {
            training: key.is_some() || tracked(&x) || tracked(&weight) || bias.as_ref().is_some_and(tracked),
            input_gradient: tracked(&x),
            dropout_layer: key.map_or(0, |key| key.layer),
        };
        // What is drawn when there is no dropout does not matter.
        let key = key.unwrap_or(DropoutKey { seed: 0, step: 0, layer: 0 });
        let held = self.take(ops, x.dims(), around)?;
        held.check(&weight, bias.as_ref())?;
        let op = CompiledOp { home: Arc::clone(self), key, held: Mutex::new(Some(held)) };
        match bias {
            Some(bias) => x.apply_op3(&weight, &bias, op),
            None => x.apply_op2(&weight, op),
        }
    }

    /// An operation for inputs of these sizes, from an earlier call if there is one.
    fn take(&self, ops: Vec<Op>, dims: &[usize], around: Around) -> Result<Held> {
        let [_, item @ ..] = dims else { candle_core::bail!("a layer takes [N, …], not a scalar") };
        let mut idle = lock(&self.idle);
        let fits = |held: &Held| held.around == around && held.item == item && held.ops == ops;
        if let Some(place) = idle.iter().position(fits) {
            return Ok(idle.remove(place));
        }
        let name = ops.first().map_or("op", Op::name);
        let graph = Graph::sequential(name, item, ops.iter().cloned()).map_err(refuse)?;
        let plan = Plan::operation(&graph, around).map_err(refuse)?;
        Ok(Held { ops, item: item.to_vec(), around, plan, graph })
    }
}

impl Held {
    /// Whether the parameters are those that the ops have.
    fn check(&self, weight: &Tensor, bias: Option<&Tensor>) -> Result<()> {
        let layer = self.graph.name();
        for (named, tensor) in self.graph.params().zip([Some(weight), bias].into_iter().flatten()) {
            let (name, expected) = (named.param.name, &named.param.shape);
            if tensor.dims() != expected {
                let found = tensor.dims();
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

/// One call. Its buffers go back to the layer when candle forgets the result.
struct CompiledOp {
    home: Arc<Compiled>,
    key: DropoutKey,
    /// A custom op's backward gets tensors only, so what it needs besides waits here.
    held: Mutex<Option<Held>>,
}

impl Drop for CompiledOp {
    fn drop(&mut self) {
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let mut idle = lock(&self.home.idle);
        idle.extend(held);
        if idle.len() > IDLE {
            idle.remove(0);
        }
    }
}

impl CompiledOp {
    fn forward(
        &self,
        (x, x_layout): (&CpuStorage, &Layout),
        parameters: &[(&CpuStorage, &Layout)],
    ) -> Result<(CpuStorage, Shape)> {
        let parameters = parameters.iter().map(|(storage, layout)| slice(storage, layout));
        let parameters = parameters.collect::<Result<Vec<&[f32]>>>()?;
        let (images, x) = (x_layout.shape().dims()[0], slice(x, x_layout)?);
        let mut held = lock(&self.held);
        let Some(held) = &mut *held else { candle_core::bail!("this op has been dropped") };
        let (y, shape) = held.forward(images, x, &parameters, self.key)?;
        Ok(output(y, shape))
    }

    /// The gradients of the input, if it has one, and of all parameters.
    fn backward(
        &self,
        x: &Tensor,
        parameters: &[&Tensor],
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Vec<Option<Tensor>>)> {
        let mut held = lock(&self.held);
        let Some(held) = &mut *held else { candle_core::bail!("this op has been dropped") };
        let mut dx = held.around.input_gradient.then(|| vec![0.0; x.elem_count()]);
        let found = with_slices([dy], |[dy]| {
            held.plan.differentiate(self.key, dy, dx.as_deref_mut()).map_err(refuse)
        })?;
        let dx = dx.map(|dx| gradient(dx, x.shape())).transpose()?;
        let found = found.into_iter().zip(parameters);
        let found = found.map(|(found, of)| hand_over(of, found));
        Ok((dx, found.collect::<Result<Vec<Option<Tensor>>>>()?))
    }
}

impl CustomOp2 for CompiledOp {
    fn name(&self) -> &'static str {
        "compiled"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, x_layout), &[(weight, weight_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let (dx, found) = self.backward(x, &[weight], dy)?;
        Ok((dx, found.into_iter().next().flatten()))
    }
}

impl CustomOp3 for CompiledOp {
    fn name(&self) -> &'static str {
        "compiled"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        x_layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.forward((x, x_layout), &[(weight, weight_layout), (bias, bias_layout)])
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        bias: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let (dx, found) = self.backward(x, &[weight, bias], dy)?;
        let mut found = found.into_iter();
        Ok((dx, found.next().flatten(), found.next().flatten()))
    }
}

/// What a thread that panicked left is as good as any: its next user overwrites it.
fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
