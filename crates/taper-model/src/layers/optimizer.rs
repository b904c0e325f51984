//! Optimiser steps on candle's variables, in place.

use std::sync::{Mutex, MutexGuard, PoisonError};

use candle_core::backprop::GradStore;
use candle_core::{CpuStorage, DType, InplaceOp2, Layout, Result, Tensor, Var};
use taper_kernels::{Moments, Optimizer};

use crate::isa::isa;
use crate::ops::{self, composed};

/// How a [`VarOptimizer`] moves variables.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct UpdateRule {
    /// SGD, Adam or AdamW, in PyTorch's arithmetic.
    pub optimizer: Optimizer,
    /// Learning rate.
    pub learning_rate: f64,
}

/// An optimiser for candle's variables that works in their storage, in parallel: no tensors are made in a step. (On other devices
/// than the CPU it is [`composed::update`].)
///
/// It is used as [`candle_nn::AdamW`] is. A variable without a gradient does not move, and its moments stay. While a
/// step runs, candle locks the variables: no other thread may use them then.
///
/// ```
/// use candle_core::{Device, Var};
/// use candle_nn::Optimizer as _;
/// use taper_model::{Optimizer, layers::{UpdateRule, VarOptimizer}};
/// let x = Var::new(&[3f32, -1.0], &Device::Cpu)?;
/// let rule = UpdateRule { optimizer: Optimizer::sgd(0.0), learning_rate: 0.25 };
/// let mut optimizer = VarOptimizer::new(vec![x.clone()], rule)?;
/// optimizer.backward_step(&x.sqr()?.sum_all()?)?;
/// assert_eq!(x.to_vec1::<f32>()?, [1.5, -0.5]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct VarOptimizer {
    variables: Vec<Variable>,
    rule: UpdateRule,
}

#[derive(Debug)]
struct Variable {
    var: Var,
    moments: Mutex<Moments>,
    /// Instead of those, if the variable is not on the CPU.
    elsewhere: composed::Moments,
}

impl candle_nn::Optimizer for VarOptimizer {
    type Config = UpdateRule;

    /// Variables that are not of floats are left out, as by candle's own optimisers.
    fn new(vars: Vec<Var>, config: UpdateRule) -> Result<Self> {
        isa().map_err(ops::refuse)?;
        let mut variables = Vec::with_capacity(vars.len());
        for var in vars.into_iter().filter(|var| var.dtype().is_float()) {
            if var.dtype() != DType::F32 {
                candle_core::bail!("a variable is {:?}; use f32", var.dtype());
            }
            variables.push(Variable {
                var,
                moments: Mutex::default(),
                elsewhere: composed::Moments::default(),
            });
        }
        Ok(Self { variables, rule: config })
    }

    fn step(&mut self, grads: &GradStore) -> Result<()> {
        let UpdateRule { optimizer, learning_rate } = self.rule;
        for Variable { var, moments, elsewhere } in &mut self.variables {
            let Some(gradient) = grads.get(var) else { continue };
            if var.device().is_cpu() {
                let op = StepOp { rule: self.rule, moments };
                var.as_tensor().inplace_op2(&gradient.contiguous()?, &op)?;
            } else {
                composed::update(&optimizer, var, gradient, elsewhere, learning_rate)?;
            }
        }
        Ok(())
    }

    /// Backward and step, with [`ops::backward`].
    fn backward_step(&mut self, loss: &Tensor) -> Result<()> {
        self.step(&ops::backward(loss)?)
    }

    fn learning_rate(&self) -> f64 {
        self.rule.learning_rate
    }

    fn set_learning_rate(&mut self, lr: f64) {
        self.rule.learning_rate = lr;
    }
}

/// One step of one variable.
struct StepOp<'a> {
    rule: UpdateRule,
    /// Behind a lock only because candle calls an op by a shared reference.
    moments: &'a Mutex<Moments>,
}

impl StepOp<'_> {
    fn lock(&self) -> MutexGuard<'_, Moments> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InplaceOp2 for StepOp<'_> {
    fn name(&self) -> &'static str {
        "optimizer step"
    }

    fn cpu_fwd(
        &self,
        variable: &mut CpuStorage,
        layout: &Layout,
        gradient: &CpuStorage,
        gradient_layout: &Layout,
    ) -> Result<()> {
        let CpuStorage::F32(variable) = variable else { candle_core::bail!("a variable that is not f32") };
        let Some((start, end)) = layout.contiguous_offsets() else {
            candle_core::bail!("a variable that is not contiguous")
        };
        let gradient = ops::slice(gradient, gradient_layout)?;
        // Taken out, so that no lock is held while the kernel's threads are waited for.
        let mut moments = std::mem::take(&mut *self.lock());
        let UpdateRule { optimizer, learning_rate } = self.rule;
        let outcome = optimizer.step(&mut variable[start..end], gradient, &mut moments, learning_rate);
        *self.lock() = moments;
        outcome.map_err(ops::refuse)
    }
}
