//! [`FitConfig`]: everything that decides how a network is trained, and the one place of the defaults.

use serde::{Deserialize, Serialize};

use taper_data::Augment;

use crate::optimizer::Optimizer;
use crate::schedule::Schedule;

/// How to train: the `[train]` table of a configuration file.
///
/// Fields left out of a file have the values of [`FitConfig::default`]; a field it does not know is an error.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FitConfig {
    /// Passes over the training images.
    pub epochs: usize,
    /// Images per step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// The step size; with a schedule, the highest one.
    pub learning_rate: f64,
    /// How the learning rate changes from step to step.
    pub schedule: Schedule,
    /// The share of the steps in which the learning rate first rises, in equal steps; see [`Schedule::warmed_rate`].
    pub warmup: f64,
    /// The share of the target taken from the right class and spread evenly over all classes, in `[0, 1)`
    /// (Szegedy et al. 2015). The loss on the validation images is with it, too.
    pub label_smoothing: f64,
    /// The probability of every dropout layer, in place of the network's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,
    /// The norm that all gradients of a step together, as one vector, are clipped to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The decay of an exponential moving average of the weights, such as 0.999. It is what is validated and kept, in
    /// place of the weights themselves; the running statistics of batch norm are kept as they are, as by PyTorch's
    /// `AveragedModel`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ema_decay: Option<f64>,
    /// How many shards a batch is cut into, each run by itself, before their gradients are added; one for each rank if not given
    /// ([`TrainerSettings::shards`](taper_model::TrainerSettings::shards)). It decides the bits of the result, and the number of
    /// ranks does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shards: Option<usize>,
    /// Ends the run after so many epochs without a lower validation loss.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub early_stopping: Option<usize>,
    /// Decides the order of the images, their changes and the dropout. (The first weights have a seed of their own, given to
    /// the model.) TOML holds seeds up to 2⁶³ − 1.
    pub seed: u64,
    /// How gradients become updates. Tables are last, since TOML wants them after plain values.
    pub optimizer: Optimizer,
    /// How training images are changed at random.
    pub augment: Augment,
}

impl Default for FitConfig {
    fn default() -> Self {
        Self {
            epochs: 5,
            batch_size: 100,
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            warmup: 0.0,
            label_smoothing: 0.0,
            dropout: None,
            clip_norm: None,
            ema_decay: None,
            shards: None,
            early_stopping: None,
            seed: 0,
            optimizer: Optimizer::adam(),
            augment: Augment::default(),
        }
    }
}

/// A setting that training cannot work with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{setting} is {value}; it must be {allowed}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The setting's name in a configuration file.
    pub setting: &'static str,
    /// Its value.
    pub value: String,
    /// What would do.
    pub allowed: &'static str,
}

const BELOW_ONE: &str = "a number from 0 up to, but not including, 1";
const NOT_NEGATIVE: &str = "a number that is 0 or greater";

impl FitConfig {
    /// Proves that training can run with these settings.
    ///
    /// # Errors
    /// The first setting that it cannot work with.
    ///
    /// ```
    /// use taper_train::FitConfig;
    /// FitConfig::default().validate()?;
    /// let error = FitConfig { learning_rate: -1.0, ..FitConfig::default() }.validate().unwrap_err();
    /// assert_eq!(error.to_string(), "learning_rate is -1; it must be a number greater than 0, such as 0.001");
    /// # Ok::<(), taper_train::ConfigError>(())
    /// ```
    pub fn validate(&self) -> Result<(), ConfigError> {
        let refuse = |setting, value: &dyn std::fmt::Display, allowed| {
            Err(ConfigError { setting, value: value.to_string(), allowed })
        };
        if self.epochs == 0 {
            return refuse("epochs", &self.epochs, "at least 1");
        }
        check_batch_size(self.batch_size)?;
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return refuse("learning_rate", &self.learning_rate, "a number greater than 0, such as 0.001");
        }
        let fractions = [
            ("warmup", Some(self.warmup)),
            ("label_smoothing", Some(self.label_smoothing)),
            // It becomes an f32, which must not round to 1.
            ("dropout", self.dropout.map(|p| f64::from(p as f32))),
            ("ema_decay", self.ema_decay),
        ];
        for (setting, value) in fractions {
            if let Some(value) = value.filter(|value| !(0.0..1.0).contains(value)) {
                return refuse(setting, &value, BELOW_ONE);
            }
        }
        if self.warmup > 0.0 && self.schedule == Schedule::OneCycle {
            return refuse(
                "warmup",
                &self.warmup,
                "0 with the schedule one_cycle, which has a warm-up of its own",
            );
        }
        if let Some(norm) = self.clip_norm.filter(|norm| !(norm.is_finite() && *norm > 0.0)) {
            return refuse("clip_norm", &norm, "a number greater than 0, such as 1");
        }
        if let Some(shards) = self.shards.filter(|shards| !(1..=self.batch_size).contains(shards)) {
            return refuse("shards", &shards, "at least 1, and no more than batch_size");
        }
        if self.early_stopping == Some(0) {
            return refuse("early_stopping", &0, "at least 1");
        }
        if let Some((setting, value, allowed)) = self.augment.refused() {
            return refuse(setting, &value, allowed);
        }
        for (setting, value, below_one) in self.optimizer.settings() {
            if !(value.is_finite() && value >= 0.0 && (value < 1.0 || !below_one)) {
                return refuse(setting, &value, if below_one { BELOW_ONE } else { NOT_NEGATIVE });
            }
        }
        match self.optimizer {
            // PyTorch refuses it too: Nesterov's step looks ahead along the momentum.
            Optimizer::Sgd { momentum: 0.0, nesterov: true, .. } => {
                refuse("optimizer.nesterov", &true, "false unless optimizer.momentum is greater than 0")
            }
            _ => Ok(()),
        }
    }
}

pub(crate) fn check_batch_size(batch_size: usize) -> Result<std::num::NonZeroUsize, ConfigError> {
    std::num::NonZeroUsize::new(batch_size).ok_or_else(|| ConfigError {
        setting: "batch_size",
        value: batch_size.to_string(),
        allowed: "at least 1, such as 100",
    })
}
