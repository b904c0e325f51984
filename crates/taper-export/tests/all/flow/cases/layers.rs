//! Layers.

use candle_core::Result;
use candle_nn::rnn::Direction;
use candle_nn::{
    Activation, Conv1dConfig, Conv2dConfig, ConvTranspose1dConfig, ConvTranspose2dConfig, LSTMConfig,
    LayerNormConfig, VarBuilder, batch_norm, conv_transpose1d, conv_transpose2d, conv1d, conv2d,
    conv2d_no_bias, embedding, layer_norm, layer_norm_no_bias, linear, linear_no_bias, prelu, rms_norm,
};
use taper_export::flow::{Flow, GruState, LstmState, Model, group_norm, gru, lstm, ops};

use super::super::check::{Sample, ids, numbers};
use super::{Outcome, Visit, features, image, signal, tokens};

cases! { layers:
    nn_linear(features(1)) |vb, x| x.apply(&linear(6, 3, vb.pp("fc"))?);
    nn_linear_no_bias(features(1)) |vb, x| x.apply(&linear_no_bias(6, 3, vb.pp("fc"))?);
    nn_linear__of_tokens(tokens()) |vb, x| x.apply(&linear(8, 3, vb.pp("fc"))?);
    nn_linear_no_bias__of_four_dimensions(image()) |vb, x| x.apply(&linear_no_bias(8, 3, vb.pp("fc"))?);
    nn_conv1d(signal()) |vb, x| {
        x.apply(&conv1d(4, 6, 3, Conv1dConfig { padding: 1, stride: 2, groups: 2, ..Default::default() }, vb.pp("c"))?)
    };
    nn_conv2d(image()) |vb, x| {
        x.apply(&conv2d(4, 6, 3, Conv2dConfig { padding: 1, stride: 2, ..Default::default() }, vb.pp("c"))?)
    };
    nn_conv2d_no_bias__dilated(image()) |vb, x| {
        x.apply(&conv2d_no_bias(4, 4, 2, Conv2dConfig { dilation: 2, groups: 4, ..Default::default() }, vb.pp("c"))?)
    };
    nn_conv2d__of_dynamic_size(Sample::image(numbers(&[4, 4, 32, 24], 1), 8)) |vb, x| {
        let config = Conv2dConfig { padding: 1, stride: 2, ..Default::default() };
        x.apply(&conv2d(4, 6, 3, config, vb.pp("c"))?)?.mean((2, 3))
    };
    nn_conv_transpose1d(signal()) |vb, x| {
        let config = ConvTranspose1dConfig { padding: 1, stride: 2, output_padding: 1, ..Default::default() };
        x.apply(&conv_transpose1d(4, 3, 3, config, vb.pp("c"))?)
    };
    nn_conv_transpose2d(image()) |vb, x| {
        let config = ConvTranspose2dConfig { padding: 1, stride: 2, output_padding: 1, ..Default::default() };
        x.apply(&conv_transpose2d(4, 3, 3, config, vb.pp("c"))?)
    };
    nn_conv_transpose1d__in_groups(signal()) |vb, x| {
        let config = ConvTranspose1dConfig { stride: 3, groups: 2, ..Default::default() };
        x.apply(&conv_transpose1d(4, 6, 3, config, vb.pp("c"))?)
    };
    nn_conv_transpose2d__dilated(image()) |vb, x| {
        let config = ConvTranspose2dConfig { dilation: 2, stride: 2, ..Default::default() };
        x.apply(&conv_transpose2d(4, 3, 3, config, vb.pp("c"))?)
    };
    nn_batch_norm(image()) |vb, x| x.apply_t(&batch_norm(4, 1e-5, vb.pp("bn"))?, false);
    nn_batch_norm__of_features(features(1)) |vb, x| x.apply_t(&batch_norm(6, 1e-3, vb.pp("bn"))?, false);
    nn_batch_norm__without_weights(image()) |vb, x| {
        let config = candle_nn::BatchNormConfig { affine: false, ..Default::default() };
        x.apply_t(&batch_norm(4, config, vb.pp("bn"))?, false)
    };
    nn_layer_norm(tokens()) |vb, x| x.apply(&layer_norm(8, 1e-5, vb.pp("ln"))?);
    nn_layer_norm_no_bias(tokens()) |vb, x| x.apply(&layer_norm_no_bias(8, 1e-5, vb.pp("ln"))?);
    nn_layer_norm__with_its_mean(tokens()) |vb, x| {
        let config = LayerNormConfig { remove_mean: false, ..Default::default() };
        x.apply(&layer_norm(8, config, vb.pp("ln"))?)
    };
    ops_layer_norm(tokens()) |vb, x| {
        let (weight, bias) = (vb.get(8, "ln.weight")?, vb.get(8, "ln.bias")?);
        ops::layer_norm(x, &F::from(weight), &F::from(bias), 1e-5)
    };
    ops_rms_norm(tokens()) |vb, x| ops::rms_norm(x, &F::from(vb.get(8, "rms.weight")?), 1e-5);
    nn_rms_norm(tokens()) |vb, x| x.apply(&rms_norm(8, 1e-5, vb.pp("rms"))?);
    nn_group_norm(image()) |vb, x| x.apply(&group_norm(2, 4, 1e-5, vb.pp("gn"))?);
    nn_group_norm__of_signals(signal()) |vb, x| x.apply(&group_norm(2, 4, 1e-5, vb.pp("gn"))?);
    nn_group_norm__of_dynamic_size(Sample::image(numbers(&[4, 4, 32, 24], 1), 8)) |vb, x| {
        x.apply(&group_norm(2, 4, 1e-5, vb.pp("gn"))?)
    };
    nn_embedding(Sample::sequence(ids(&[4, 5], 11, 6))) |vb, x| x.apply(&embedding(11, 8, vb.pp("wte"))?);
    nn_prelu(image()) |vb, x| x.apply(&prelu(Some(4), vb.pp("act"))?);
    nn_prelu__of_one_slope(image()) |vb, x| x.apply(&prelu(None, vb.pp("act"))?);
    nn_dropout(features(1)) |_vb, x| x.apply_t(&candle_nn::Dropout::new(0.5), false)?.relu();
    nn_lstm(tokens()) |vb, x| {
        let states = lstm(8, 5, Default::default(), vb.pp("rnn"))?.seq(x)?;
        states.last().unwrap().h().add(states.last().unwrap().c())
    };
    nn_lstm__of_another_layer(tokens()) |vb, x| {
        let config = LSTMConfig { layer_idx: 1, direction: Direction::Backward, ..Default::default() };
        let rnn = lstm(8, 5, config, vb.pp("rnn"))?;
        rnn.states_to_tensor(&rnn.seq(x)?)
    };
    nn_lstm__from_a_state(tokens(), Sample::batch(numbers(&[4, 5], 7))) |vb, x, h| {
        let rnn = lstm(8, 5, Default::default(), vb.pp("rnn"))?;
        let states = rnn.seq_init(x, &LstmState { h: h.clone(), c: h.tanh()? })?;
        states.last().unwrap().c().add(&rnn.states_to_tensor(&states)?.max(1)?)
    };
    nn_lstm__steps(Sample::batch(numbers(&[4, 3, 8], 3))) |vb, x| {
        let rnn = lstm(8, 5, Default::default(), vb.pp("rnn"))?;
        let mut state = rnn.zero_state(x.dim(0)?)?;
        for step in 0..3 {
            state = rnn.step(&x.i((.., step))?, &state)?;
        }
        state.h.add(&state.c)
    };
    nn_gru__from_a_state(tokens(), Sample::batch(numbers(&[4, 5], 7))) |vb, x, h| {
        let rnn = gru(8, 5, Default::default(), vb.pp("rnn"))?;
        let state = rnn.step(&x.narrow(1, 0, 1)?.squeeze(1)?, &rnn.zero_state(x.dim(0)?)?)?;
        rnn.states_to_tensor(&rnn.seq_init(x, &GruState { h: state.h.add(h)? })?)
    };
    nn_lstm__all_states(tokens()) |vb, x| {
        let rnn = lstm(8, 5, candle_nn::LSTMConfig::default_no_bias(), vb.pp("rnn"))?;
        rnn.states_to_tensor(&rnn.seq(x)?)
    };
    nn_gru(tokens()) |vb, x| {
        Ok::<_, candle_core::Error>(gru(8, 5, Default::default(), vb.pp("rnn"))?.seq(x)?.last().unwrap().h().clone())
    };
    nn_gru__all_states(tokens()) |vb, x| {
        let rnn = gru(8, 5, Default::default(), vb.pp("rnn"))?;
        rnn.states_to_tensor(&rnn.seq(x)?)
    };
}

