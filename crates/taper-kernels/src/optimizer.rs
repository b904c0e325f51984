//! Optimiser steps, in PyTorch's arithmetic.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};

/// Elements that one task handles.
const GRAIN: usize = 1 << 14;

/// An update rule with its settings; the learning rate is given with every step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent, [`torch.optim.SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html).
    Sgd {
        /// Share of the earlier velocity that is kept; 0 for none.
        momentum: f64,
        /// Nesterov's look-ahead.
        nesterov: bool,
        /// L2 penalty, added to the gradient.
        weight_decay: f64,
    },
    /// Adam (Kingma & Ba 2014), [`torch.optim.Adam`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html).
    Adam {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the denominator.
        eps: f64,
        /// L2 penalty, added to the gradient.
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2017),
    /// [`torch.optim.AdamW`](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html).
    AdamW {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the denominator.
        eps: f64,
        /// Share of the weight, times the learning rate, that is taken off at every step.
        weight_decay: f64,
    },
}

/// What an optimiser remembers of one parameter.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Moments {
    /// Steps taken.
    pub step: u64,
    /// Velocity (SGD) or mean of the gradients (Adam); empty where it is not used.
    pub first: Vec<f32>,
    /// Mean of the squared gradients (Adam); empty for SGD.
    pub second: Vec<f32>,
}

impl Optimizer {
    /// SGD with `momentum`, no Nesterov, no weight decay.
    pub fn sgd(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// Adam with PyTorch's defaults: β₁ 0.9, β₂ 0.999, ε 1e-8, no weight decay.
    pub fn adam() -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }

    /// AdamW with PyTorch's defaults: β₁ 0.9, β₂ 0.999, ε 1e-8, weight decay 0.01.
    pub fn adamw() -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.01 }
    }

    /// Moves `parameter` one step against `gradient`.
    ///
    /// # Errors
    /// [`KernelError::Length`] if the slices, or moments of an earlier step, differ in length; then nothing has changed.
    ///
    /// ```
    /// use taper_kernels::{Moments, Optimizer};
    /// let mut weight = [1.0];
    /// Optimizer::sgd(0.0).step(&mut weight, &[0.5], &mut Moments::default(), 0.1)?;
    /// assert_eq!(weight, [0.95]);
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn step(
        &self,
        parameter: &mut [f32],
        gradient: &[f32],
        moments: &mut Moments,
        learning_rate: f64,
    ) -> Result<(), KernelError> {
        check_len("gradient", gradient.len(), parameter.len())?;
        if moments.step == 0 {
            moments.allocate(self, parameter.len());
        }
        moments.check(self, parameter.len())?;
        moments.step += 1;
        match *self {
            Optimizer::Sgd { momentum, nesterov, weight_decay } => {
                Sgd { momentum, nesterov, weight_decay, learning_rate }.step(parameter, gradient, moments);
            }
            Optimizer::Adam { beta1, beta2, eps, weight_decay } => {
                Adam { beta1, beta2, eps, penalty: weight_decay, shrink: 0.0, learning_rate }
                    .step(parameter, gradient, moments);
            }
            Optimizer::AdamW { beta1, beta2, eps, weight_decay } => {
                let shrink = learning_rate * weight_decay;
                Adam { beta1, beta2, eps, penalty: 0.0, shrink, learning_rate }
                    .step(parameter, gradient, moments);
            }
        }
        Ok(())
    }

    /// Which moments the rule keeps: the first, the second.
    fn keeps(&self) -> [bool; 2] {
        match *self {
            Optimizer::Sgd { momentum, .. } => [momentum != 0.0, false],
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => [true, true],
        }
    }
}

impl Moments {
    fn allocate(&mut self, optimizer: &Optimizer, len: usize) {
        let [first, second] = optimizer.keeps().map(|kept| if kept { vec![0.0; len] } else { Vec::new() });
        (self.first, self.second) = (first, second);
    }

    fn check(&self, optimizer: &Optimizer, len: usize) -> Result<(), KernelError> {
        let [first, second] = optimizer.keeps();
        let moments = [("first moment", first, &self.first), ("second moment", second, &self.second)];
        let mut kept = moments.iter().filter(|(_, kept, _)| *kept);
        kept.try_for_each(|(what, _, moment)| check_len(what, moment.len(), len))
    }
}

struct Sgd {
    momentum: f64,
    nesterov: bool,
    weight_decay: f64,
    learning_rate: f64,
}

impl Sgd {
    fn step(&self, parameter: &mut [f32], gradient: &[f32], moments: &mut Moments) {
        let (rate, decay, momentum) =
            (self.learning_rate as f32, self.weight_decay as f32, self.momentum as f32);
        let all = parameter.par_chunks_mut(GRAIN).zip(gradient.par_chunks(GRAIN));
        if momentum == 0.0 {
            all.for_each(|(parameter, gradient)| {
                for (parameter, &gradient) in parameter.iter_mut().zip(gradient) {
                    *parameter -= rate * (gradient + decay * *parameter);
                }
            });
            return;
        }
        all.zip(moments.first.par_chunks_mut(GRAIN)).for_each(|((parameter, gradient), velocity)| {
            for ((parameter, &gradient), velocity) in parameter.iter_mut().zip(gradient).zip(velocity) {
                let gradient = gradient + decay * *parameter;
                *velocity = momentum * *velocity + gradient;
                let direction = if self.nesterov { gradient + momentum * *velocity } else { *velocity };
                *parameter -= rate * direction;
            }
        });
    }
}

/// Adam and AdamW: the one adds the decay to the gradient (`penalty`), the other shrinks the weight (`shrink`).
struct Adam {
    beta1: f64,
    beta2: f64,
    eps: f64,
    penalty: f64,
    shrink: f64,
    learning_rate: f64,
}

impl Adam {
    fn step(&self, parameter: &mut [f32], gradient: &[f32], moments: &mut Moments) {
        // A run of 2³¹ steps would take years; the powers underflow to 0 long before.
        let steps = i32::try_from(moments.step).unwrap_or(i32::MAX);
        let correction1 = 1.0 - self.beta1.powi(steps);
        let correction2 = (1.0 - self.beta2.powi(steps)).sqrt();
        let rate = (self.learning_rate / correction1) as f32;
        let (correction2, eps) = (correction2 as f32, self.eps as f32);
        let (keep, penalty) = ((1.0 - self.shrink) as f32, self.penalty as f32);
        let (fresh1, beta2, fresh2) =
            ((1.0 - self.beta1) as f32, self.beta2 as f32, (1.0 - self.beta2) as f32);
        let all = parameter.par_chunks_mut(GRAIN).zip(gradient.par_chunks(GRAIN));
        let moments = moments.first.par_chunks_mut(GRAIN).zip(moments.second.par_chunks_mut(GRAIN));
        all.zip(moments).for_each(|((parameter, gradient), (first, second))| {
            let values = parameter.iter_mut().zip(gradient).zip(first.iter_mut().zip(second));
            for ((parameter, &gradient), (first, second)) in values {
                let gradient = gradient + penalty * *parameter;
                *first += (gradient - *first) * fresh1;
                *second = beta2 * *second + fresh2 * gradient * gradient;
                let denominator = second.sqrt() / correction2 + eps;
                *parameter = keep * *parameter - rate * *first / denominator;
            }
        });
    }
}
