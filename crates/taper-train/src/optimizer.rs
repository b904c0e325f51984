//! The optimiser as it is written in a configuration file.

use serde::{Deserialize, Serialize};

/// How gradients become updates; settings left out have PyTorch's defaults.
///
/// In a configuration file it is a table with the optimiser's `name`, such as
/// `optimizer = { name = "sgd", momentum = 0.9 }`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
#[non_exhaustive]
pub enum Optimizer {
    /// Stochastic gradient descent, `torch.optim.SGD`.
    Sgd {
        /// The fraction of the last update that goes into the next; 0 for none.
        #[serde(default)]
        momentum: f64,
        /// Nesterov's momentum.
        #[serde(default)]
        nesterov: bool,
        /// L2 penalty, added to the gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam (Kingma & Ba 2014), `torch.optim.Adam`.
    Adam {
        /// Decay of the running means of the gradient and of its square.
        #[serde(default = "default_betas")]
        betas: [f64; 2],
        /// Added to the denominator, so that it is never 0.
        #[serde(default = "default_eps")]
        eps: f64,
        /// L2 penalty, added to the gradient.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2017), `torch.optim.AdamW`.
    AdamW {
        /// Decay of the running means of the gradient and of its square.
        #[serde(default = "default_betas")]
        betas: [f64; 2],
        /// Added to the denominator, so that it is never 0.
        #[serde(default = "default_eps")]
        eps: f64,
        /// The fraction, times the learning rate, that each weight shrinks by per step.
        #[serde(default = "default_decoupled_decay")]
        weight_decay: f64,
    },
}

fn default_betas() -> [f64; 2] {
    [0.9, 0.999]
}

fn default_eps() -> f64 {
    1e-8
}

fn default_decoupled_decay() -> f64 {
    0.01
}

impl Default for Optimizer {
    fn default() -> Self {
        Self::adam()
    }
}

impl Optimizer {
    /// `torch.optim.Adam` with its defaults: betas 0.9 and 0.999, eps 1e-8, no weight decay.
    #[must_use]
    pub fn adam() -> Self {
        Self::Adam { betas: default_betas(), eps: default_eps(), weight_decay: 0.0 }
    }

    /// `torch.optim.AdamW` with its defaults: as [`Optimizer::adam`], and weight decay 0.01.
    #[must_use]
    pub fn adamw() -> Self {
        Self::AdamW { betas: default_betas(), eps: default_eps(), weight_decay: default_decoupled_decay() }
    }

    /// `torch.optim.SGD` with `momentum`.
    #[must_use]
    pub fn sgd(momentum: f64) -> Self {
        Self::Sgd { momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// The name in a configuration file.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// The weight decay.
    #[must_use]
    pub fn weight_decay(&self) -> f64 {
        match *self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. } => weight_decay,
        }
    }

    /// The same rule with another weight decay.
    #[must_use]
    pub fn with_weight_decay(mut self, decay: f64) -> Self {
        match &mut self {
            Self::Sgd { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. } => *weight_decay = decay,
        }
        self
    }

    /// Every numeric setting: its name, its value, and whether it must stay below 1.
    pub(crate) fn settings(&self) -> Vec<(&'static str, f64, bool)> {
        match *self {
            Self::Sgd { momentum, weight_decay, .. } => {
                vec![("optimizer.momentum", momentum, true), ("optimizer.weight_decay", weight_decay, false)]
            }
            Self::Adam { betas: [first, second], eps, weight_decay }
            | Self::AdamW { betas: [first, second], eps, weight_decay } => vec![
                ("optimizer.betas[0]", first, true),
                ("optimizer.betas[1]", second, true),
                ("optimizer.eps", eps, false),
                ("optimizer.weight_decay", weight_decay, false),
            ],
        }
    }
}

impl From<Optimizer> for taper_model::Optimizer {
    fn from(optimizer: Optimizer) -> Self {
        match optimizer {
            Optimizer::Sgd { momentum, nesterov, weight_decay } => {
                Self::Sgd { momentum, nesterov, weight_decay }
            }
            Optimizer::Adam { betas: [beta1, beta2], eps, weight_decay } => {
                Self::Adam { beta1, beta2, eps, weight_decay }
            }
            Optimizer::AdamW { betas: [beta1, beta2], eps, weight_decay } => {
                Self::AdamW { beta1, beta2, eps, weight_decay }
            }
        }
    }
}
