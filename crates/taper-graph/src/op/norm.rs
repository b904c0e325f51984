//! Batch normalisation.

use serde::{Deserialize, Serialize};

use super::Inferred;
use crate::error::ShapeError;
use crate::param::{Init, Param};
use crate::shape::Shape;

/// Batch normalisation (Ioffe & Szegedy 2015) of each channel: by the batch's own mean and variance while
/// training, by their running averages otherwise; then scaled by `weight` and shifted by `bias`.
///
/// # Shapes
/// `[N, C, H, W]` in and out; all four parameters `[C]`.
///
/// Source: [`torch.nn.BatchNorm2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.BatchNorm2d.html), ONNX
/// `BatchNormalization`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm2d {
    /// Added to the variance, so that a constant channel does not divide by zero.
    #[serde(default = "eps")]
    pub eps: f64,
    /// The new batch's share in the running averages.
    #[serde(default = "momentum")]
    pub momentum: f64,
}

fn eps() -> f64 {
    1e-5
}

fn momentum() -> f64 {
    0.1
}

impl Default for BatchNorm2d {
    fn default() -> Self {
        Self { eps: eps(), momentum: momentum() }
    }
}

impl BatchNorm2d {
    pub(super) fn infer(&self, input: &Shape) -> Result<Inferred, ShapeError> {
        let [channels, _, _] = input.image()?;
        let setting = |setting, value: f64, allowed| {
            Err(ShapeError::Setting { setting, value: value.to_string(), allowed })
        };
        if !(self.eps > 0.0 && self.eps.is_finite()) {
            return setting("eps", self.eps, "a small number above 0, such as 1e-5");
        }
        if !(0.0..=1.0).contains(&self.momentum) {
            return setting("momentum", self.momentum, "a number from 0 to 1, such as 0.1");
        }
        let shape = vec![channels];
        let params = vec![
            Param::trained("weight", shape.clone(), Init::Constant(1.0)),
            Param::trained("bias", shape.clone(), Init::Constant(0.0)),
            Param::statistic("running_mean", shape.clone(), Init::Constant(0.0)),
            Param::statistic("running_var", shape, Init::Constant(1.0)),
        ];
        Inferred::with_params(input.clone(), params, 0)
    }
}
