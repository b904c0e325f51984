//! A parameter with its optimiser state, and what kernels make of it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use taper_kernels::{Aligned, KernelError};

use crate::plan::step::{Job, Kept, Outcome, Rule, room};
use crate::plan::team::run;

/// Elements of a parameter that one task moves.
const PART: usize = 1 << 14;

/// A parameter in the order its step works in.
#[derive(Debug, Default)]
pub(crate) struct Weight {
    pub(crate) values: Aligned,
    /// The optimiser's moments, and the moving average; empty where they are not wanted.
    kept: [Aligned; 3],
    steps: u64,
}

impl Weight {
    pub(crate) fn zeros(len: usize) -> Self {
        Self { values: Aligned::zeros(len), ..Self::default() }
    }

    /// Takes over values of the same number.
    pub(crate) fn set(&mut self, what: &'static str, values: &[f32]) -> Outcome {
        check_len(what, values.len(), self.values.len())?;
        self.values.copy_from_slice(values);
        Ok(())
    }

    /// What is kept beside the values: nothing before the first step.
    pub(crate) fn kept(&self) -> Kept {
        self.kept.each_ref().map(|kept| kept.to_vec())
    }

    /// Goes on after `steps` steps that left this, whose elements beyond the last are zero.
    pub(crate) fn set_kept(&mut self, steps: u64, kept: [&[f32]; 3]) -> Outcome {
        self.steps = steps;
        for (own, kept) in self.kept.iter_mut().zip(kept) {
            if kept.len() > self.values.len() {
                return check_len("moment", kept.len(), self.values.len());
            }
            *own = Aligned::zeros(if kept.is_empty() { 0 } else { self.values.len() });
            own[..kept.len()].copy_from_slice(kept);
        }
        Ok(())
    }

    /// One optimiser step over parts of `len` elements, a job each; `gradient(part, …)` fills the gradient of a part.
    pub(crate) fn jobs<'a>(
        &'a mut self,
        len: usize,
        rule: Rule,
        gradient: impl Fn(usize, &mut [f32]) -> Outcome + Send + Sync + 'a,
    ) -> Vec<Job<'a>> {
        let [first, second, average] = &mut self.kept;
        for (moment, kept) in [&mut *first, &mut *second].into_iter().zip(rule.optimizer.keeps()) {
            moment.grow(if kept { self.values.len() } else { 0 });
        }
        if rule.average_share.is_some() && average.is_empty() {
            *average = Aligned::zeros(self.values.len());
            average.copy_from_slice(&self.values);
        }
        self.steps += 1;
        let step = self.steps;
        let (len, count) = (len.max(1), self.values.len().div_ceil(len.max(1)));
        let moments = pieces(first, len, count).into_iter().zip(pieces(second, len, count));
        let kept = moments.zip(pieces(average, len, count));
        let gradient = Arc::new(gradient);
        let mut jobs: Vec<Job<'a>> = Vec::with_capacity(count);
        for (part, (values, ((first, second), average))) in self.values.chunks_mut(len).zip(kept).enumerate()
        {
            let gradient = Arc::clone(&gradient);
            jobs.push(Box::new(move |memory| {
                let own = room(memory, values.len());
                gradient(part, own)?;
                move_part(values, own, [first, second, average], step, rule)
            }));
        }
        jobs
    }

    /// One optimiser step.
    pub(crate) fn step(&mut self, gradient: &[f32], rule: Rule) -> Outcome {
        check_len("gradient", gradient.len(), self.values.len())?;
        let own = |part: usize, own: &mut [f32]| {
            own.copy_from_slice(&gradient[part * PART..][..own.len()]);
            Ok(())
        };
        run(self.jobs(PART, rule, own))
    }
}

/// Moves a part of a parameter, whose moments and average may be empty.
fn move_part(
    values: &mut [f32],
    gradient: &mut [f32],
    [first, second, average]: [&mut [f32]; 3],
    step: u64,
    rule: Rule,
) -> Outcome {
    if rule.gradient_scale != 1.0 {
        gradient.iter_mut().for_each(|gradient| *gradient *= rule.gradient_scale);
    }
    rule.optimizer.step_part(values, gradient, [first, second], step, rule.learning_rate)?;
    if let Some(share) = rule.average_share {
        let pairs = average.iter_mut().zip(&*values);
        pairs.for_each(|(average, value)| *average += share * (value - *average));
    }
    Ok(())
}

/// Weights in the order of one kernel: made when they are first asked for, made anew after every change as long as
/// they are asked for.
#[derive(Debug, Default)]
pub(crate) struct Packed {
    current: OnceLock<Aligned>,
    /// Held while they are made, so that no two threads make them.
    making: Mutex<()>,
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
        if self.current.get().is_none() {
            let _making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            if self.current.get().is_none() {
                let mut packed = Aligned::zeros(len);
                pack(&mut packed)?;
                let _ = self.current.set(packed);
            }
        }
        Ok(self.current.get().map_or(&[], |packed| &packed[..]))
    }

    /// The weights have changed: those that somebody asked for of late are made anew, others forgotten.
    pub(crate) fn refresh(&mut self, pack: impl FnOnce(&mut [f32]) -> Outcome) -> Outcome {
        if !self.asked_for.swap(false, Ordering::Relaxed) {
            self.current = OnceLock::new();
        }
        self.current.get_mut().map_or(Ok(()), |packed| pack(packed))
    }
}

/// `count` pieces, each of `len` elements but the last; empty ones of what is empty.
fn pieces(values: &mut [f32], len: usize, count: usize) -> Vec<&mut [f32]> {
    let mut pieces: Vec<&mut [f32]> = values.chunks_mut(len).collect();
    pieces.resize_with(count, Default::default);
    pieces
}

pub(super) fn check_len(what: &'static str, found: usize, expected: usize) -> Outcome {
    if found == expected { Ok(()) } else { Err(KernelError::Length { what, expected, found }) }
}
