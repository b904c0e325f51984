//! What a method of a flow does, in terms that can be recorded.

use candle_core::DType;

use super::custom::Nodes;

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
    /// Input, both weights, both biases, and perhaps the hidden and the cell state before the first step.
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
