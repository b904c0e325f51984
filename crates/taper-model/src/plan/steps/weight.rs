//! A parameter with its optimiser state, and what kernels make of it.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use taper_kernels::{KernelError, Moments};

use crate::plan::step::{Outcome, Rule};

/// A parameter in the order its step works in.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    pub(crate) values: Vec<f32>,
    moments: Moments,
}

impl Weight {
    pub(crate) fn zeros(len: usize) -> Self {
        Self { values: vec![0.0; len], moments: Moments::default() }
    }

    /// Takes over values of the same number.
    pub(crate) fn set(&mut self, what: &'static str, values: &[f32]) -> Outcome {
        if values.len() != self.values.len() {
            return Err(KernelError::Length { what, expected: self.values.len(), found: values.len() });
        }
        self.values.copy_from_slice(values);
        Ok(())
    }

    /// One optimiser step.
    pub(crate) fn step(&mut self, gradient: &[f32], rule: Rule) -> Outcome {
        rule.optimizer.step(&mut self.values, gradient, &mut self.moments, rule.learning_rate)
    }
}

/// Weights in the order of one kernel: made when they are first asked for, made anew after every change as long as
/// they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    current: OnceLock<Vec<f32>>,
    asked_for: AtomicBool,
}

impl Packed {
    /// The packed weights; `pack` makes them if they are not there.
    pub(crate) fn get(
        &self,
        len: usize,
        pack: impl FnOnce(&mut [f32]) -> Outcome,
    ) -> Result<&[f32], KernelError> {
        self.asked_for.store(true, Ordering::Relaxed);
        let mut outcome = Ok(());
        let packed = self.current.get_or_init(|| {
            let mut packed = vec![0.0; len];
            outcome = pack(&mut packed);
            packed
        });
        outcome.map(|()| &packed[..])
    }

    /// The weights have changed.
    pub(crate) fn refresh(&mut self, pack: impl FnOnce(&mut [f32]) -> Outcome) -> Outcome {
        let Some(mut packed) = self.current.take() else { return Ok(()) };
        if !self.asked_for.swap(false, Ordering::Relaxed) {
            // Nobody wanted it of late.
            return Ok(());
        }
        let outcome = pack(&mut packed);
        self.current.get_or_init(|| packed);
        outcome
    }
}
