//! What a method of a flow does, in terms that can be recorded.

use std::panic::Location;

use candle_core::{DType, Result, Tensor};

use super::custom::Nodes;
use super::sequential::Erased;

/// One operation on tensors.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// candle's name of the method or layer, for messages and for the names of nodes.
    pub(super) method: &'static str,
    pub(super) kind: Kind,
    /// The sizes and places among its arguments, which may follow from those of the inputs.
    pub(super) sizes: Vec<usize>,
}

impl Call {
    pub(super) fn new(method: &'static str, kind: Kind) -> Self {
        Self { method, kind, sizes: Vec::new() }
    }

    pub(super) fn sized(method: &'static str, kind: Kind, sizes: &[usize]) -> Self {
        Self { method, kind, sizes: sizes.to_vec() }
    }
}

/// The operation, with all its arguments that are the same for inputs of every size.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    Unary(Unary),
    Binary(Binary),
    Compare(Compare),
    /// `x·mul + add`.
    Affine {
        mul: f64,
        add: f64,
    },
    Powf(f64),
    Clamp {
        min: f64,
        max: f64,
    },
    Where,
    Cast(DType),
    /// A tensor of one number, of the shape of another.
    Like(f64),
    MatMul,
    /// Input, weight and perhaps bias.
    Linear,
    /// Input, weight and perhaps bias.
    Conv {
        padding: usize,
        stride: usize,
        dilation: usize,
        groups: usize,
    },
    /// Input, weight and perhaps bias.
    ConvTranspose {
        padding: usize,
        output_padding: usize,
        stride: usize,
        dilation: usize,
        groups: usize,
    },
    /// Input, mean, variance and perhaps weight and bias.
    BatchNorm {
        eps: f64,
    },
    /// Input, weight and perhaps bias, over the last dimension.
    LayerNorm {
        eps: f64,
        remove_mean: bool,
    },
    /// Input, weight and bias.
    GroupNorm {
        eps: f64,
        groups: usize,
    },
    /// Table and indices.
    Embedding,
    /// Input and slope.
    PRelu,
    Softmax {
        dim: usize,
        log: bool,
    },
    Reduce {
        how: Reduction,
        dims: Vec<usize>,
        keep: bool,
    },
    Arg {
        is_max: bool,
        dim: usize,
        keep: bool,
    },
    CumSum {
        dim: usize,
    },
    /// To `sizes`.
    Reshape,
    Unsqueeze {
        dim: usize,
    },
    Squeeze {
        dim: usize,
    },
    Permute(Vec<usize>),
    /// From the first of `sizes`, as many as the second.
    Narrow {
        dim: usize,
    },
    Concat {
        dim: usize,
    },
    IndexSelect {
        dim: usize,
    },
    Gather {
        dim: usize,
    },
    /// To `sizes`.
    Broadcast,
    /// As often as `sizes` say.
    Repeat,
    /// By the two of `sizes` before and after; with copies of the edge, or zeros.
    Pad {
        dim: usize,
        with_edge: bool,
    },
    Pool {
        is_max: bool,
        kernel: [usize; 2],
        stride: [usize; 2],
    },
    /// The last dimensions to `sizes`.
    UpsampleNearest,
    /// The last two dimensions to `sizes`.
    UpsampleBilinear {
        align_corners: bool,
    },
    /// Input, both weights and both biases; or no biases.
    Lstm {
        hidden: usize,
    },
    /// As `Lstm`.
    Gru {
        hidden: usize,
    },
    /// Nodes that the user writes.
    Custom(Nodes),
}

/// A function of one element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Unary {
    Abs,
    Ceil,
    Cos,
    Elu(f64),
    Erf,
    Exp,
    Floor,
    Gelu,
    GeluErf,
    HardSigmoid,
    LeakyRelu(f64),
    Log,
    Mish,
    Neg,
    Recip,
    Relu,
    Round,
    Selu { alpha: f64, gamma: f64 },
    Sigmoid,
    Sign,
    Silu,
    Sin,
    Sqr,
    Sqrt,
    Tanh,
}

/// A function of two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Maximum,
    Minimum,
    Pow,
}

/// A comparison of two elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

/// Many elements to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reduction {
    Sum,
    Mean,
    Max,
    Min,
    LogSumExp,
}

/// What flows through a model: not to be implemented outside this crate, since the recorder must know every
/// operation.
pub trait Sealed: Sized + Clone + From<Tensor> + AsRef<Self> {
    /// Whether what becomes of the value is written down.
    const RECORDS: bool;

    /// The value, which a recorder computes as well.
    fn value(&self) -> &Tensor;

    /// `value`, which has the elements of this value, in its place.
    fn same(&self, value: Tensor) -> Self;

    /// Applies an operation that makes several tensors.
    #[track_caller]
    fn call_many(
        call: Call,
        inputs: &[&Self],
        compute: impl FnOnce(&[&Tensor]) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<Self>>;

    /// Applies an operation that makes one tensor.
    #[track_caller]
    fn call(
        call: Call,
        inputs: &[&Self],
        compute: impl FnOnce(&[&Tensor]) -> Result<Tensor>,
    ) -> Result<Self> {
        let method = call.method;
        let made = Self::call_many(call, inputs, |inputs| Ok(vec![compute(inputs)?]))?;
        made.into_iter().next().ok_or_else(|| candle_core::Error::Msg(format!("{method} made nothing")))
    }

    /// Passes through a layer that was put into a list at `at`.
    fn through(&self, layer: &dyn Erased, at: &'static Location<'static>) -> Result<Self>;

    /// Refuses what cannot be recorded; a tensor never does.
    #[track_caller]
    fn refuse(&self, method: &'static str, reason: &str, remedy: &'static str) -> Result<()>;
}

impl Sealed for Tensor {
    const RECORDS: bool = false;

    fn value(&self) -> &Tensor {
        self
    }

    fn same(&self, value: Tensor) -> Self {
        value
    }

    fn call_many(
        _: Call,
        inputs: &[&Self],
        compute: impl FnOnce(&[&Tensor]) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<Self>> {
        compute(inputs)
    }

    fn through(&self, layer: &dyn Erased, _: &'static Location<'static>) -> Result<Self> {
        layer.compute(self)
    }

    fn refuse(&self, _: &'static str, _: &str, _: &'static str) -> Result<()> {
        Ok(())
    }
}
