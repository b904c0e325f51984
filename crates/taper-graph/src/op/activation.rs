//! The element-wise functions.

/// An element-wise function without parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// `max(x, 0)`; its derivative at 0 is 0, as in PyTorch.
    Relu,
    /// `x·Φ(x)`, exact.
    Gelu,
    /// `x·σ(x)`.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
}

impl Activation {
    /// All of them, for tests and tables.
    pub const ALL: [Activation; 5] =
        [Activation::Relu, Activation::Gelu, Activation::Silu, Activation::Tanh, Activation::Sigmoid];
}
