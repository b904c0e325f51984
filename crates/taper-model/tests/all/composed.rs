//! The ops composed of candle's, against the ops on Taper's kernels; a trainer on candle, against one on a plan.

use std::sync::LazyLock;

use candle_core::{Device, Tensor, Var};
use proptest::prelude::*;
use taper_graph::{Activation, AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op};
use taper_kernels::PoolGeometry;
use taper_model::ops::{self, DropoutKey, composed};
use taper_model::{Model, ModelError, Optimizer, Trainer, TrainerSettings};

use crate::device::kind;
use crate::fixture::{flat, relative_error};
use crate::layers::{answers, check_same, numbers, variable};

/// One for all tests: candle takes two that were opened apart for two devices.
pub(crate) fn device() -> Device {
    static DEVICE: LazyLock<Device> = LazyLock::new(|| kind().open().unwrap());
    DEVICE.clone()
}

/// The same variable on that device.
fn there(var: &Var) -> Var {
    Var::from_tensor(&var.as_detached_tensor().to_device(&device()).unwrap()).unwrap()
}

/// Output and gradients of what is composed, and of the kernels.
fn both(
    vars: &[&Var],
    composed: impl FnOnce(&[Var]) -> candle_core::Result<Tensor>,
    kernels: candle_core::Result<Tensor>,
) -> [Vec<Vec<f32>>; 2] {
    let moved: Vec<Var> = vars.iter().map(|var| there(var)).collect();
    let found = composed(&moved).unwrap();
    [answers(&found, &moved.iter().collect::<Vec<_>>()), answers(&kernels.unwrap(), vars)]
}

/// [`both`], which must be the same but for rounding.
fn compare(
    vars: &[&Var],
    composed: impl FnOnce(&[Var]) -> candle_core::Result<Tensor>,
    kernels: candle_core::Result<Tensor>,
) -> std::result::Result<(), TestCaseError> {
    let [found, expected] = both(vars, composed, kernels);
    check_same(&found, &expected)
}

/// The relative error of numbers that are to be the same.
pub(crate) fn apart(found: &[f32], expected: &[f32]) -> f64 {
    relative_error(found, &expected.iter().map(|&x| f64::from(x)).collect::<Vec<_>>())
}

/// Pairs of numbers, one for each axis.
fn pair(range: std::ops::Range<usize>) -> [std::ops::Range<usize>; 2] {
    [range.clone(), range]
}

/// Few different numbers, so that windows have several maxima.
fn tied(seed: u64, shape: &[usize]) -> Var {
    let rough = (variable(seed, shape).as_tensor() * 2.0).unwrap().round().unwrap();
    Var::from_tensor(&rough).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_global_rejects: 1 << 20, ..ProptestConfig::default() })]

    #[test]
    fn a_convolution_is_the_kernels(
        batch in 1..4usize, [inner, outer] in [1..4usize, 1..4], groups in 1..3usize, [h, w] in pair(3..11),
        kernel in pair(1..4), stride in pair(1..4), padding in pair(0..3), dilation in pair(1..3),
        (alike, bias) in any::<(bool, bool)>(),
    ) {
        let axes = |pair: [usize; 2]| if alike { [pair[0]; 2] } else { pair };
        let (stride, padding, dilation) = (axes(stride), axes(padding), axes(dilation));
        let conv = Conv2d { out_channels: outer * groups, kernel, stride, padding, dilation, groups, bias };
        let x = variable(1, &[batch, inner * groups, h, w]);
        let weight = variable(2, &[outer * groups, inner, kernel[0], kernel[1]]);
        let b = variable(3, &[outer * groups]);
        let mut vars = vec![&x, &weight];
        vars.extend(bias.then_some(&b));
        let expected = ops::conv2d(&x, &weight, bias.then(|| b.as_tensor()), &conv);
        prop_assume!(expected.is_ok());
        compare(&vars, |v| composed::conv2d(&v[0], &v[1], v.get(2).map(Var::as_tensor), &conv), expected)?;
    }

    #[test]
    fn pools_are_the_kernels_to_the_bit_where_maxima_are_equal(
        [batch, channels] in pair(1..4), [h, w] in pair(1..9), kernel in pair(1..4), stride in pair(1..4),
        padding in pair(0..2), dilation in pair(1..3), (ceil_mode, count_include_pad) in any::<(bool, bool)>(),
    ) {
        let max = MaxPool2d { kernel, stride, padding, dilation, ceil_mode };
        let avg = AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad };
        let x = tied(5, &[batch, channels, h, w]);
        let mut fits = 0;
        if PoolGeometry::max(&max, batch, [channels, h, w]).is_ok() {
            let [found, expected] = both(&[&x], |v| composed::max_pool2d(&v[0], &max), ops::max_pool2d(&x, &max));
            prop_assert_eq!(&found[0], &expected[0]);
            // Several windows may share an element, whose gradient is then their sum.
            check_same(&found[1..], &expected[1..])?;
            fits += 1;
        }
        if PoolGeometry::avg(&avg, batch, [channels, h, w]).is_ok() {
            compare(&[&x], |v| composed::avg_pool2d(&v[0], &avg), ops::avg_pool2d(&x, &avg))?;
            fits += 1;
        }
        prop_assume!(fits > 0);
    }

    #[test]
    fn norms_are_the_kernels([batch, channels] in pair(1..5), [h, w] in pair(1..6)) {
        let x = variable(1, &[batch, channels, h, w]);
        let (weight, bias) = (variable(2, &[channels]), variable(3, &[channels]));
        let running = [variable(4, &[channels]), Var::from_tensor(&variable(5, &[channels]).sqr().unwrap()).unwrap()];
        let vars = [&x, &weight, &bias];
        let by = [running[0].as_tensor(), running[1].as_tensor()];
        let moved = running.each_ref().map(there);
        let by_moved = [moved[0].as_tensor(), moved[1].as_tensor()];
        let expected = ops::batch_norm_eval(&x, &weight, &bias, by, 0.5);
        compare(&vars, |v| composed::batch_norm_eval(&v[0], &v[1], &v[2], by_moved, 0.5), expected)?;
        let settings = Normalize { mean: numbers(6, channels), std: vec![0.25; channels] };
        compare(&[&x], |v| composed::normalize(&v[0], &settings), ops::normalize(&x, &settings))?;
        let moved = vars.map(there);
        let (found, expected) = (
            composed::batch_norm_train(&moved[0], &moved[1], &moved[2], 0.1),
            ops::batch_norm_train(&x, &weight, &bias, 0.1),
        );
        prop_assert_eq!(found.is_ok(), expected.is_ok());
        if let (Ok((found, of_it)), Ok((expected, of_other))) = (found, expected) {
            check_same(&answers(&found, &moved.each_ref()), &answers(&expected, &vars))?;
            for (a, b) in of_it.mean.iter().chain(&of_it.variance).zip(of_other.mean.iter().chain(&of_other.variance)) {
                prop_assert!((a - b).abs() < 1e-5, "{a} {b}");
            }
        }
    }
}

