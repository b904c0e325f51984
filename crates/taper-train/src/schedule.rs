//! Learning-rate schedules: the rate that each optimiser step runs at.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

/// How the learning rate changes over a training run, step by step.
///
/// Steps count from 0 over all epochs; the rates are those that PyTorch's schedulers give when they are
/// stepped after every batch. No schedule touches the momentum (PyTorch's `cycle_momentum=False`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Schedule {
    /// The same rate throughout.
    #[default]
    Constant,
    /// From the learning rate down to 0 along half a cosine: `CosineAnnealingLR(T_max=steps)` (Loshchilov &
    /// Hutter 2016).
    Cosine,
    /// From the learning rate down to 0 along a line: `LinearLR(start_factor=1, end_factor=0, total_iters=steps)`.
    Linear,
    /// Up to the learning rate and down again: `OneCycleLR(max_lr=learning_rate, total_steps=steps)` with its
    /// defaults, see [`OneCycle`].
    OneCycle,
}

impl Schedule {
    /// All schedules.
    pub const ALL: [Schedule; 4] =
        [Schedule::Constant, Schedule::Cosine, Schedule::Linear, Schedule::OneCycle];

    /// The name in a configuration file.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Schedule::Constant => "constant",
            Schedule::Cosine => "cosine",
            Schedule::Linear => "linear",
            Schedule::OneCycle => "one_cycle",
        }
    }

    /// The rate of step `step` of `steps`, where `learning_rate` is the configured one.
    ///
    /// ```
    /// use taper_train::Schedule;
    /// assert_eq!(Schedule::Constant.rate(1e-3, 7, 10), 1e-3);
    /// assert_eq!(Schedule::Cosine.rate(1e-3, 5, 10), 0.5e-3);
    /// assert!((Schedule::OneCycle.rate(1e-3, 0, 10) - 1e-3 / 25.0).abs() < 1e-18);
    /// ```
    #[must_use]
    pub fn rate(self, learning_rate: f64, step: usize, steps: usize) -> f64 {
        match self {
            Schedule::Constant => learning_rate,
            Schedule::Cosine => cosine_annealing(learning_rate, 0.0, step, steps),
            Schedule::Linear => learning_rate * (1.0 - step as f64 / steps.max(1) as f64),
            Schedule::OneCycle => OneCycle::new(learning_rate).rate(step, steps),
        }
    }

    /// As [`Schedule::rate`], after a warm-up over the share `warmup` of the steps, in which the rate rises in equal steps
    /// up to the learning rate (Goyal et al. 2017); the schedule runs over the steps that are left.
    ///
    /// ```
    /// use taper_train::Schedule;
    /// let rates = [0, 1, 2, 3].map(|step| Schedule::Linear.warmed_rate(0.5, 1.0, step, 4));
    /// assert_eq!(rates, [0.5, 1.0, 1.0, 0.5]);
    /// ```
    #[must_use]
    pub fn warmed_rate(self, warmup: f64, learning_rate: f64, step: usize, steps: usize) -> f64 {
        let rising = (warmup * steps as f64).round() as usize;
        match step.checked_sub(rising) {
            None => learning_rate * (step + 1) as f64 / rising as f64,
            Some(step) => self.rate(learning_rate, step, steps.saturating_sub(rising)),
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The rate of step `step` of PyTorch's `CosineAnnealingLR(T_max=t_max, eta_min=eta_min)`:
/// `eta_min + (base − eta_min)·(1 + cos(π·step/t_max))/2`.
///
/// `eta_min` would be reached at step `t_max`, one after the last.
#[must_use]
pub fn cosine_annealing(base: f64, eta_min: f64, step: usize, t_max: usize) -> f64 {
    half_cosine(base, eta_min, step as f64 / t_max.max(1) as f64)
}

/// PyTorch's `OneCycleLR` with cosine annealing and two phases (Smith & Topin 2018, "Super-Convergence").
///
/// The rate rises from `max_lr / div_factor` to `max_lr`, reached at step `pct_start · steps − 1`, and falls to
/// `max_lr / div_factor / final_div_factor`, reached at the last step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OneCycle {
    /// The highest rate.
    pub max_lr: f64,
    /// The fraction of the steps in which the rate rises.
    pub pct_start: f64,
    /// The highest rate over the first one.
    pub div_factor: f64,
    /// The first rate over the last one.
    pub final_div_factor: f64,
}

impl OneCycle {
    /// A cycle up to `max_lr` with PyTorch's defaults: 30 % rising, from `max_lr / 25`, down to a 10,000th of that.
    #[must_use]
    pub fn new(max_lr: f64) -> Self {
        Self { max_lr, pct_start: 0.3, div_factor: 25.0, final_div_factor: 1e4 }
    }

    /// The rate of step `step` of `steps`.
    #[must_use]
    pub fn rate(&self, step: usize, steps: usize) -> f64 {
        let first = self.max_lr / self.div_factor;
        let last = first / self.final_div_factor;
        let (step, end) = (step as f64, steps as f64 - 1.0);
        let peak = self.pct_start * steps as f64 - 1.0;
        if step <= peak {
            half_cosine(first, self.max_lr, portion(step, peak))
        } else {
            half_cosine(self.max_lr, last, portion(step - peak, end - peak))
        }
    }
}

/// From `start` to `end` along half a cosine, as `portion` goes from 0 to 1.
fn half_cosine(start: f64, end: f64, portion: f64) -> f64 {
    end + (start - end) / 2.0 * (1.0 + libm::cos(PI * portion))
}

/// `part ÷ whole`; a phase without length is over at once.
fn portion(part: f64, whole: f64) -> f64 {
    if whole > 0.0 { part / whole } else { 1.0 }
}
