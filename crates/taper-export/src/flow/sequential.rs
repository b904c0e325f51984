//! A list of layers.

use std::fmt;
use std::panic::Location;

use candle_core::{Result, Tensor};

use super::Flow;
use super::layer::Layer;
use super::sealed::INSIDE;
use super::wire::Wire;

/// A layer whose type is forgotten, for the two kinds of values there are.
pub trait Erased {
    /// Computes.
    ///
    /// # Errors
    /// Those of the layer.
    fn compute(&self, xs: &Tensor) -> Result<Tensor>;

    /// Records.
    ///
    /// # Errors
    /// Those of the layer.
    fn record(&self, xs: &Wire) -> Result<Wire>;
}

impl<L: Layer> Erased for L {
    fn compute(&self, xs: &Tensor) -> Result<Tensor> {
        self.forward(xs)
    }

    fn record(&self, xs: &Wire) -> Result<Wire> {
        self.forward(xs)
    }
}

/// Whether this file is the caller: a layer of candle in a list, which has no line of its own.
pub(super) fn is_list(at: &Location<'_>) -> bool {
    at.file() == file!()
}

/// candle's `Sequential`, whose layers can be recorded: made by [`seq`].
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::{Activation, Linear};
/// use taper_export::flow::{Layer, seq};
///
/// let weight = Tensor::ones((2, 3), DType::F32, &Device::Cpu)?;
/// let net = seq().add(Linear::new(weight, None)).add(Activation::Relu);
/// let made = net.forward(&Tensor::ones((1, 3), DType::F32, &Device::Cpu)?)?;
/// assert_eq!(made.to_vec2::<f32>()?, [[3.0, 3.0]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<(Box<dyn Erased>, &'static Location<'static>)>,
}

/// In the place of `candle_nn::seq`: an empty list of layers.
pub fn seq() -> Sequential {
    Sequential::default()
}

impl Sequential {
    /// With a layer at the end. A closure cannot be generic: what `add_fn` would take is a small [`Layer`] here, or
    /// an `Activation`.
    #[track_caller]
    #[allow(clippy::should_implement_trait, reason = "candle's name")]
    pub fn add<L: Layer + 'static>(mut self, layer: L) -> Self {
        self.layers.push((Box::new(layer), Location::caller()));
        self
    }

    /// The number of layers.
    pub fn len(&self) -> usize {
        self.layers.len()
    }

    /// Whether there are no layers.
    pub fn is_empty(&self) -> bool {
        self.layers.is_empty()
    }
}

impl Layer for Sequential {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        self.layers.iter().try_fold(xs.clone(), |xs, (layer, at)| xs.through(&**layer, at, INSIDE))
    }
}

impl fmt::Debug for Sequential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sequential").field("layers", &self.layers.len()).finish()
    }
}