#[test]
fn the_rest_is_the_kernels() {
    let x = variable(1, &[3, 4, 2, 2]);
    for function in
        [Activation::Relu, Activation::Gelu, Activation::Silu, Activation::Tanh, Activation::Sigmoid]
    {
        compare(&[&x], |v| composed::activation(&v[0], function), ops::activation(&x, function)).unwrap();
    }
    compare(&[&x], |v| composed::softmax(&v[0]), ops::softmax(&x)).unwrap();
    compare(&[&x], |v| composed::global_avg_pool(&v[0]), ops::global_avg_pool(&x)).unwrap();
    let key = DropoutKey { seed: 1, step: 2, layer: 3 };
    compare(&[&x], |v| composed::dropout(&v[0], 0.4, key), ops::dropout(&x, 0.4, key)).unwrap();
    let (rows, weight, bias) = (variable(1, &[3, 16]), variable(2, &[5, 16]), variable(3, &[5]));
    let vars = [&rows, &weight, &bias];
    let expected = ops::linear(&rows, &weight, Some(&bias));
    compare(&vars, |v| composed::linear(&v[0], &v[1], Some(&v[2])), expected).unwrap();
    let (logits, labels) = (variable(4, &[3, 5]), [0, 4, 2]);
    let (expected, numbers) = ops::cross_entropy(&logits, &labels, 0.1).unwrap();
    let composed = |v: &[Var]| {
        let (found, same) = composed::cross_entropy(&v[0], &labels, 0.1)?;
        assert_eq!(same, numbers);
        Ok(found)
    };
    compare(&[&logits], composed, Ok(expected)).unwrap();
}

#[test]
fn relu_has_no_slope_at_zero_and_what_is_no_number_goes_through() {
    let x = Var::new(&[-1f32, 0.0, 2.0, f32::NAN, f32::NEG_INFINITY, f32::INFINITY], &device()).unwrap();
    let y = composed::activation(&x, Activation::Relu).unwrap();
    let found = flat(&y);
    assert_eq!(found[..3], [0.0, 0.0, 2.0]);
    assert!(found[3].is_nan() && found[4] == 0.0 && found[5] == f32::INFINITY, "{found:?}");
    let gradients = y.backward().unwrap();
    assert_eq!(flat(gradients.get(&x).unwrap())[..3], [0.0, 0.0, 1.0]);
    let window = Var::new(&[[[[1f32, f32::NAN], [f32::INFINITY, 2.0]]]], &device()).unwrap();
    let y = composed::max_pool2d(&window, &MaxPool2d::new(2)).unwrap();
    assert!(flat(&y)[0].is_nan());
    assert_eq!(flat(y.backward().unwrap().get(&window).unwrap()), [0.0, 1.0, 0.0, 0.0]);
}