cases! { activations:
    activation_gelu(features(1)) |_vb, x| x.apply(&Activation::Gelu);
    activation_new_gelu(features(1)) |_vb, x| x.apply(&Activation::NewGelu);
    activation_relu(features(1)) |_vb, x| x.apply(&Activation::Relu);
    activation_relu2(features(1)) |_vb, x| x.apply(&Activation::Relu2);
    activation_relu6(features(1)) |_vb, x| x.apply(&Activation::Relu6);
    activation_silu(features(1)) |_vb, x| x.apply(&Activation::Silu);
    activation_sigmoid(features(1)) |_vb, x| x.apply(&Activation::Sigmoid);
    activation_hard_sigmoid(features(1)) |_vb, x| x.apply(&Activation::HardSigmoid);
    activation_swiglu(features(1)) |_vb, x| x.apply(&Activation::Swiglu);
    activation_swish(features(1)) |_vb, x| x.apply(&Activation::Swish);
    activation_mish(features(1)) |_vb, x| x.apply(&Activation::Mish);
    activation_hard_swish(features(1)) |_vb, x| x.apply(&Activation::HardSwish);
    activation_elu(features(1)) |_vb, x| x.apply(&Activation::Elu(0.5));
    activation_leaky_relu(features(1)) |_vb, x| x.apply(&Activation::LeakyRelu(0.2));
    activation_gelu_pytorch_tanh(features(1)) |_vb, x| x.apply(&Activation::GeluPytorchTanh);
}
