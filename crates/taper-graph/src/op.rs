//! The ops a network is made of, and how each infers its output from its inputs.

pub(crate) mod activation;
pub(crate) mod conv;
pub(crate) mod linear;
pub(crate) mod merge;
pub(crate) mod norm;
pub(crate) mod normalize;
pub(crate) mod pair;
pub(crate) mod pool;

use serde::{Deserialize, Serialize, Serializer};

use crate::error::ShapeError;
use crate::param::Param;
use crate::shape::{Shape, checked_elements};
use activation::Activation;
use conv::Conv2d;
use linear::Linear;
use norm::BatchNorm2d;
use normalize::Normalize;
use pool::{AvgPool2d, MaxPool2d};

/// A layer of a network, with its settings.
///
/// The enum is exhaustive on purpose: every reading of a graph must answer for a new op. To serde an op is its name
/// (`"relu"`), or its name and settings (`{"dropout": {"p": 0.3}}`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// 2-D convolution: `[N, C, H, W]` → `[N, out_channels, H', W']`.
    #[serde(rename = "conv2d")]
    Conv2d(Conv2d),
    /// Greatest value of each window: `[N, C, H, W]` → `[N, C, H', W']`.
    #[serde(rename = "max_pool2d")]
    MaxPool2d(MaxPool2d),
    /// Mean of each window: `[N, C, H, W]` → `[N, C, H', W']`.
    #[serde(rename = "avg_pool2d")]
    AvgPool2d(AvgPool2d),
    /// Mean of each channel: `[N, C, H, W]` → `[N, C, 1, 1]`.
    GlobalAvgPool,
    /// Batch normalisation over each channel of `[N, C, H, W]`.
    #[serde(rename = "batch_norm2d")]
    BatchNorm2d(BatchNorm2d),
    /// Fixed mean and deviation of each channel of `[N, C, H, W]`.
    Normalize(Normalize),
    /// Affine map: `[N, F]` → `[N, out_features]`.
    Linear(Linear),
    /// `max(x, 0)`.
    Relu,
    /// `x·Φ(x)` with the exact Gaussian distribution function (Hendrycks & Gimpel 2016).
    Gelu,
    /// `x·σ(x)`, also called swish (Elfwing et al. 2017).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// Softmax over dimension 1, the channels or features.
    Softmax,
    /// While training, zeroes each element with a probability; otherwise does nothing.
    Dropout(Dropout),
    /// Joins all dimensions after the batch: `[N, C, H, W]` → `[N, C·H·W]`.
    Flatten,
    /// Sum of two values of one shape.
    Add,
    /// Joins values along dimension 1, the channels or features.
    Concat,
}

/// Dropout (Srivastava et al. 2014): while training, each element is zeroed with probability `p` and the others are
/// scaled by `1 / (1 − p)`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dropout {
    /// The probability of zeroing an element, in `[0, 1)`.
    #[serde(serialize_with = "shortest")]
    pub p: f32,
}

/// As the shortest number that reads back as the same f32: `0.3`, not `0.30000001192092896`.
fn shortest<S: Serializer>(p: &f32, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(shortest_number(*p))
}

/// The f64 that is written as the f32 would be.
fn shortest_number(number: f32) -> f64 {
    number.to_string().parse().unwrap_or(f64::from(number))
}

/// What an op makes of its inputs.
#[derive(Debug, Clone, PartialEq)]
pub struct Inferred {
    /// The shape of its output.
    pub shape: Shape,
    /// Its parameters, in PyTorch's order.
    pub params: Vec<Param>,
    /// Multiply-adds for one image; those of convolution and linear layers, as is usual.
    pub macs: u64,
}

impl Inferred {
    fn plain(shape: Shape) -> Self {
        Self { shape, params: Vec::new(), macs: 0 }
    }

    /// With parameters and `macs`, all checked to be of a sane size.
    fn with_params(shape: Shape, params: Vec<Param>, macs: u128) -> Result<Self, ShapeError> {
        for param in &params {
            checked_elements(&param.shape)?;
        }
        let macs = u64::try_from(macs).map_err(|_| ShapeError::TooLarge { sizes: shape.item() })?;
        Ok(Self { shape, params, macs })
    }
}

