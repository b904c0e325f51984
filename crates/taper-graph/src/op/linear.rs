//! The fully connected layer.

use serde::{Deserialize, Serialize};

use super::conv::yes;
use super::{Inferred, at_least_one};
use crate::error::ShapeError;
use crate::param::{Init, Param};
use crate::shape::Shape;

/// Affine map `y = x·Wᵀ + b`.
///
/// # Shapes
/// input `[N, F]`, weight `[out_features, F]`, bias `[out_features]`, output `[N, out_features]`.
///
/// Source: [`torch.nn.Linear`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html), ONNX `Gemm`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// Number of output features.
    pub out_features: usize,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
}

impl Linear {
    /// A layer of `out_features` outputs with a bias.
    pub fn new(out_features: usize) -> Self {
        Self { out_features, bias: true }
    }

    pub(super) fn infer(&self, input: &Shape) -> Result<Inferred, ShapeError> {
        let in_features = input.features()?;
        at_least_one("out_features", self.out_features)?;
        let shape = Shape::batch_of(&[self.out_features])?;
        let init = Init::fan_in(in_features);
        let mut params = vec![Param::trained("weight", vec![self.out_features, in_features], init)];
        if self.bias {
            params.push(Param::trained("bias", vec![self.out_features], init));
        }
        Inferred::with_params(shape, params, in_features as u128 * self.out_features as u128)
    }
}