fn graph() -> Graph {
    let ops = [
        // A bias before batch norm has no gradient but rounding.
        Op::Conv2d(Conv2d { bias: false, ..Conv2d::new(9, 3).padding(1) }),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::dropout(0.3),
        Op::Flatten,
        Op::Linear(Linear::new(21)),
        Op::Relu,
        Op::dropout(0.2),
        Op::Linear(Linear::new(4)),
    ];
    Graph::sequential("candles", &[2, 8, 8], ops).unwrap()
}

fn trainer(settings: TrainerSettings, on_candle: bool) -> Trainer {
    let model = Model::new(graph(), 1).unwrap();
    let model = if on_candle { model.on_candle(&device()).unwrap() } else { model };
    Trainer::new(model, settings).unwrap()
}

fn step(trainer: &mut Trainer, number: usize) -> taper_model::Step {
    let (images, labels) = batch(number);
    trainer.step(&images, &labels, 0.003).unwrap()
}

fn batch(number: usize) -> (Vec<f32>, Vec<u8>) {
    let labels = (0..13).map(|image| ((image * 3 + number) % 4) as u8).collect();
    (numbers(number as u64, 13 * 128), labels)
}

#[test]
fn a_trainer_on_candle_takes_the_plans_steps() {
    let nesterov = Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01 };
    for optimizer in [Optimizer::sgd(0.0), nesterov, Optimizer::adam(), Optimizer::adamw()] {
        let (clip_norm, ema_decay) = (Some(0.5), Some(0.9));
        let settings =
            TrainerSettings { optimizer, label_smoothing: 0.1, seed: 7, clip_norm, ema_decay, shards: 0 };
        let [mut candle, mut plan] = [true, false].map(|on_candle| trainer(settings, on_candle));
        assert!(candle.explain().is_none() && plan.explain().is_some());
        for number in 0..4 {
            let (images, labels) = batch(number + 50);
            let before = candle.state().unwrap();
            let [found, expected] =
                [&mut candle, &mut plan].map(|trainer| trainer.gradients(&images, &labels).unwrap());
            assert_eq!(candle.state().unwrap(), before, "gradients change nothing");
            for ((name, found), (other, expected)) in found.parameters.iter().zip(&expected.parameters) {
                assert_eq!(name, other);
                let error = apart(&found.data, &expected.data);
                assert!(error < 1e-3, "{optimizer:?}, step {number}, {name}: {error:.1e}");
            }
            let [found, expected] = [&mut candle, &mut plan].map(|trainer| step(trainer, number));
            assert!((found.loss - expected.loss).abs() < 1e-4, "{found:?} {expected:?}");
        }
        let [found, expected] = [&mut candle, &mut plan].map(|trainer| trainer.state().unwrap());
        for ((name, found), (_, expected)) in found.weights.iter().zip(expected.weights.iter()) {
            let error = apart(&found.data, &expected.data);
            assert!(error < 1e-3, "{optimizer:?}, {name}: {error:.1e}");
        }
        for (name, found) in &found.average {
            let error = apart(&found.data, &expected.average[name].data);
            assert!(error < 1e-3, "{optimizer:?}, average of {name}: {error:.1e}");
        }
        // The model that comes of it answers by the averages, wherever it is.
        let (images, _) = batch(9);
        let [found, expected] =
            [candle, plan].map(|trainer| trainer.into_model().unwrap().logits(&images).unwrap());
        assert!(apart(&found, &expected) < 1e-3);
    }
}

#[test]
fn another_trainer_on_candle_goes_on_bit_for_bit() {
    let settings = TrainerSettings { ema_decay: Some(0.9), ..TrainerSettings::default() };
    let mut whole = trainer(settings, true);
    step(&mut whole, 0);
    let state = whole.state().unwrap();
    let mut other = trainer(settings, true);
    other.restore(&state).unwrap();
    assert_eq!(other.state().unwrap(), state);
    // A look at the averaged model does not stand in the way.
    whole.averaged_model().unwrap();
    let steps = [&mut whole, &mut other].map(|trainer| step(trainer, 1));
    // A GPU may add in another order each time.
    if device().is_cpu() {
        assert_eq!(steps[0], steps[1]);
        assert_eq!(whole.state().unwrap(), other.state().unwrap());
    }
    assert!((steps[0].loss - steps[1].loss).abs() < 1e-5, "{steps:?}");
}

#[test]
fn what_candle_cannot_do_is_refused() {
    let model = || Model::new(graph(), 1).unwrap().on_candle(&device()).unwrap();
    let sharded = Trainer::new(model(), TrainerSettings { shards: 2, ..TrainerSettings::default() });
    assert!(matches!(sharded.unwrap_err(), ModelError::OnCandle));
    let mut trainer = trainer(TrainerSettings::default(), true);
    let error = trainer.step(&[0.0; 128], &[4], 0.1).unwrap_err();
    assert!(error.to_string().contains("label 4"), "{error}");
    assert!(model().inference().unwrap().explain().is_none());
}
