//! What the methods of a flow stand on: computing, and writing down what was computed.

use std::panic::Location;

use candle_core::{Error, Result, Tensor};

use super::call::{Call, Kind};
use super::sequential::Erased;

/// What only this crate has: a method that takes it cannot be called from outside. The value of a flow is such a
/// secret, since what a model computes from it would be a constant in the file.
#[derive(Debug, Clone, Copy)]
pub struct Inside(());

/// The only one.
pub(super) const INSIDE: Inside = Inside(());

/// What flows through a model: not to be implemented outside this crate, since the recorder must know every
/// operation.
pub trait Sealed: Sized + Clone + From<Tensor> + AsRef<Self> {
    /// Whether what becomes of the value is written down.
    fn records(_: Inside) -> bool;

    /// The value, which a recorder computes as well.
    fn value(&self, _: Inside) -> &Tensor;

    /// `value`, which has the elements of this value, in its place.
    fn same(&self, value: Tensor, _: Inside) -> Self;

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
        made.into_iter().next().ok_or_else(|| Error::Msg(format!("{method} made nothing")))
    }

    /// Passes through a layer that was put into a list at `at`.
    fn through(&self, layer: &dyn Erased, at: &'static Location<'static>, _: Inside) -> Result<Self>;

    /// Refuses what cannot be recorded; a tensor never does.
    #[track_caller]
    fn refuse(&self, method: &'static str, reason: &str, remedy: &'static str, _: Inside) -> Result<()>;
}

impl Sealed for Tensor {
    fn records(_: Inside) -> bool {
        false
    }

    fn value(&self, _: Inside) -> &Tensor {
        self
    }

    fn same(&self, value: Tensor, _: Inside) -> Self {
        value
    }

    fn call_many(
        call: Call,
        inputs: &[&Self],
        compute: impl FnOnce(&[&Tensor]) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<Self>> {
        kernel_fits(&call.kind, inputs)?;
        compute(inputs)
    }

    fn through(&self, layer: &dyn Erased, _: &'static Location<'static>, _: Inside) -> Result<Self> {
        layer.compute(self)
    }

    fn refuse(&self, _: &'static str, _: &str, _: &'static str, _: Inside) -> Result<()> {
        Ok(())
    }
}

/// That a convolution's input, with its padding, is not smaller than the kernel: candle does not ask, and comes to sizes
/// below zero.
pub(super) fn kernel_fits(kind: &Kind, inputs: &[&Tensor]) -> Result<()> {
    let [x, weight, ..] = inputs else { return Ok(()) };
    let sizes = x.dims().iter().zip(weight.dims()).skip(2);
    let too_small = |size: usize, kernel: usize| match *kind {
        Kind::Conv { padding, dilation, .. } => size + 2 * padding < dilation * kernel.saturating_sub(1) + 1,
        Kind::ConvTranspose { padding, output_padding, stride, dilation, .. } => {
            let reach = dilation * kernel.saturating_sub(1) + output_padding;
            size.saturating_sub(1) * stride + reach < 2 * padding
        }
        _ => false,
    };
    for (&size, &kernel) in sizes {
        if too_small(size, kernel) {
            let (image, kernel) = (x.dims(), weight.dims());
            let reason =
                format!("an input of {image:?} is too small for a kernel of {kernel:?}; give a larger one");
            return Err(Error::Msg(reason));
        }
    }
    Ok(())
}
