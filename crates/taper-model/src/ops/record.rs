//! Ops in candle's record of a computation, and in one beside it, which [`backward`](super::backward) can read.
//!
//! Candle does not show what a tensor was made by. So every tensor that an op here makes is noted with the op, for as
//! long as candle keeps them.

#![expect(clippy::disallowed_types, reason = "a tensor's id has no order; nothing here goes through the map")]

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, OnceLock, PoisonError, Weak};

use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, TensorId, bail,
};

use super::storage::refuse;
use crate::isa::isa;

/// An argument of a forward pass.
pub(super) type Argument<'a> = (&'a CpuStorage, &'a Layout);

/// The gradients of an op's inputs, of those that have one.
pub(super) type InputGradients = Vec<Option<Tensor>>;

/// What an op of one, two or three contiguous tensors computes.
pub(super) trait Operation: Send + Sync + 'static {
    /// The name in candle's errors.
    fn name(&self) -> &'static str;

    /// The output. It runs once, before any backward pass.
    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)>;

    /// The gradients of the inputs from that of the output; it may run several times, on several threads at once.
    fn backward(&self, inputs: &[&Tensor], y: &Tensor, dy: &Tensor) -> Result<InputGradients>;
}

/// Runs `op` on `inputs`.
pub(super) fn apply(op: impl Operation, inputs: &[&Tensor]) -> Result<Tensor> {
    isa().map_err(refuse)?;
    let inputs = inputs.iter().map(|input| input.contiguous()).collect::<Result<Vec<Tensor>>>()?;
    let made = Arc::new(Made { op, inputs, output: OnceLock::new() });
    let op = Shared(Arc::clone(&made));
    let y = match &made.inputs[..] {
        [x] => x.apply_op1(op)?,
        [x, y] => x.apply_op2(y, op)?,
        [x, y, z] => x.apply_op3(y, z, op)?,
        inputs => bail!("an op of {} tensors; candle has those of one, two and three", inputs.len()),
    };
    if y.track_op() {
        let id = *made.output.get_or_init(|| y.id());
        let made: Arc<dyn Differentiate> = made;
        lock().insert(id, Arc::downgrade(&made));
    }
    Ok(y)
}

/// The op here that made a tensor, if one did.
pub(super) fn made(tensor: &Tensor) -> Option<Arc<dyn Differentiate>> {
    lock().get(&tensor.id()).and_then(Weak::upgrade)
}

/// An op that has run.
pub(super) trait Differentiate: Send + Sync {
    /// What it ran on.
    fn inputs(&self) -> &[Tensor];

    /// See [`Operation::backward`].
    fn gradients(&self, y: &Tensor, dy: &Tensor) -> Result<InputGradients>;
}

struct Made<O> {
    op: O,
    inputs: Vec<Tensor>,
    output: OnceLock<TensorId>,
}

impl<O: Operation> Differentiate for Made<O> {
    fn inputs(&self) -> &[Tensor] {
        &self.inputs
    }

    fn gradients(&self, y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        self.op.backward(&self.inputs.iter().collect::<Vec<_>>(), y, dy)
    }
}

impl<O> Drop for Made<O> {
    /// Candle has forgotten the output. The inputs go after this, when the lock is free again for their own ops.
    fn drop(&mut self) {
        if let Some(id) = self.output.get() {
            lock().remove(id);
        }
    }
}

/// The ops of all tensors that there are, on all threads: a backward pass may run on another than the forward pass did.
fn lock() -> MutexGuard<'static, HashMap<TensorId, Weak<dyn Differentiate>>> {
    static MADE: LazyLock<Mutex<HashMap<TensorId, Weak<dyn Differentiate>>>> = LazyLock::new(Mutex::default);
    MADE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What candle holds of an op.
struct Shared<O>(Arc<Made<O>>);

impl<O: Operation> Shared<O> {
    fn gradients<const N: usize>(
        &self,
        inputs: [&Tensor; N],
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<[Option<Tensor>; N]> {
        let found = self.0.op.backward(&inputs, y, dy)?;
        let count = found.len();
        found.try_into().map_err(|_| refuse(format!("{} gave {count} gradients of {N}", self.0.op.name())))
    }
}

impl<O: Operation> CustomOp1 for Shared<O> {
    fn name(&self) -> &'static str {
        self.0.op.name()
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0.op.forward(&[(x, layout)])
    }

    fn bwd(&self, x: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        self.gradients([x], y, dy).map(|[x]| x)
    }
}

impl<O: Operation> CustomOp2 for Shared<O> {
    fn name(&self) -> &'static str {
        self.0.op.name()
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.0.op.forward(&[(a, a_layout), (b, b_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        self.gradients([a, b], y, dy).map(Into::into)
    }
}

impl<O: Operation> CustomOp3 for Shared<O> {
    fn name(&self) -> &'static str {
        self.0.op.name()
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        a_layout: &Layout,
        b: &CpuStorage,
        b_layout: &Layout,
        c: &CpuStorage,
        c_layout: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.0.op.forward(&[(a, a_layout), (b, b_layout), (c, c_layout)])
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        c: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        self.gradients([a, b, c], y, dy).map(Into::into)
    }
}
