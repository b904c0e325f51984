//! Layers that a flow passes through: those of candle-nn, and the user's own.

use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::{
    Activation, BatchNorm, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Dropout, Embedding, LayerNorm,
    Linear, PReLU, RmsNorm,
};

use super::Flow;
use super::call::{Call, Kind};
use super::ops;
use super::sealed::INSIDE;

/// A layer or a whole model: candle's `Module`, generic over what flows through it. With a [`Tensor`] it computes,
/// with a [`Wire`](super::Wire) it is recorded.
///
/// The layers of candle-nn implement it. Those that hide what they do (`Func`, `Sequential`) cannot. For a model that
/// cannot be edited there is [`Foreign`](super::Foreign).
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow",
    note = "`Func` hides what it does: write it as a `Layer`; `Sequential` is made with this crate's `seq`",
    note = "`candle_nn`'s `GroupNorm`, `LSTM` and `GRU` hide their weights: make them with this crate's `group_norm`, `lstm` and `gru`",
    note = "of your own layer, change `impl Module` to `impl Layer`, and its forward's signature to `fn forward<F: Flow>(&self, xs: &F) -> Result<F>`"
)]
pub trait Layer {
    /// What the layer makes of `xs`.
    ///
    /// # Errors
    /// Those of candle, and what cannot be recorded, with the line at fault.
    fn forward<F: Flow>(&self, xs: &F) -> Result<F>;
}

/// A layer that does something else in training: candle's `ModuleT`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot flow",
    note = "implement `Layer` or `LayerT` for it"
)]
pub trait LayerT {
    /// What the layer makes of `xs`; training cannot be recorded.
    ///
    /// # Errors
    /// Those of candle, and what cannot be recorded, with the line at fault.
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F>;
}

impl<L: Layer> LayerT for L {
    #[track_caller]
    fn forward_t<F: Flow>(&self, xs: &F, _: bool) -> Result<F> {
        self.forward(xs)
    }
}

impl<L: Layer> Layer for &L {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        (**self).forward(xs)
    }
}

impl<L: Layer> Layer for Option<&L> {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        match self {
            Some(layer) => layer.forward(xs),
            None => Ok(xs.clone()),
        }
    }
}

/// Records `module` as one operation on `xs` and the given tensors.
#[track_caller]
fn record<F: Flow>(module: &impl Module, call: Call, xs: &F, tensors: &[Option<&Tensor>]) -> Result<F> {
    let tensors: Vec<F> = tensors.iter().flatten().map(|&tensor| F::from(tensor.clone())).collect();
    let inputs: Vec<&F> = std::iter::once(xs).chain(&tensors).collect();
    F::call(call, &inputs, |inputs| module.forward(inputs[0]))
}

impl Layer for Linear {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        record(self, Call::new("linear", Kind::Linear), xs, &[Some(self.weight()), self.bias()])
    }
}

macro_rules! convolutions {
    ($($layer:ident, $method:literal, |$config:ident| $kind:expr;)*) => {$(
        impl Layer for $layer {
            #[track_caller]
            fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
                let $config = self.config();
                record(self, Call::new($method, $kind), xs, &[Some(self.weight()), self.bias()])
            }
        }
    )*};
}

convolutions! {
    Conv1d, "conv1d", |config| Kind::Conv {
        padding: config.padding,
        stride: config.stride,
        dilation: config.dilation,
        groups: config.groups,
    };
    Conv2d, "conv2d", |config| Kind::Conv {
        padding: config.padding,
        stride: config.stride,
        dilation: config.dilation,
        groups: config.groups,
    };
    ConvTranspose1d, "conv_transpose1d", |config| Kind::ConvTranspose {
        padding: config.padding,
        output_padding: config.output_padding,
        stride: config.stride,
        dilation: config.dilation,
        groups: config.groups,
    };
    ConvTranspose2d, "conv_transpose2d", |config| Kind::ConvTranspose {
        padding: config.padding,
        output_padding: config.output_padding,
        stride: config.stride,
        dilation: config.dilation,
        groups: 1,
    };
}

impl Layer for Embedding {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let table = F::from(self.embeddings().clone());
        F::call(Call::new("embedding", Kind::Embedding), &[&table, xs], |x| Module::forward(self, x[1]))
    }
}

impl Layer for LayerNorm {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let kind = Kind::LayerNorm { eps: self.eps(), remove_mean: self.remove_mean() };
        record(self, Call::new("layer_norm", kind), xs, &[Some(self.weight()), self.bias()])
    }
}

impl Layer for RmsNorm {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let kind = Kind::LayerNorm { eps: self.eps(), remove_mean: false };
        record(self, Call::new("rms_norm", kind), xs, &[Some(self.weight())])
    }
}

impl Layer for PReLU {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let is_channelwise = !self.is_scalar() && xs.rank() >= 2 && self.weight().shape() != xs.shape();
        // The slope as candle lays it over the input, recorded so that it is still known as the weight.
        let slope = F::from(self.weight().clone());
        let slope = match is_channelwise {
            true => {
                let mut sizes = vec![1; xs.rank() - 1];
                sizes[0] = self.weight().elem_count();
                slope.reshape(sizes)?
            }
            false if self.is_scalar() => slope.reshape(())?,
            false => slope,
        };
        F::call(Call::new("prelu", Kind::PRelu), &[xs, &slope], |x| Module::forward(self, x[0]))
    }
}

impl Layer for Activation {
    #[track_caller]
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        match *self {
            Activation::Gelu => xs.gelu_erf(),
            Activation::NewGelu | Activation::GeluPytorchTanh => xs.gelu(),
            Activation::Relu => xs.relu(),
            Activation::Relu2 => xs.relu()?.sqr(),
            Activation::Relu6 => xs.clamp(0f32, 6f32),
            Activation::Silu => xs.silu(),
            Activation::Sigmoid => ops::sigmoid(xs),
            Activation::HardSigmoid => ops::hard_sigmoid(xs),
            Activation::Swiglu => ops::swiglu(xs),
            Activation::Swish => xs.mul(&ops::sigmoid(xs)?),
            Activation::HardSwish => xs.mul(&ops::hard_sigmoid(xs)?),
            Activation::Mish => ops::mish(xs),
            Activation::Elu(alpha) => xs.elu(alpha),
            Activation::LeakyRelu(slope) => ops::leaky_relu(xs, slope),
        }
    }
}

impl LayerT for BatchNorm {
    #[track_caller]
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        if train {
            xs.refuse("batch_norm", "it is in training mode", "call the model with `train` false", INSIDE)?;
        }
        let mut tensors = vec![Some(self.running_mean()), Some(self.running_var())];
        tensors
            .extend(self.weight_and_bias().into_iter().flat_map(|(weight, bias)| [Some(weight), Some(bias)]));
        let module = |xs: &Tensor| ModuleT::forward_t(self, xs, train);
        record(&module, Call::new("batch_norm", Kind::BatchNorm { eps: self.eps() }), xs, &tensors)
    }
}

impl LayerT for Dropout {
    #[track_caller]
    fn forward_t<F: Flow>(&self, xs: &F, train: bool) -> Result<F> {
        if !train {
            return Ok(xs.clone());
        }
        xs.refuse("dropout", "it is in training mode", "call the model with `train` false", INSIDE)?;
        Ok(F::from(ModuleT::forward_t(self, xs.value(INSIDE), train)?))
    }
}
