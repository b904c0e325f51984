//! Newtypes that make a layer of what is none: a layer that knows training, and a model that cannot be edited.

use candle_core::{Module, Result};

use super::Flow;
use super::layer::{Layer, LayerT};

/// A model that knows training, as it is outside training: what is exported.
///
/// ```
/// use candle_core::{DType, Device, Result, Tensor};
/// use candle_nn::Dropout;
/// use taper_export::flow::{Export, Flow, Inference, LayerT};
///
/// struct Net(Dropout);
/// impl LayerT for Net {
///     fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
///         xs.relu()?.apply_t(&self.0, train)
///     }
/// }
///
/// let (net, sample) = (Net(Dropout::new(0.5)), Tensor::ones((4, 3), DType::F32, &Device::Cpu)?);
/// let file = Export::new("net").input("x", &sample, &[(0, "N")]).record(&Inference(net))?;
/// assert_eq!(file.proto().graph.as_ref().map(|graph| graph.node.len()), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Inference<L>(
    /// The model.
    pub L,
);

impl<L: LayerT> Layer for Inference<L> {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        self.0.forward_t(xs, false)
    }
}

/// A model that cannot be edited, beside a layer that does the same with the model's public parts.
///
/// A tensor goes through the model itself, so that the file, which is recorded from the layer, is compared with the
/// model when it is verified: a layer that does something else is found out.
///
/// ```
/// use candle_core::{DType, Device, Module, Result, Tensor};
/// use candle_nn::{Activation, Linear};
/// use taper_export::flow::{Export, Flow, Foreign, Layer};
///
/// // Of another crate.
/// struct Net { pub fc: Linear }
/// impl Module for Net {
///     fn forward(&self, xs: &Tensor) -> Result<Tensor> {
///         xs.apply(&self.fc)?.apply(&Activation::Relu)
///     }
/// }
///
/// struct MyNet<'a>(&'a Net);
/// impl Layer for MyNet<'_> {
///     fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
///         xs.apply(&self.0.fc)?.relu()
///     }
/// }
///
/// let net = Net { fc: Linear::new(Tensor::ones((2, 3), DType::F32, &Device::Cpu)?, None) };
/// let sample = Tensor::ones((4, 3), DType::F32, &Device::Cpu)?;
/// let both = Foreign::new(|xs: &Tensor| net.forward(xs), MyNet(&net));
/// let export = Export::new("net").input("x", &sample, &[(0, "N")]);
/// # #[cfg(feature = "verify")]
/// assert_eq!(export.verify(&export.record(&both)?, &both)?.max_abs_diff, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Foreign<M, L> {
    model: M,
    flow: L,
}

impl<M: Module, L: Layer> Foreign<M, L> {
    /// `model`, with `flow` to record it.
    pub fn new(model: M, flow: L) -> Self {
        Self { model, flow }
    }
}

impl<M: Module, L: Layer> Layer for Foreign<M, L> {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        if F::RECORDS { self.flow.forward(xs) } else { self.model.forward(xs.value()).map(F::from) }
    }
}
