//! Taper's layers for candle models, against candle's own and themselves.

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Module, ModuleT, Tensor, Var};
use candle_nn::{BatchNormConfig, Conv2dConfig, Optimizer as _, ParamsAdamW, VarBuilder, VarMap};
use proptest::prelude::*;
use taper_graph::{Activation, Conv2d, MaxPool2d};
use taper_model::Optimizer;
use taper_model::layers::{self, Linear, UpdateRule, VarOptimizer};
use taper_model::ops::{self, DropoutKey};

use crate::fixture::flat;

pub(crate) fn builder(variables: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(variables, DType::F32, &Device::Cpu)
}

pub(crate) fn rule(optimizer: Optimizer, learning_rate: f64) -> UpdateRule {
    UpdateRule { optimizer, learning_rate }
}

/// Numbers in (−1, 1) that look random.
pub(crate) fn numbers(seed: u64, len: usize) -> Vec<f32> {
    let word = |index: u64| {
        let z = (index + seed * 1_000_003 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (z ^ z >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
    };
    (0..len as u64).map(|index| word(index) as f32 / (1 << 23) as f32 - 1.0).collect()
}

pub(crate) fn variable(seed: u64, shape: &[usize]) -> Var {
    Var::from_vec(numbers(seed, shape.iter().product()), shape, &Device::Cpu).unwrap()
}

/// Output and gradients for an output gradient of random numbers.
pub(crate) fn answers(y: &Tensor, vars: &[&Var]) -> Vec<Vec<f32>> {
    let dy = Tensor::from_vec(numbers(99, y.elem_count()), y.shape(), y.device()).unwrap();
    let gradients = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
    let of = |var: &&Var| flat(gradients.get(var.as_tensor()).unwrap());
    std::iter::once(flat(y)).chain(vars.iter().map(of)).collect()
}

pub(crate) fn check_same(
    found: &[Vec<f32>],
    expected: &[Vec<f32>],
) -> std::result::Result<(), TestCaseError> {
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        // Sums of hundreds of numbers of either sign may nearly cancel, but what rounding leaves does not.
        let norm = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
        let difference = norm(&mut found.iter().zip(expected).map(|(f, e)| f64::from(*f) - f64::from(*e)));
        let error = difference / (1.0 + norm(&mut expected.iter().map(|&v| f64::from(v))));
        prop_assert_eq!(found.len(), expected.len());
        prop_assert!(error < 1e-4, "number {place}: {error:.1e}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_fused_block_is_its_parts(
        batch in 1..12usize, [from, to] in [1..10usize, 1..18], [h, w] in [3..17usize, 3..17],
        kernel in 1..4usize, padding in 0..2usize, stride in 1..3usize, pool_padding in 0..2usize,
        (bias, drop, turned) in (any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let conv = Conv2d { stride: [stride; 2], ..Conv2d::new(to, kernel).padding(padding) };
        let pool = MaxPool2d { padding: [pool_padding; 2], ..MaxPool2d::new(2) };
        let sizes = if turned { [batch, from, w, h] } else { [batch, from, h, w] };
        let own = variable(1, &sizes);
        let x = if turned { own.transpose(2, 3).unwrap() } else { own.as_tensor().clone() };
        let (weight, b) = (variable(2, &[to, from, kernel, kernel]), variable(3, &[to]));
        let b = bias.then_some(&b);
        let key = DropoutKey { seed: 5, step: 6, layer: 7 };
        let mut vars = vec![&own, &weight];
        vars.extend(b);
        let b = b.map(Var::as_tensor);
        let parts = || {
            let y = ops::activation(&ops::conv2d(&x, &weight, b, &conv)?, Activation::Relu)?;
            let y = ops::max_pool2d(&y, &pool)?;
            if drop { ops::dropout(&y, 0.3, key) } else { Ok(y) }
        };
        let expected = parts();
        prop_assume!(expected.is_ok());
        let y = ops::conv_relu_pool(&x, &weight, b, &conv, &pool, drop.then_some((0.3, key))).unwrap();
        check_same(&answers(&y, &vars), &answers(&expected.unwrap(), &vars))?;
    }

    #[test]
    fn a_convolution_agrees_with_candles(
        batch in 1..8usize, [inner, outer] in [1..6usize, 1..10], [h, w] in [4..16usize, 4..16],
        kernel in 1..4usize, groups in 1..4usize, padding in 0..3usize,
    ) {
        let x = variable(1, &[batch, inner * groups, h, w]);
        let (weight, bias) = (variable(2, &[outer * groups, inner, kernel, kernel]), variable(3, &[outer * groups]));
        let config = Conv2dConfig { padding, groups, ..Conv2dConfig::default() };
        let parameters = || (weight.as_tensor().clone(), Some(bias.as_tensor().clone()));
        let (ours, theirs) = (parameters(), parameters());
        let ours = layers::Conv2d::new(ours.0, ours.1, config);
        let theirs = candle_nn::Conv2d::new(theirs.0, theirs.1, config);
        let vars = [&x, &weight, &bias];
        let expected = answers(&theirs.forward(&x).unwrap(), &vars);
        // The second call works in the first one's buffers.
        for _ in 0..2 {
            check_same(&answers(&ours.forward(&x).unwrap(), &vars), &expected)?;
        }
    }

    #[test]
    fn a_linear_layer_takes_any_rank(outer in prop::collection::vec(1..5usize, 1..4), [from, to] in [1..40usize, 1..40]) {
        let mut shape = outer.clone();
        shape.push(from);
        let (x, weight, bias) = (variable(1, &shape), variable(2, &[to, from]), variable(3, &[to]));
        let y = Linear::new(weight.as_tensor().clone(), Some(bias.as_tensor().clone())).forward(&x).unwrap();
        prop_assert_eq!(y.dims()[..outer.len()].to_vec(), outer.clone());
        let rows: usize = outer.iter().product();
        let flat_x = x.reshape((rows, from)).unwrap();
        let expected = flat_x.matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
        let expected = expected.reshape(y.shape()).unwrap();
        let vars = [&x, &weight, &bias];
        check_same(&answers(&y, &vars), &answers(&expected, &vars))?;
    }
}

#[test]
fn a_variable_that_is_used_twice_has_the_sum_of_its_gradients() {
    let (x, weight) = (variable(1, &[3, 5]), variable(2, &[5, 5]));
    let y = ops::linear(&ops::linear(&x, &weight, None).unwrap(), &weight, None).unwrap();
    let loss = (y.sum_all().unwrap() + weight.sqr().unwrap().sum_all().unwrap()).unwrap();
    let (ours, candles) = (ops::backward(&loss).unwrap(), loss.backward().unwrap());
    let of = |gradients: &GradStore| [&x, &weight].map(|var| flat(gradients.get(var.as_tensor()).unwrap()));
    check_same(&of(&ours), &of(&candles)).unwrap();
}

#[test]
fn layers_find_their_parameters_by_candles_names() {
    let names = |make: &dyn Fn(VarBuilder<'_>)| {
        let variables = VarMap::new();
        make(builder(&variables));
        let mut names: Vec<String> = variables.data().lock().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let config = Conv2dConfig::default();
    let both = ["bias", "weight"];
    assert_eq!(names(&|vb| drop(layers::conv2d(2, 4, 3, config, vb).unwrap())), both);
    assert_eq!(names(&|vb| drop(layers::conv2d_no_bias(2, 4, 3, config, vb).unwrap())), ["weight"]);
    assert_eq!(names(&|vb| drop(layers::linear(2, 4, vb).unwrap())), both);
    assert_eq!(names(&|vb| drop(layers::linear_no_bias(2, 4, vb).unwrap())), ["weight"]);
    let all = ["bias", "running_mean", "running_var", "weight"];
    assert_eq!(names(&|vb| drop(layers::batch_norm(2, 1e-5, vb).unwrap())), all);
}

#[test]
fn batch_norm_agrees_with_candles_in_training_and_evaluation() {
    for (affine, shape) in [(true, vec![4, 3, 5, 2]), (false, vec![6, 3]), (true, vec![2, 3, 7])] {
        let variables = [VarMap::new(), VarMap::new()];
        let config = BatchNormConfig { affine, ..BatchNormConfig::default() };
        let ours = layers::batch_norm(3, config, builder(&variables[0])).unwrap();
        let theirs = candle_nn::batch_norm(3, config, builder(&variables[1])).unwrap();
        let x = variable(4, &shape);
        for train in [true, true, false] {
            let found = answers(&ours.forward_t(&x, train).unwrap(), &[&x]);
            check_same(&found, &answers(&theirs.forward_t(&x, train).unwrap(), &[&x])).unwrap();
        }
        let statistics = [flat(ours.running_mean()), flat(ours.running_var())];
        check_same(&statistics, &[flat(theirs.running_mean()), flat(theirs.running_var())]).unwrap();
    }
}

#[test]
fn the_optimizer_moves_variables_as_candles_adamw_and_keeps_those_without_gradient() {
    let (ours, theirs, idle) = (variable(1, &[40, 500]), variable(1, &[40, 500]), variable(2, &[3]));
    let before = flat(&idle);
    let settings = ParamsAdamW { lr: 1e-2, ..ParamsAdamW::default() };
    let mut expected = candle_nn::AdamW::new(vec![theirs.clone()], settings).unwrap();
    let own = rule(Optimizer::adamw(), 1e-2);
    let mut optimizer = VarOptimizer::new(vec![ours.clone(), idle.clone()], own).unwrap();
    let loss = |var: &Var| var.sqr().unwrap().sum_all().unwrap();
    for _ in 0..5 {
        optimizer.backward_step(&loss(&ours)).unwrap();
        expected.backward_step(&loss(&theirs)).unwrap();
    }
    check_same(&[flat(&ours)], &[flat(&theirs)]).unwrap();
    assert_eq!(flat(&idle), before);
    optimizer.set_learning_rate(0.5);
    assert_eq!(optimizer.learning_rate(), 0.5);
    let double = Var::zeros(3, DType::F64, &Device::Cpu).unwrap();
    assert!(VarOptimizer::new(vec![double], own).is_err());
}
