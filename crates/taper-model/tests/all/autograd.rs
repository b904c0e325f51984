//! `ops::backward` beside candle's own, and ops that run on many threads at once.

use std::sync::mpsc;
use std::time::Duration;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Module, ModuleT, Result, Tensor, Var};
use candle_nn::{Conv2dConfig, VarBuilder, VarMap};
use rayon::prelude::*;
use taper_graph::{Activation, MaxPool2d};
use taper_model::layers::{self, ConvReluPool, Dropout, Linear};
use taper_model::ops::{self, DropoutKey};

use crate::fixture::{flat, relative_error};

fn numbers(seed: u64, shape: &[usize]) -> Tensor {
    let number = |index: usize| {
        let mixed = (index as u64 + 1).wrapping_mul(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        (mixed >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    let data = (0..shape.iter().product()).map(number).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

fn variable(seed: u64, shape: &[usize]) -> Var {
    Var::from_tensor(&numbers(seed, shape)).unwrap()
}

/// All but the order of additions, which views of views change.
fn assert_close(what: &str, found: &GradStore, expected: &GradStore, variables: &[&Var]) {
    for (number, variable) in variables.iter().enumerate() {
        let [found, expected] =
            [found, expected].map(|gradients| gradients.get(variable.as_tensor()).map(flat));
        let expected: Vec<f64> = expected.unwrap().into_iter().map(f64::from).collect();
        assert!(expected.iter().any(|&value| value != 0.0), "{what}: variable {number} has no gradient");
        let error = relative_error(&found.unwrap(), &expected);
        assert!(error < 1e-6, "{what}: variable {number}: {error:.1e}");
    }
}

#[test]
fn gradients_are_candles_with_views_shared_weights_and_constants() {
    let images = variable(1, &[3, 2, 4, 4]);
    let (shared, last) = (variable(3, &[8, 8]), variable(4, &[5, 24]));
    let (filter, constant) = (variable(2, &[2, 2, 3, 3]), numbers(5, &[8, 8]));
    let conv = taper_graph::Conv2d::new(2, 3).padding(1);
    let labels = [0, 4, 2];
    let loss = |through: &dyn Fn(&Tensor) -> Result<Tensor>| -> Result<Tensor> {
        let x = ops::conv_relu_pool(images.as_tensor(), &filter, None, &conv, &MaxPool2d::new(2), None)?;
        // Two views of one tensor, and views of views.
        let flat = x.flatten_from(1)?;
        let a = ops::linear(&flat, &shared, None)?;
        let b = ops::linear(&x.reshape((3, 2, 4))?.flatten_from(1)?, &shared, None)?;
        let c = ops::linear(&flat, &constant, None)?;
        let key = DropoutKey { seed: 1, step: 2, layer: 3 };
        let (a, b) = (ops::dropout(&through(&a)?, 0.5, key)?, ops::softmax(&through(&b)?)?);
        let to_logits = |rows: &Tensor| ops::linear(rows, &numbers(8, &[5, 8]), None);
        // Three losses, summed by the linear op.
        let (one, _) =
            ops::cross_entropy(&ops::linear(&a.reshape((1, 24))?, &last, None)?, &labels[..1], 0.0)?;
        let (two, _) = ops::cross_entropy(&to_logits(&b)?, &labels, 0.1)?;
        let (three, _) = ops::cross_entropy(&to_logits(&through(&c)?)?, &labels, 0.1)?;
        let sum = ops::linear(&one.reshape((1, 1))?, &numbers(6, &[1, 1]), Some(&two.reshape(1)?))?;
        ops::linear(&sum, &numbers(7, &[1, 1]), Some(&three.reshape(1)?))
    };
    let variables = [&images, &filter, &shared, &last];

    let own = loss(&|rows| ops::activation(rows, Activation::Silu)).unwrap();
    let (found, candles) = (ops::backward(&own).unwrap(), own.backward().unwrap());
    assert_close("ops alone", &found, &candles, &variables);
    // Candle finds gradients of constants too; that there is none shows that it had no part in this.
    assert!(candles.get(&constant).is_some() && found.get(&constant).is_none());
    assert_close("ops alone, again", &ops::backward(&own).unwrap(), &candles, &variables);

    let mixed = loss(&|rows| rows.silu()).unwrap();
    let (found, candles) = (ops::backward(&mixed).unwrap(), mixed.backward().unwrap());
    assert_close("with candle's", &found, &candles, &variables);
}

/// A small network of all that keeps buffers.
#[derive(Clone)]
struct Network {
    block: ConvReluPool,
    conv: layers::Conv2d,
    fc: Linear,
}

impl Network {
    fn new(variables: &VarMap) -> Self {
        let vb = VarBuilder::from_varmap(variables, DType::F32, &Device::Cpu);
        let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let conv = |name, from, to| layers::conv2d(from, to, 3, padded, vb.pp(name)).unwrap();
        let block = ConvReluPool::new(conv("block", 1, 8), MaxPool2d::new(2));
        Self { block, conv: conv("conv", 8, 8), fc: layers::linear(8 * 64, 10, vb.pp("fc")).unwrap() }
    }

    fn loss(&self, images: &Tensor) -> Result<Tensor> {
        let x = self.conv.forward(&self.block.forward_t(images, true)?)?;
        let x = ops::activation(&self.fc.forward(&x.flatten_from(1)?)?, Activation::Tanh)?;
        let labels: Vec<u8> = (0..images.dim(0)?).map(|item| (item % 10) as u8).collect();
        Ok(ops::cross_entropy(&x, &labels, 0.0)?.0)
    }
}

/// `work` on two threads of its own, or a failure after a while: what waits for itself never ends.
fn in_time(work: impl FnOnce() + Send + 'static) {
    let (done, wait) = mpsc::channel();
    std::thread::spawn(move || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(work);
        done.send(()).unwrap();
    });
    wait.recv_timeout(Duration::from_secs(120)).expect("tasks wait for each other, or one has failed");
}

#[test]
fn one_layer_serves_many_tasks_and_one_loss_many_backward_passes() {
    in_time(|| {
        let variables = VarMap::new();
        let network = Network::new(&variables);
        let weight = network.fc.weight().clone();
        let images = |task: usize| numbers(task as u64 + 1, &[32, 1, 16, 16]);
        let gradient = |loss: &Tensor, own: bool| {
            let gradients = if own { ops::backward(loss) } else { loss.backward() };
            flat(gradients.unwrap().get(&weight).unwrap())
        };
        let expected: Vec<Vec<f32>> =
            (0..48usize).map(|task| gradient(&network.loss(&images(task)).unwrap(), true)).collect();
        let found: Vec<Vec<f32>> = (0..48usize)
            .into_par_iter()
            .with_max_len(1)
            .map(|task| gradient(&network.clone().loss(&images(task)).unwrap(), task % 2 == 0))
            .collect();
        assert_eq!(found, expected, "many losses");

        let loss = network.loss(&images(0)).unwrap();
        let found: Vec<Vec<f32>> =
            (0..48usize).into_par_iter().with_max_len(1).map(|task| gradient(&loss, task % 2 == 0)).collect();
        assert!(found.iter().all(|found| *found == expected[0]), "one loss");
    });
}

#[test]
fn what_candle_forgets_is_forgotten_here() {
    // Deep enough that a tape that kept its entries, or freed them one inside the other's lock, would show.
    let x = variable(1, &[2, 4]);
    let weight = variable(2, &[4, 4]);
    for _ in 0..50 {
        let mut y = x.as_tensor().clone();
        for _ in 0..50 {
            y = ops::linear(&y, &weight, None).unwrap();
        }
        drop(y);
    }
    let dropout = Dropout::new(0.5, 1, 0);
    let y = dropout.forward(&ops::linear(&x, &weight, None).unwrap(), true).unwrap();
    assert!(ops::backward(&y).unwrap().get(&weight).is_some());
}
