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
//! - `&a + &b` becomes `a.clone() + &b`, and `result + b` becomes `result? + b`: operators need the left value itself (of
//!   a reference, `a.add(&b)` does too; of `parts[0]`, `parts[0].clone() + &b`).
//!
//! [`Inference`] exports a model that knows training, [`Foreign`] and [`ForeignModel`] one that cannot be edited, and
//! [`custom`] brings nodes of your own for what the recorder does not know.
//!
//! # What is seen, and what is not
//!
//! Sizes are plain numbers, those of the sample. [`Export`] therefore records the forward at several sizes of each
//! dynamic axis: the sample's, one and two steps below, three more than twice as many, and the smallest; all axes together
//! also five steps above. What varies with them becomes a formula over the named sizes, or is refused with the line of the model at
//! fault. A forward that fails above the sample's size, or at the smallest, is taken to be made for others. So a limit
//! far above the sample (`size.min(512)`), a condition on such a size, and a rounding that all these sizes happen to hide
//! are not seen: let the sample be about as large as what the model will meet, and say with [`Export::between`] and
//! [`Export::multiple`] which sizes occur.
//!
//! Numbers are those of the sample too, but no method gives them away. What still gets out, by a closure of [`custom`]
//! say, becomes a constant; [`Export::verify`] finds it out by running the file on other numbers, if the sample's
//! elements are not all alike.
//!
//! Whole numbers beyond their type's range become in the file what the runtime makes of them: candle's u32 is int64 there,
//! and does not wrap around. Numbers with fractions are held within the range of the type they are cast to, as in candle,
//! but for int64; NaN, which candle casts to 0, may become any number.

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
mod runs;
mod sealed;
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
pub use inference::{Foreign, ForeignModel, Inference};
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
        /// The operator with a value, a reference to one, a result, or a number on its right.
        pub trait $bound:
            Sized
            + $operator<Output = Result<Self>>
            + for<'a> $operator<&'a Self, Output = Result<Self>>
            + $operator<Result<Self>, Output = Result<Self>>
            + $operator<f64, Output = Result<Self>>
        {
        }

        impl<F> $bound for F where
            F: Sized
                + $operator<Output = Result<F>>
                + for<'a> $operator<&'a F, Output = Result<F>>
                + $operator<Result<F>, Output = Result<F>>
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
