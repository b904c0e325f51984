//! A hand-written candle model on Taper's layers, against PyTorch and the trainer.

use candle_core::backprop::GradStore;
use candle_core::{Device, Module, ModuleT, Result, Tensor, Var};
use candle_nn::{Conv2dConfig, Optimizer as _, VarBuilder, VarMap};
use taper_graph::{MaxPool2d, Weights};
use taper_model::layers::{self, ConvReluPool, Dropout, Linear, VarOptimizer};
use taper_model::ops;
use taper_model::{Optimizer, Trainer};

use crate::fixture::{Tensors, flat, json, relative_error};
use crate::layers::{builder, rule};
use crate::network;

/// The reference CNN, as a candle user would write it.
struct Cnn {
    blocks: [ConvReluPool; 3],
    fc1: Linear,
    fc2: Linear,
    dropout: Dropout,
}

impl Cnn {
    fn new(vb: VarBuilder<'_>, p: f32) -> Result<Self> {
        let padded = Conv2dConfig { padding: 1, ..Conv2dConfig::default() };
        let block = |number: u32, from, to, pool| -> Result<ConvReluPool> {
            let conv = layers::conv2d(from, to, 3, padded, vb.pp(format!("layer{}.0", number + 1)))?;
            Ok(ConvReluPool::new(conv, pool).with_dropout(Dropout::new(p, 7, number)))
        };
        let pool = MaxPool2d::new(2);
        let last = MaxPool2d { padding: [1, 1], ..pool.clone() };
        Ok(Self {
            blocks: [block(0, 1, 32, pool.clone())?, block(1, 32, 64, pool)?, block(2, 64, 128, last)?],
            fc1: layers::linear(2048, 625, vb.pp("fc1"))?,
            fc2: layers::linear(625, 10, vb.pp("fc2"))?,
            dropout: Dropout::new(p, 7, 3),
        })
    }
}

impl ModuleT for Cnn {
    fn forward_t(&self, xs: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.blocks.iter().try_fold(xs.clone(), |x, block| block.forward_t(&x, train))?;
        let x = self.fc1.forward(&x.flatten_from(1)?)?.relu()?;
        self.fc2.forward(&self.dropout.forward(&x, train)?)
    }
}

/// Variables with these weights, as a candle checkpoint would give them.
fn variables(weights: &Weights) -> VarMap {
    let variables = VarMap::new();
    let mut data = variables.data().lock().unwrap();
    for (name, array) in weights.iter() {
        let tensor = Tensor::from_slice(&array.data, array.shape.as_slice(), &Device::Cpu).unwrap();
        data.insert(name.to_owned(), Var::from_tensor(&tensor).unwrap());
    }
    drop(data);
    variables
}

#[test]
fn a_hand_written_model_has_pytorchs_gradients_and_trains_as_the_trainer_does() {
    let (fixture, tensors) =
        (json("tutorial_gradients.json"), Tensors::open("tutorial_gradients.safetensors"));
    let graph = network::graph();
    let weights = network::weights(&graph, &fixture);
    let (pixels, labels) = network::batch(&fixture);
    let variables = variables(&weights);
    let cnn = Cnn::new(builder(&variables), 0.0).unwrap();
    let images = Var::from_vec(pixels.clone(), (4, 1, 28, 28), &Device::Cpu).unwrap();
    let step = || {
        let logits = cnn.forward_t(&images, true).unwrap();
        (ops::cross_entropy(&logits, &labels, 0.0).unwrap(), logits)
    };
    let close = |what: &str, found: &[f32], expected: &[f64]| {
        let error = relative_error(found, expected);
        assert!(error <= 1e-5, "{what}: {error:.1e}");
    };

    let ((loss, _), logits) = step();
    close("logits", &flat(&logits), &tensors.elements("logits"));
    let check = |gradients: &GradStore| {
        close("images", &flat(gradients.get(images.as_tensor()).unwrap()), &tensors.elements("grad.images"));
        for (name, var) in variables.data().lock().unwrap().iter() {
            close(name, &flat(gradients.get(var.as_tensor()).unwrap()), &network::gradient(&tensors, name));
        }
    };
    check(&loss.backward().unwrap());
    // The ops are asked again and must answer the same.
    check(&loss.backward().unwrap());
    check(&ops::backward(&loss).unwrap());

    let settings = taper_model::TrainerSettings::default();
    let model = taper_model::Model::from_weights(graph, &weights).unwrap();
    let mut trainer = Trainer::new(model, settings).unwrap();
    let mut optimizer = VarOptimizer::new(variables.all_vars(), rule(Optimizer::adam(), 1e-3)).unwrap();
    let mut first = f64::NAN;
    for number in 0..10 {
        let ((loss, numbers), _) = step();
        optimizer.backward_step(&loss).unwrap();
        let expected = trainer.step(&pixels, &labels, 1e-3).unwrap().loss;
        assert!(
            (numbers.mean - expected).abs() <= 1e-3 * (1.0 + expected),
            "{number}: {} {expected}",
            numbers.mean
        );
        first = if number == 0 { numbers.mean } else { first };
        assert!(number < 9 || numbers.mean < 0.5 * first, "{first} → {}", numbers.mean);
    }
}

#[test]
fn training_gives_the_same_bits_for_1_2_and_8_threads() {
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let fixture = json("tutorial_gradients.json");
            let variables = variables(&network::weights(&network::graph(), &fixture));
            let cnn = Cnn::new(builder(&variables), 0.3).unwrap();
            let (pixels, labels) = network::batch(&fixture);
            let (pixels, labels) = (pixels.repeat(3), labels.repeat(3));
            let images = Tensor::from_vec(pixels, (12, 1, 28, 28), &Device::Cpu).unwrap();
            let mut optimizer =
                VarOptimizer::new(variables.all_vars(), rule(Optimizer::adam(), 1e-3)).unwrap();
            for _ in 0..3 {
                let logits = cnn.forward_t(&images, true).unwrap();
                let (loss, _) = ops::cross_entropy(&logits, &labels, 0.0).unwrap();
                optimizer.backward_step(&loss).unwrap();
            }
            let data = variables.data().lock().unwrap();
            let mut names: Vec<&String> = data.keys().collect();
            names.sort();
            names
                .iter()
                .flat_map(|name| flat(data[*name].as_tensor()))
                .map(f32::to_bits)
                .collect::<Vec<u32>>()
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(8));
}
