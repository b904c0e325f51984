//! Optimiser steps, in PyTorch's arithmetic.

mod rule;

use rayon::prelude::*;

use self::rule::Rule;
use crate::error::{KernelError, check_len};

/// Elements that one task handles.
const GRAIN: usize = 1 << 14;

/// An update rule with its settings; the learning rate is given with every step.
///
/// ```
/// use taper_kernels::Optimizer;
/// // Momentum has a velocity, Adam two means; plain gradient descent remembers nothing.
/// assert_eq!(Optimizer::sgd(0.0).keeps(), [false, false]);
/// assert_eq!(Optimizer::sgd(0.9).keeps(), [true, false]);
/// assert_eq!(Optimizer::adamw().keeps(), [true, true]);
/// ```
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
        moments.step = moments.step.saturating_add(1);
        let rule = Rule::new(self, moments.step, learning_rate);
        let [first, second] = self.keeps();
        let pieces = parameter.par_chunks_mut(GRAIN).zip(gradient.par_chunks(GRAIN));
        let Moments { first: velocity, second: square, .. } = moments;
        match (first, second) {
            (false, _) => pieces.for_each(|(p, g)| rule.apply(p, g, [&mut [], &mut []])),
            (true, false) => pieces
                .zip(velocity.par_chunks_mut(GRAIN))
                .for_each(|((p, g), first)| rule.apply(p, g, [first, &mut []])),
            (true, true) => pieces
                .zip(velocity.par_chunks_mut(GRAIN).zip(square.par_chunks_mut(GRAIN)))
                .for_each(|((p, g), (first, second))| rule.apply(p, g, [first, second])),
        }
        Ok(())
    }

    /// As [`Optimizer::step`] for part of a parameter, on the calling thread: a caller that makes a gradient piece by piece
    /// applies each while it is in the cache. The bits are the same however a parameter is cut.
    ///
    /// `moments` are the first and the second of that part, zero before the first step; those that the rule does not
    /// keep ([`Optimizer::keeps`]) may be empty. `step` is the number of this step, the first being 1.
    ///
    /// # Errors
    /// [`KernelError::Length`] if the slices differ in length; then nothing has changed.
    ///
    /// ```
    /// use taper_kernels::Optimizer;
    /// let (mut weight, mut velocity) = ([1.0, 2.0], [0.0, 0.0]);
    /// let [part, rest] = [&mut weight[..1], &mut velocity[..1]];
    /// Optimizer::sgd(0.9).step_part(part, &[0.5], [rest, &mut []], 1, 0.1)?;
    /// assert_eq!((weight, velocity), ([0.95, 2.0], [0.5, 0.0]));
    /// # Ok::<(), taper_kernels::KernelError>(())
    /// ```
    pub fn step_part(
        &self,
        parameter: &mut [f32],
        gradient: &[f32],
        moments: [&mut [f32]; 2],
        step: u64,
        learning_rate: f64,
    ) -> Result<(), KernelError> {
        let [first, second] = self.keeps();
        let kept = |kept: bool, moment: &[f32]| if kept { moment.len() } else { parameter.len() };
        check_len("gradient", gradient.len(), parameter.len())?;
        check_len("first moment", kept(first, &*moments[0]), parameter.len())?;
        check_len("second moment", kept(second, &*moments[1]), parameter.len())?;
        Rule::new(self, step, learning_rate).apply(parameter, gradient, moments);
        Ok(())
    }

    /// Which moments the rule keeps: the first, the second.
    #[must_use]
    pub fn keeps(&self) -> [bool; 2] {
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
