//! Export of models that are written by hand in candle.
//!
//! A model's forward is written once, generic over what flows through it ([`Flow`]): with a [`Tensor`] it computes,
//! with a [`Wire`] it is recorded, so that the exported graph cannot drift from the code. Of a model written for
//! tensors, little changes but signatures:
//!
//! - `impl Module for Net` becomes `impl Layer for Net`, `fn forward(&self, xs: &Tensor) -> Result<Tensor>` becomes
//!   `fn forward<F: Flow>(&self, xs: &F) -> Result<F>`; of layers that know training, [`LayerT`];
//! - `candle_nn::ops` becomes [`flow::ops`](ops); `group_norm`, `lstm` and `gru`, whose types hide their weights, and
//!   `seq`, whose type hides its layers, are made by the functions of the same names here;
//! - `Tensor::cat` becomes `F::cat`, and so do `stack` and other functions without a value;
//! - a tensor of the model's own (a position table, a mask) enters by `F::from(self.table.clone())`;
//! - `&a + &b` becomes `a.add(&b)`: operators need the left value itself.
//!
//! [`Inference`] exports a model that knows training, [`Foreign`] one that cannot be edited, and [`custom`] brings
//! nodes of your own for what the recorder does not know.
//!
//! Sizes are plain numbers, those of the sample. [`Export`] therefore records the forward at several sizes of each
//! dynamic axis: what varies with them becomes a formula over the named sizes, or is refused with the line of the
//! model at fault.

mod arithmetic;
mod call;
mod custom;
mod emit;
mod error;
mod export;
mod fold;
mod group_norm;
mod index;
mod inference;
mod layer;
mod merge;
pub mod ops;
mod parting;
mod reducing;
mod rnn;
mod sequential;
mod shaping;
mod spatial;
mod trace;
#[cfg(feature = "verify")]
mod verify;
mod wire;

use std::ops::{Add, Div, Mul, Sub};

use candle_core::{Result, Tensor};

pub use arithmetic::{Arithmetic, Operand};
pub use custom::custom;
pub use error::FlowError;
pub use export::Export;
pub use group_norm::{GroupNorm, group_norm};
pub use index::{Index, Part};
pub use inference::{Foreign, Inference};
pub use layer::{Layer, LayerT};
pub use parting::Parting;
pub use reducing::Reducing;
pub use rnn::{Gru, GruState, Lstm, LstmState, States, gru, lstm};
pub use sequential::{Sequential, seq};
pub use shaping::Shaping;
pub use spatial::Spatial;
pub use wire::Wire;

/// An operator between a value and another, or a number.
macro_rules! operators {
    ($($operator:ident => $bound:ident;)*) => {$(
        /// The operator with a value, a reference to one, or a number on its right.
        pub trait $bound:
            Sized
            + $operator<Output = Result<Self>>
            + for<'a> $operator<&'a Self, Output = Result<Self>>
            + $operator<f64, Output = Result<Self>>
        {
        }

        impl<F> $bound for F where
            F: Sized
                + $operator<Output = Result<F>>
                + for<'a> $operator<&'a F, Output = Result<F>>
                + $operator<f64, Output = Result<F>>
        {
        }
    )*};
}

operators! {
    Add => Plus;
    Sub => Minus;
    Mul => Times;
    Div => Over;
}

/// What flows through a model: a [`Tensor`], which computes, or a [`Wire`], which records. It has candle's own
/// methods, by way of the traits it is made of; nothing else can implement it.
pub trait Flow: Arithmetic + Parting + Reducing + Shaping + Spatial + Plus + Minus + Times + Over {
    /// Passes through a layer.
    ///
    /// # Errors
    /// Those of the layer.
    #[track_caller]
    fn apply<L: Layer>(&self, layer: &L) -> Result<Self> {
        layer.forward(self)
    }

    /// Passes through a layer that does something else in training.
    ///
    /// # Errors
    /// Those of the layer.
    #[track_caller]
    fn apply_t<L: LayerT>(&self, layer: &L, train: bool) -> Result<Self> {
        layer.forward_t(self, train)
    }
}

impl Flow for Tensor {}
impl Flow for Wire {}

/// A whole model, with any number of inputs and outputs. Every [`Layer`] is one, from one input to one output.
pub trait Model {
    /// What the model makes of `inputs`.
    ///
    /// # Errors
    /// Those of candle, and what cannot be recorded, with the line at fault.
    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>>;
}

impl<L: Layer> Model for L {
    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
        match inputs {
            [xs] => Ok(vec![self.forward(xs)?]),
            _ => Err(candle_core::Error::Msg(format!(
                "a layer takes one input, and {} are given; implement `Model` for it",
                inputs.len()
            ))),
        }
    }
}
