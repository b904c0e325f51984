//! Newtypes that make a layer of what is none: a layer that knows training, and a model that cannot be edited.

use candle_core::{Module, Result, Tensor};

use super::layer::{Layer, LayerT};
use super::sealed::INSIDE;
use super::{Flow, Model};

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
        if F::records(INSIDE) {
            self.flow.forward(xs)
        } else {
            self.model.forward(xs.value(INSIDE)).map(F::from)
        }
    }
}

/// A model that cannot be edited and has several inputs or outputs, as a function of tensors, beside a [`Model`] that does
/// the same with the model's public parts. As with [`Foreign`], the file is compared with the function itself.
///
/// The function has to make all outputs that the other makes, in the same order and with the same element types.
///
/// ```
/// use candle_core::{DType, Device, Result, Tensor};
/// use candle_nn::{Embedding, Module};
/// use taper_export::flow::{Export, Flow, ForeignModel, Model};
///
/// // Of another crate.
/// struct Bert { pub words: Embedding }
/// impl Bert {
///     fn forward(&self, ids: &Tensor, mask: &Tensor) -> Result<Tensor> {
///         self.words.forward(ids)?.broadcast_mul(&mask.unsqueeze(2)?)
///     }
/// }
///
/// struct MyBert<'a>(&'a Bert);
/// impl Model for MyBert<'_> {
///     fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
///         let words = inputs[0].apply(&self.0.words)?;
///         Ok(vec![words.broadcast_mul(&inputs[1].unsqueeze(2)?)?])
///     }
/// }
///
/// let table = Tensor::arange(0f32, 12.0, &Device::Cpu)?.reshape((4, 3))?;
/// let bert = Bert { words: Embedding::new(table, 3) };
/// let ids = Tensor::new(&[[0u32, 1, 2, 3]], &Device::Cpu)?;
/// let mask = Tensor::new(&[[1f32, 1.0, 1.0, 0.0]], &Device::Cpu)?;
/// let both = ForeignModel::new(|x: &[Tensor]| Ok(vec![bert.forward(&x[0], &x[1])?]), MyBert(&bert));
/// let axes = [(0, "N"), (1, "T")];
/// let export = Export::new("bert").input("ids", &ids, &axes).input("mask", &mask, &axes);
/// # #[cfg(feature = "verify")]
/// assert_eq!(export.verify(&export.record(&both)?, &both)?.max_abs_diff, 0.0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct ForeignModel<C, M> {
    compute: C,
    flow: M,
}

impl<C: Fn(&[Tensor]) -> Result<Vec<Tensor>>, M: Model> ForeignModel<C, M> {
    /// The function `compute`, with `flow` to record it.
    pub fn new(compute: C, flow: M) -> Self {
        Self { compute, flow }
    }
}

impl<C: Fn(&[Tensor]) -> Result<Vec<Tensor>>, M: Model> Model for ForeignModel<C, M> {
    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
        if F::records(INSIDE) {
            return self.flow.flow(inputs);
        }
        let tensors: Vec<Tensor> = inputs.iter().map(|input| input.value(INSIDE).clone()).collect();
        Ok((self.compute)(&tensors)?.into_iter().map(F::from).collect())
    }
}
