//! Every method and layer, exported and compared.

use candle_core::{D, DType, Result};
use candle_nn::{
    Activation, Conv1dConfig, Conv2dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig, VarBuilder,
    batch_norm, conv_transpose1d, conv_transpose2d, conv1d, conv2d, conv2d_no_bias, embedding, layer_norm,
    layer_norm_no_bias, linear, linear_no_bias, prelu, rms_norm,
};
use taper_export::flow::{Flow, Model, group_norm, gru, lstm, ops};

use super::check::{Agreement, Sample, check, ids, numbers, positive};

/// What became of a case.
pub(crate) struct Outcome<T> {
    pub(crate) name: &'static str,
    /// As it stands here.
    pub(crate) code: &'static str,
    pub(crate) result: std::result::Result<T, String>,
}

/// What is done with every case.
pub(crate) trait Visit {
    type Made;
    fn visit<M: Model>(
        &self,
        name: &str,
        make: impl Fn(VarBuilder<'static>) -> Result<M>,
        samples: &[Sample],
    ) -> std::result::Result<Self::Made, String>;
}

/// Makes of every case a model, and of all a function that visits them.
macro_rules! cases {
    ($all:ident: $($name:ident($($input:expr),*) |$vb:ident, $($x:ident),*| $body:expr;)*) => {
        fn $all<V: Visit>(visit: &V) -> Vec<Outcome<V::Made>> {
            vec![$({
                struct Case(VarBuilder<'static>);
                impl Model for Case {
                    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
                        let $vb = &self.0;
                        let [$($x),*] = inputs else { panic!("inputs") };
                        Ok(vec![$body?])
                    }
                }
                let (name, code) = (stringify!($name), stringify!($body));
                Outcome { name, code, result: visit.visit(name, |vb| Ok(Case(vb)), &[$($input),*]) }
            }),*]
        }
    };
}

fn features(seed: u64) -> Sample {
    Sample::batch(numbers(&[4, 6], seed))
}

fn image() -> Sample {
    Sample::batch(numbers(&[4, 4, 6, 8], 1))
}

fn signal() -> Sample {
    Sample::batch(numbers(&[4, 4, 9], 2))
}

fn tokens() -> Sample {
    Sample::sequence(numbers(&[4, 5, 8], 3))
}

cases! { elementwise:
    abs(features(1)) |_vb, x| x.abs();
    ceil(features(1)) |_vb, x| x.ceil();
    cos(features(1)) |_vb, x| x.cos();
    elu(features(1)) |_vb, x| x.elu(0.7);
    erf(features(1)) |_vb, x| x.erf();
    exp(features(1)) |_vb, x| x.exp();
    floor(features(1)) |_vb, x| x.floor();
    gelu(features(1)) |_vb, x| x.gelu();
    gelu_erf(features(1)) |_vb, x| x.gelu_erf();
    hard_sigmoid(features(1)) |_vb, x| ops::hard_sigmoid(&x.affine(8.0, 0.0)?);
    leaky_relu(features(1)) |_vb, x| ops::leaky_relu(x, 0.1);
    log(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.log();
    mish(features(1)) |_vb, x| ops::mish(x);
    neg(features(1)) |_vb, x| x.neg();
    recip(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.recip();
    relu(features(1)) |_vb, x| x.relu();
    round(features(1)) |_vb, x| x.affine(8.0, 0.0)?.round();
    round_below_half(features(1)) |_vb, x| x.zeros_like()?.affine(1.0, 0.49999997)?.round()?.add(x);
    round_odd(features(1)) |_vb, x| x.zeros_like()?.affine(1.0, 8388609.0)?.round()?.sub(&x.zeros_like()?.affine(1.0, 8388600.0)?)?.add(x);
    clamp_by_a_computed_number(features(1)) |_vb, x| x.mean_all()?.clamp(&x.min_all()?, &x.max_all()?.affine(0.01, 0.0)?);
    round_halves(features(1)) |_vb, x| x.zeros_like()?.affine(1.0, 2.5)?.add(x)?.sub(x)?.round();
    selu(features(1)) |_vb, x| ops::selu(x, 1.6732632, 1.050701);
    sigmoid(features(1)) |_vb, x| ops::sigmoid(x);
    sign(features(1)) |_vb, x| x.sign();
    silu(features(1)) |_vb, x| x.silu();
    sin(features(1)) |_vb, x| x.sin();
    sqr(features(1)) |_vb, x| x.sqr();
    sqrt(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.sqrt();
    tanh(features(1)) |_vb, x| x.tanh();
    swiglu(features(1)) |_vb, x| ops::swiglu(x);
    affine(features(1)) |_vb, x| x.affine(2.5, -0.5);
    powf(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.powf(1.7);
    clamp(features(1)) |_vb, x| x.clamp(-0.4f32, 0.3f32);
    clamp_by_values(features(1), features(2)) |_vb, x, y| x.clamp(y, &y.affine(1.0, 0.2)?);
    add(features(1), features(2)) |_vb, x, y| x.add(y);
    add_number(features(1)) |_vb, x| x.clone() + 1.5;
    operators(features(1), features(2)) |_vb, x, y| ((x.clone() * 0.5)? + y)? / 3.0;
    sub(features(1), features(2)) |_vb, x, y| x.sub(y);
    mul(features(1), features(2)) |_vb, x, y| x.mul(y);
    div(features(1), Sample::batch(positive(&[4, 6], 1))) |_vb, x, y| x.div(y);
    pow(Sample::batch(positive(&[4, 6], 1)), features(2)) |_vb, x, y| x.pow(y);
    broadcast_add(features(1), Sample::fixed(numbers(&[6], 4))) |_vb, x, y| x.broadcast_add(y);
    broadcast_mul(image(), Sample::fixed(numbers(&[4, 1, 1], 4))) |_vb, x, y| x.broadcast_mul(y);
    broadcast_sub(features(1)) |_vb, x| x.broadcast_sub(&x.mean_keepdim(1)?);
    broadcast_div(features(1)) |_vb, x| x.broadcast_div(&x.sqr()?.sum_keepdim(1)?);
    maximum(features(1), features(2)) |_vb, x, y| x.maximum(y);
    minimum_number(features(1)) |_vb, x| x.minimum(0.25);
    eq(features(1), features(2)) |_vb, x, y| x.sign()?.eq(&y.sign()?);
    ne(features(1), features(2)) |_vb, x, y| x.sign()?.ne(&y.sign()?);
    lt(features(1), features(2)) |_vb, x, y| x.lt(y);
    le(features(1)) |_vb, x| x.le(0.1);
    gt(features(1), features(2)) |_vb, x, y| x.gt(y);
    ge(features(1)) |_vb, x| x.ge(0.1);
    mask_as_number(features(1)) |_vb, x| x.mul(&x.gt(0.0)?.to_dtype(DType::F32)?);
    masks_multiplied(features(1), features(2)) |_vb, x, y| x.gt(0.0)?.mul(&y.gt(0.0)?)?.to_dtype(DType::F32);
    numbers_of_a_mask(features(1)) |_vb, x| {
        let mask = x.gt(0.0)?;
        mask.eq(&mask.zeros_like()?)?.add(&mask)?.to_dtype(DType::F32)
    };
    where_cond(features(1), features(2)) |_vb, x, y| x.gt(y)?.where_cond(x, y);
    to_dtype(features(1)) |_vb, x| x.affine(9.0, 0.0)?.to_dtype(DType::I64)?.to_dtype(DType::F32);
    zeros_like(features(1)) |_vb, x| x.zeros_like()?.add(x);
    ones_like(features(1)) |_vb, x| x.ones_like();
}

cases! { reductions:
    sum(image()) |_vb, x| x.sum((2, 3));
    sum_keepdim(image()) |_vb, x| x.sum_keepdim(1);
    mean(image()) |_vb, x| x.mean((1, 2));
    mean_keepdim(image()) |_vb, x| x.mean_keepdim(D::Minus1);
    max(image()) |_vb, x| x.max(1);
    max_keepdim(image()) |_vb, x| x.max_keepdim(D::Minus1);
    min(image()) |_vb, x| x.min(D::Minus1);
    min_keepdim(image()) |_vb, x| x.min_keepdim(1);
    argmax(features(1)) |_vb, x| x.argmax(1);
    argmax_keepdim(image()) |_vb, x| x.argmax_keepdim(1);
    argmin(features(1)) |_vb, x| x.argmin(D::Minus1);
    sum_all(features(1)) |_vb, x| x.sum_all();
    mean_all(features(1)) |_vb, x| x.mean_all();
    max_all(features(1)) |_vb, x| x.max_all();
    min_all(features(1)) |_vb, x| x.min_all();
    log_sum_exp(features(1)) |_vb, x| x.log_sum_exp(1);
    cumsum(image()) |_vb, x| x.cumsum(2);
    softmax(image()) |_vb, x| ops::softmax(x, 1);
    softmax_last_dim(tokens()) |_vb, x| ops::softmax_last_dim(x);
    log_softmax(features(1)) |_vb, x| ops::log_softmax(x, D::Minus1);
    matmul(tokens(), tokens()) |_vb, x, y| x.matmul(&y.t()?);
    broadcast_matmul(tokens(), Sample::fixed(numbers(&[8, 3], 5))) |_vb, x, y| x.broadcast_matmul(y);
}

cases! { arrangements:
    reshape(image()) |_vb, x| x.reshape((x.dim(0)?, 8, 24));
    reshape_with_hole(image()) |_vb, x| x.reshape(((), 48));
    reshape_of_heads(tokens()) |_vb, x| {
        let (n, t, c) = x.dims3()?;
        x.reshape((n, t, 2, c / 2))?.transpose(1, 2)?.contiguous()?.transpose(1, 2)?.reshape((n, t, c))
    };
    reshape_to_rows(tokens()) |_vb, x| {
        let (n, t, c) = x.dims3()?;
        x.reshape((n * t, c))?.relu()?.reshape((n, t, c))
    };
    flatten_all(image()) |_vb, x| x.flatten_all();
    flatten(image()) |_vb, x| x.flatten(1, 2);
    flatten_to(image()) |_vb, x| x.flatten_to(1);
    flatten_from(image()) |_vb, x| x.flatten_from(1);
    squeeze(image()) |_vb, x| x.sum_keepdim(1)?.squeeze(1);
    unsqueeze(features(1)) |_vb, x| x.unsqueeze(D::Minus1);
    transpose(image()) |_vb, x| x.transpose(1, 3);
    t(tokens()) |_vb, x| x.t();
    permute(image()) |_vb, x| x.permute((0, 2, 3, 1));
    narrow(image()) |_vb, x| x.narrow(2, 1, 3);
    narrow_to_the_last(tokens()) |_vb, x| x.narrow(1, x.dim(1)? - 1, 1);
    narrow_by_a_size(tokens(), Sample::fixed(numbers(&[16, 8], 4))) |_vb, x, y| {
        x.broadcast_add(&y.narrow(0, 0, x.dim(1)?)?)
    };
    a_constant_cut_to_a_size(tokens()) |vb, x| {
        let (_, t, _) = x.dims3()?;
        let table = F::from(vb.get((16, 8), "table")?);
        let mask = F::from(candle_core::Tensor::tril2(16, DType::F32, vb.device())?);
        let mask = mask.narrow(0, 0, t)?.narrow(1, 0, t)?;
        mask.broadcast_matmul(x)?.broadcast_add(&table.narrow(0, 0, t)?)
    };
    cat(image(), image()) |_vb, x, y| F::cat(&[x, y, x], 1);
    stack(features(1), features(2)) |_vb, x, y| F::stack(&[x, y], 1);
    chunk(image()) |_vb, x| { let parts = x.chunk(3, 3)?; F::cat(&[&parts[2], &parts[0]], 3) };
    index(image()) |_vb, x| x.i((.., 1, 2.., ..=3));
    get_on_dim(image()) |_vb, x| x.get_on_dim(1, 2);
    index_select(image(), Sample::fixed(ids(&[5], 4, 6))) |_vb, x, y| x.index_select(y, 1);
    gather(features(1), Sample::batch(ids(&[4, 3], 6, 6))) |_vb, x, y| x.gather(y, 1);
    broadcast_as(features(1)) |_vb, x| x.unsqueeze(1)?.broadcast_as((x.dim(0)?, 3, 6));
    broadcast_left(features(1)) |_vb, x| x.broadcast_left(2);
    repeat(features(1)) |_vb, x| x.repeat((1, 3));
    repeat_with_more_dimensions(features(1)) |_vb, x| x.repeat((2, 1, 2));
    pad_with_zeros(image()) |_vb, x| x.pad_with_zeros(2, 1, 2);
    pad_with_same(image()) |_vb, x| x.pad_with_same(3, 2, 1);
    pixel_shuffle(image()) |_vb, x| ops::pixel_shuffle(x, 2);
    pixel_unshuffle(image()) |_vb, x| ops::pixel_unshuffle(x, 2);
    an_input_as_output(features(1)) |_vb, x| x.contiguous();
}

cases! { windows:
    max_pool2d(image()) |_vb, x| x.max_pool2d(2);
    max_pool2d_with_stride(image()) |_vb, x| x.max_pool2d_with_stride((3, 2), (1, 2));
    avg_pool2d(image()) |_vb, x| x.avg_pool2d(2);
    avg_pool2d_with_stride(image()) |_vb, x| x.avg_pool2d_with_stride(3, 2);
    upsample_nearest2d(image()) |_vb, x| x.upsample_nearest2d(12, 16);
    upsample_nearest2d_to_odd(image()) |_vb, x| x.upsample_nearest2d(7, 11);
    upsample_nearest2d_dynamic(Sample::image(numbers(&[4, 3, 6, 5], 1), 1)) |_vb, x| {
        x.upsample_nearest2d(x.dim(2)? * 2, x.dim(3)? * 3)
    };
    upsample_bilinear2d(image()) |_vb, x| x.upsample_bilinear2d(9, 16, false);
    upsample_bilinear2d_corners(image()) |_vb, x| x.upsample_bilinear2d(9, 16, true);
    conv2d_of_values(image(), Sample::fixed(numbers(&[2, 4, 3, 3], 5))) |_vb, x, y| x.conv2d(y, 1, 2, 1, 1);
}

cases! { layers:
    linear_layer(features(1)) |vb, x| x.apply(&linear(6, 3, vb.pp("fc"))?);
    linear_without_bias(features(1)) |vb, x| x.apply(&linear_no_bias(6, 3, vb.pp("fc"))?);
    linear_on_tokens(tokens()) |vb, x| x.apply(&linear(8, 3, vb.pp("fc"))?);
    linear_on_four_dimensions(image()) |vb, x| x.apply(&linear_no_bias(8, 3, vb.pp("fc"))?);
    conv1d_layer(signal()) |vb, x| {
        x.apply(&conv1d(4, 6, 3, Conv1dConfig { padding: 1, stride: 2, groups: 2, ..Default::default() }, vb.pp("c"))?)
    };
    conv2d_layer(image()) |vb, x| {
        x.apply(&conv2d(4, 6, 3, Conv2dConfig { padding: 1, stride: 2, ..Default::default() }, vb.pp("c"))?)
    };
    conv2d_dilated(image()) |vb, x| {
        x.apply(&conv2d_no_bias(4, 4, 2, Conv2dConfig { dilation: 2, groups: 4, ..Default::default() }, vb.pp("c"))?)
    };
    conv2d_of_dynamic_size(Sample::image(numbers(&[4, 4, 32, 24], 1), 8)) |vb, x| {
        let config = Conv2dConfig { padding: 1, stride: 2, ..Default::default() };
        x.apply(&conv2d(4, 6, 3, config, vb.pp("c"))?)?.mean((2, 3))
    };
    conv_transpose1d_layer(signal()) |vb, x| {
        let config = ConvTranspose1dConfig { padding: 1, stride: 2, output_padding: 1, ..Default::default() };
        x.apply(&conv_transpose1d(4, 3, 3, config, vb.pp("c"))?)
    };
    conv_transpose2d_layer(image()) |vb, x| {
        let config = ConvTranspose2dConfig { padding: 1, stride: 2, output_padding: 1, ..Default::default() };
        x.apply(&conv_transpose2d(4, 3, 3, config, vb.pp("c"))?)
    };
    batch_norm_layer(image()) |vb, x| x.apply_t(&batch_norm(4, 1e-5, vb.pp("bn"))?, false);
    batch_norm_of_features(features(1)) |vb, x| x.apply_t(&batch_norm(6, 1e-3, vb.pp("bn"))?, false);
    batch_norm_plain(image()) |vb, x| {
        let config = candle_nn::BatchNormConfig { affine: false, ..Default::default() };
        x.apply_t(&batch_norm(4, config, vb.pp("bn"))?, false)
    };
    layer_norm_layer(tokens()) |vb, x| x.apply(&layer_norm(8, 1e-5, vb.pp("ln"))?);
    layer_norm_without_bias(tokens()) |vb, x| x.apply(&layer_norm_no_bias(8, 1e-5, vb.pp("ln"))?);
    rms_norm_layer(tokens()) |vb, x| x.apply(&rms_norm(8, 1e-5, vb.pp("rms"))?);
    group_norm_layer(image()) |vb, x| x.apply(&group_norm(2, 4, 1e-5, vb.pp("gn"))?);
    group_norm_of_dynamic_size(Sample::image(numbers(&[4, 4, 32, 24], 1), 8)) |vb, x| {
        x.apply(&group_norm(2, 4, 1e-5, vb.pp("gn"))?)
    };
    embedding_layer(Sample::sequence(ids(&[4, 5], 11, 6))) |vb, x| x.apply(&embedding(11, 8, vb.pp("wte"))?);
    prelu_layer(image()) |vb, x| x.apply(&prelu(Some(4), vb.pp("act"))?);
    prelu_of_one_slope(image()) |vb, x| x.apply(&prelu(None, vb.pp("act"))?);
    dropout(features(1)) |_vb, x| x.apply_t(&candle_nn::Dropout::new(0.5), false)?.relu();
    lstm_last(tokens()) |vb, x| {
        let states = lstm(8, 5, Default::default(), vb.pp("rnn"))?.seq(x)?;
        states.last().unwrap().h().add(states.last().unwrap().c())
    };
    lstm_all(tokens()) |vb, x| {
        let rnn = lstm(8, 5, candle_nn::LSTMConfig::default_no_bias(), vb.pp("rnn"))?;
        rnn.states_to_tensor(&rnn.seq(x)?)
    };
    gru_last(tokens()) |vb, x| {
        Ok::<_, candle_core::Error>(gru(8, 5, Default::default(), vb.pp("rnn"))?.seq(x)?.last().unwrap().h().clone())
    };
    gru_all(tokens()) |vb, x| {
        let rnn = gru(8, 5, Default::default(), vb.pp("rnn"))?;
        rnn.states_to_tensor(&rnn.seq(x)?)
    };
    activations(features(1)) |_vb, x| {
        let all = [
            Activation::Gelu, Activation::NewGelu, Activation::Relu, Activation::Relu2, Activation::Relu6,
            Activation::Silu, Activation::Sigmoid, Activation::HardSigmoid, Activation::Swish, Activation::Mish,
            Activation::HardSwish, Activation::Elu(0.5), Activation::LeakyRelu(0.2), Activation::GeluPytorchTanh,
        ];
        let made: Result<Vec<F>> = all.iter().map(|activation| x.apply(activation)).collect();
        F::cat(&made?, 1)
    };
}

/// Visits all cases, in families.
pub(crate) fn visit<V: Visit>(with: &V) -> Vec<(&'static str, Vec<Outcome<V::Made>>)> {
    vec![
        ("Element by element", elementwise(with)),
        ("Reductions and products", reductions(with)),
        ("Shapes, parts and joins", arrangements(with)),
        ("Images and signals", windows(with)),
        ("Layers", layers(with)),
    ]
}

struct Check;

impl Visit for Check {
    type Made = Agreement;
    fn visit<M: Model>(
        &self,
        name: &str,
        make: impl Fn(VarBuilder<'static>) -> Result<M>,
        samples: &[Sample],
    ) -> std::result::Result<Agreement, String> {
        check(name, make, samples)
    }
}

#[test]
fn every_method_and_layer_agrees() {
    let all: Vec<Outcome<Agreement>> = visit(&Check).into_iter().flat_map(|(_, outcomes)| outcomes).collect();
    let failure = |case: &Outcome<Agreement>| Some(format!("{}: {}", case.name, case.result.as_ref().err()?));
    let failures: Vec<String> = all.iter().filter_map(failure).collect();
    assert!(failures.is_empty(), "{} of {} fail:\n{}", failures.len(), all.len(), failures.join("\n"));
    let agreements = || all.iter().filter_map(|case| case.result.as_ref().ok());
    let worst = agreements().fold(0.0, |most: f64, agreement| most.max(agreement.rten));
    assert!(worst < 1e-4 && worst > 0.0, "{worst}");
    // The others use ops that candle-onnx 0.11 does not have.
    let in_candle = agreements().filter(|agreement| agreement.candle).count();
    assert_eq!((all.len(), in_candle), (152, 130));
}