impl Op {
    /// The op's name in a network file.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "conv2d",
            Op::MaxPool2d(_) => "max_pool2d",
            Op::AvgPool2d(_) => "avg_pool2d",
            Op::GlobalAvgPool => "global_avg_pool",
            Op::BatchNorm2d(_) => "batch_norm2d",
            Op::Normalize(_) => "normalize",
            Op::Linear(_) => "linear",
            Op::Relu => "relu",
            Op::Gelu => "gelu",
            Op::Silu => "silu",
            Op::Tanh => "tanh",
            Op::Sigmoid => "sigmoid",
            Op::Softmax => "softmax",
            Op::Dropout(_) => "dropout",
            Op::Flatten => "flatten",
            Op::Add => "add",
            Op::Concat => "concat",
        }
    }

    /// Dropout with probability `p`.
    pub fn dropout(p: f32) -> Self {
        Op::Dropout(Dropout { p })
    }

    /// The element-wise function this op is, if it is one.
    pub fn activation(&self) -> Option<Activation> {
        match self {
            Op::Relu => Some(Activation::Relu),
            Op::Gelu => Some(Activation::Gelu),
            Op::Silu => Some(Activation::Silu),
            Op::Tanh => Some(Activation::Tanh),
            Op::Sigmoid => Some(Activation::Sigmoid),
            _ => None,
        }
    }

    /// The output shape and the parameters of this op on `inputs`.
    ///
    /// # Errors
    /// [`ShapeError`] if the op cannot take them; the message says what would fit.
    ///
    /// ```
    /// use taper_graph::{Linear, Op, Shape};
    /// let inferred = Op::Linear(Linear::new(10)).infer(&[&Shape::batch_of(&[625])?])?;
    /// assert_eq!(inferred.shape.to_string(), "[N, 10]");
    /// assert_eq!(inferred.params[0].shape, [10, 625]);
    /// assert_eq!(inferred.macs, 6250);
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    pub fn infer(&self, inputs: &[&Shape]) -> Result<Inferred, ShapeError> {
        let one = || match inputs {
            [input] => Ok(*input),
            _ => Err(wrong_count("one input", inputs.len())),
        };
        match self {
            Op::Conv2d(conv) => conv.infer(one()?),
            Op::MaxPool2d(pool) => pool.infer(one()?).map(Inferred::plain),
            Op::AvgPool2d(pool) => pool.infer(one()?).map(Inferred::plain),
            Op::GlobalAvgPool => {
                let [channels, _, _] = one()?.image()?;
                Shape::batch_of(&[channels, 1, 1]).map(Inferred::plain)
            }
            Op::BatchNorm2d(norm) => norm.infer(one()?),
            Op::Normalize(normalize) => normalize.infer(one()?),
            Op::Linear(linear) => linear.infer(one()?),
            Op::Dropout(dropout) => dropout.infer(one()?).map(Inferred::plain),
            Op::Flatten => Shape::batch_of(&[one()?.elements()]).map(Inferred::plain),
            Op::Relu | Op::Gelu | Op::Silu | Op::Tanh | Op::Sigmoid | Op::Softmax => {
                Ok(Inferred::plain(one()?.clone()))
            }
            Op::Add => merge::infer_add(inputs).map(Inferred::plain),
            Op::Concat => merge::infer_concat(inputs).map(Inferred::plain),
        }
    }
}

impl Dropout {
    fn infer(&self, input: &Shape) -> Result<Shape, ShapeError> {
        if (0.0..1.0).contains(&self.p) {
            return Ok(input.clone());
        }
        Err(ShapeError::Setting {
            setting: "p",
            value: self.p.to_string(),
            allowed: "a probability from 0 up to, but not including, 1",
        })
    }
}

fn wrong_count(expected: &'static str, found: usize) -> ShapeError {
    let found = match found {
        1 => "1 is".to_owned(),
        n => format!("{n} are"),
    };
    ShapeError::InputCount { expected, found }
}

fn at_least_one(setting: &'static str, value: usize) -> Result<(), ShapeError> {
    if value > 0 {
        return Ok(());
    }
    Err(ShapeError::Setting { setting, value: "0".to_owned(), allowed: "at least 1" })
}
