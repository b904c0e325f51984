//! The functions of `candle_nn::ops`, generic over what flows through them.

use candle_core::shape::Dim;
use candle_core::{D, Result, Tensor};

use super::Flow;
use super::call::{Call, Kind, Unary};

/// Softmax over a dimension.
///
/// # Errors
/// Those of candle: no such dimension.
#[track_caller]
pub fn softmax<F: Flow, D1: Dim>(xs: &F, dim: D1) -> Result<F> {
    let dim = dim.to_index(xs.shape(), "softmax")?;
    let call = Call::new("softmax", Kind::Softmax { dim, log: false });
    F::call(call, &[xs], |x| candle_nn::ops::softmax(x[0], dim))
}

/// Softmax over the last dimension.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn softmax_last_dim<F: Flow>(xs: &F) -> Result<F> {
    softmax(xs, D::Minus1)
}

/// The logarithm of the softmax over a dimension.
///
/// # Errors
/// Those of candle: no such dimension.
#[track_caller]
pub fn log_softmax<F: Flow, D1: Dim>(xs: &F, dim: D1) -> Result<F> {
    let dim = dim.to_index(xs.shape(), "log-softmax")?;
    let call = Call::new("log_softmax", Kind::Softmax { dim, log: true });
    F::call(call, &[xs], |x| candle_nn::ops::log_softmax(x[0], dim))
}

#[track_caller]
fn unary<F: Flow>(
    method: &'static str,
    function: Unary,
    xs: &F,
    compute: impl FnOnce(&Tensor) -> Result<Tensor>,
) -> Result<F> {
    F::call(Call::new(method, Kind::Unary(function)), &[xs], |x| compute(x[0]))
}

/// `1 / (1 + exp(-x))`.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn sigmoid<F: Flow>(xs: &F) -> Result<F> {
    unary("sigmoid", Unary::Sigmoid, xs, candle_nn::ops::sigmoid)
}

/// `(x + 3) / 6`, held between 0 and 1.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn hard_sigmoid<F: Flow>(xs: &F) -> Result<F> {
    unary("hard_sigmoid", Unary::HardSigmoid, xs, candle_nn::ops::hard_sigmoid)
}

/// `x·σ(x)`.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn silu<F: Flow>(xs: &F) -> Result<F> {
    xs.silu()
}

/// The silu of the first half of the last dimension, times the second.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn swiglu<F: Flow>(xs: &F) -> Result<F> {
    let halves = xs.chunk(2, D::Minus1)?;
    match &halves[..] {
        [gate, values] => gate.silu()?.mul(values),
        _ => Err(candle_core::Error::Msg(format!(
            "swiglu: {:?} has no two halves along its last dimension; give an even size",
            xs.dims()
        ))),
    }
}

/// `x·tanh(log(1 + exp(x)))`.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn mish<F: Flow>(xs: &F) -> Result<F> {
    unary("mish", Unary::Mish, xs, candle_nn::ops::mish)
}

/// `x` above 0, `negative_slope·x` below.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn leaky_relu<F: Flow>(xs: &F, negative_slope: f64) -> Result<F> {
    let function = Unary::LeakyRelu(negative_slope);
    unary("leaky_relu", function, xs, |xs| candle_nn::ops::leaky_relu(xs, negative_slope))
}

/// `gamma·x` above 0, `gamma·alpha·(exp(x) - 1)` below.
///
/// # Errors
/// Those of candle.
#[track_caller]
pub fn selu<F: Flow>(xs: &F, alpha: f32, gamma: f32) -> Result<F> {
    let function = Unary::Selu { alpha: alpha.into(), gamma: gamma.into() };
    unary("selu", function, xs, |xs| candle_nn::ops::selu(xs, alpha, gamma))
}

/// Layer norm over the last dimension, with a weight and a bias.
///
/// # Errors
/// Those of candle: the shapes do not fit.
#[track_caller]
pub fn layer_norm<F: Flow>(xs: &F, alpha: &F, beta: &F, eps: f32) -> Result<F> {
    let kind = Kind::LayerNorm { eps: eps.into(), remove_mean: true };
    F::call(Call::new("layer_norm", kind), &[xs, alpha, beta], |x| {
        candle_nn::ops::layer_norm(&x[0].contiguous()?, x[1], x[2], eps)
    })
}

/// RMS norm over the last dimension, with a weight.
///
/// # Errors
/// Those of candle: the shapes do not fit.
#[track_caller]
pub fn rms_norm<F: Flow>(xs: &F, alpha: &F, eps: f32) -> Result<F> {
    let kind = Kind::LayerNorm { eps: eps.into(), remove_mean: false };
    F::call(Call::new("rms_norm", kind), &[xs, alpha], |x| {
        candle_nn::ops::rms_norm(&x[0].contiguous()?, x[1], eps)
    })
}

/// Channels laid out as pixels: `[N, C·f², H, W]` to `[N, C, H·f, W·f]`.
///
/// # Errors
/// Those of candle: the shapes do not fit.
#[track_caller]
pub fn pixel_shuffle<F: Flow>(xs: &F, factor: usize) -> Result<F> {
    let (count, channels, height, width) = xs.dims4()?;
    let channels = channels / factor / factor;
    xs.reshape(vec![count, channels, factor, factor, height, width])?.permute((0, 1, 4, 2, 5, 3))?.reshape((
        count,
        channels,
        height * factor,
        width * factor,
    ))
}

/// Pixels laid out as channels: `[N, C, H·f, W·f]` to `[N, C·f², H, W]`.
///
/// # Errors
/// Those of candle: the shapes do not fit.
#[track_caller]
pub fn pixel_unshuffle<F: Flow>(xs: &F, factor: usize) -> Result<F> {
    let (count, channels, height, width) = xs.dims4()?;
    xs.reshape(vec![count, channels, height / factor, factor, width / factor, factor])?
        .permute((0, 1, 3, 5, 2, 4))?
        .reshape((count, channels * factor * factor, height / factor, width / factor))
}
