//! What a model and a trainer promise: learning, determinism, modes, errors.

use candle_core::{Device, ModuleT, Tensor, Var};
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op, Preset};
use taper_model::{Mode, Model, ModelError, Optimizer, Trainer, TrainerSettings, ops};

use crate::fixture::{flat, relative_error, tolerance};

const SETTINGS: TrainerSettings = TrainerSettings {
    optimizer: Optimizer::Sgd { momentum: 0.9, nesterov: false, weight_decay: 0.0 },
    label_smoothing: 0.0,
    seed: 5,
    clip_norm: None,
    ema_decay: None,
    shards: 0,
};

/// Every kind of wiring: branches, sums, concatenation, batch norm, dropout.
fn branching() -> Graph {
    let mut graph = Graph::new("branching", &[2, 6, 6]).unwrap();
    let x = graph.input();
    let a = graph.wire("a", Op::Conv2d(Conv2d::new(3, 3).padding(1).no_bias()), &[x]).unwrap();
    let a = graph.wire("norm", Op::BatchNorm2d(BatchNorm2d::default()), &[a]).unwrap();
    let b = graph.wire("b", Op::Conv2d(Conv2d::new(3, 1)), &[x]).unwrap();
    let sum = graph.wire("sum", Op::Add, &[a, b]).unwrap();
    let silu = graph.wire("silu", Op::Silu, &[sum]).unwrap();
    let both = graph.wire("both", Op::Concat, &[silu, b, x]).unwrap();
    let pool = graph.wire("pool", Op::MaxPool2d(MaxPool2d::new(2)), &[both]).unwrap();
    let drop = graph.wire("drop", Op::dropout(0.25), &[pool]).unwrap();
    let flat = graph.wire("flat", Op::Flatten, &[drop]).unwrap();
    graph.wire("fc", Op::Linear(Linear::new(3)), &[flat]).unwrap();
    graph
}

/// Every op that `branching` and the presets lack, in a graph without ties.
fn every_other_op() -> Graph {
    let mut graph = Graph::new("every-other-op", &[2, 6, 6]).unwrap();
    let mut value = graph.input();
    let average =
        AvgPool2d { stride: [1; 2], padding: [1; 2], count_include_pad: false, ..AvgPool2d::new(3) };
    let ops = [
        Op::Conv2d(Conv2d { groups: 2, dilation: [2, 1], ..Conv2d::new(4, 2).padding(1) }),
        Op::Gelu,
        Op::Normalize(Normalize { mean: vec![0.1, -0.2, 0.0, 0.3], std: vec![0.5, 2.0, 1.5, 0.8] }),
        Op::AvgPool2d(average),
        Op::Tanh,
        Op::MaxPool2d(MaxPool2d::new(3).stride(2).padding(1)),
        Op::Softmax,
        Op::Conv2d(Conv2d::new(3, 1)),
        Op::Sigmoid,
        Op::GlobalAvgPool,
        Op::Flatten,
        Op::Linear(Linear { out_features: 3, bias: false }),
    ];
    for (number, op) in ops.into_iter().enumerate() {
        value = graph.wire(number.to_string(), op, &[value]).unwrap();
    }
    graph
}

fn images(count: usize, seed: u32) -> Vec<f32> {
    let words = (0..).flat_map(|at| taper_kernels::philox4x32([at, 0, 0, 0], [seed, 0]));
    words.take(count * 72).map(|word| (word >> 8) as f32 / (1 << 24) as f32).collect()
}

#[test]
fn gradients_of_a_branching_network_match_finite_differences() {
    let model = Model::new(branching(), 3).unwrap();
    let x = Tensor::from_vec(images(4, 1), (4, 2, 6, 6), &Device::Cpu).unwrap();
    let loss = |model: &Model| {
        let logits = model.forward(&x, Mode::Train { step: 9 }).unwrap();
        ops::cross_entropy(&logits, &[0, 1, 2, 1], 0.1).unwrap()
    };
    let gradients = loss(&model).0.backward().unwrap();
    for (name, var) in model.trainable() {
        let gradient: Vec<f32> =
            gradients.get(var.as_tensor()).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        // Along the gradient itself, the loss must change by the gradient's squared norm.
        let norm2: f64 = gradient.iter().map(|g| f64::from(*g).powi(2)).sum();
        let step = 1e-3 / norm2.sqrt();
        let values = var.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let moved = |sign: f64| {
            let moved: Vec<f32> =
                values.iter().zip(&gradient).map(|(v, g)| v + (sign * step * f64::from(*g)) as f32).collect();
            var.set(&Tensor::from_vec(moved, var.dims(), &Device::Cpu).unwrap()).unwrap();
            loss(&model).1.mean
        };
        let slope = (moved(1.0) - moved(-1.0)) / (2.0 * step);
        var.set(&Tensor::from_vec(values.clone(), var.dims(), &Device::Cpu).unwrap()).unwrap();
        assert!((slope - norm2).abs() <= 0.01 * norm2, "{name}: {slope} against {norm2}");
    }
}

/// The loss, gradients and running statistics of a first training step, by candle's autograd and by the trainer.
#[test]
fn the_trainer_agrees_with_candles_autograd() {
    let presets = [Preset::LeNet5, Preset::Residual].map(|preset| preset.graph().unwrap());
    for graph in [branching(), every_other_op()].into_iter().chain(presets) {
        let (preset, tolerance) = (graph.name().to_owned(), tolerance(&graph));
        let input = graph.input_shape().with_batch(6);
        let images: Vec<f32> = images(66, 1).into_iter().take(input.iter().product()).collect();
        let labels = [0, 1, 2, 1, 0, 2];
        let model = Model::new(graph.clone(), SETTINGS.seed).unwrap();
        let x = Tensor::from_slice(&images, input, &Device::Cpu).unwrap();
        let logits = model.forward(&x, Mode::Train { step: 0 }).unwrap();
        let (loss, numbers) = ops::cross_entropy(&logits, &labels, 0.1).unwrap();
        let expected = loss.backward().unwrap();

        let settings = TrainerSettings { label_smoothing: 0.1, ..SETTINGS };
        let mut trainer = Trainer::new(Model::new(graph, SETTINGS.seed).unwrap(), settings).unwrap();
        let found = trainer.gradients(&images, &labels).unwrap();
        let loss = found.step.loss;
        assert!((loss - numbers.mean).abs() < 1e-6, "{preset}: loss {loss} against {numbers:?}");
        for ((name, var), (found_name, array)) in model.trainable().zip(&found.parameters) {
            let expected = flat(expected.get(var.as_tensor()).unwrap());
            let expected: Vec<f64> = expected.into_iter().map(f64::from).collect();
            let error = relative_error(&array.data, &expected);
            assert!(
                name == found_name && error < tolerance,
                "{preset}: {name} and {found_name} differ by {error:.1e}"
            );
        }
        trainer.step(&images, &labels, 0.0).unwrap();
        // With a learning rate of 0, only the running statistics move.
        let (found, expected) = (trainer.into_model().unwrap().weights().unwrap(), model.weights().unwrap());
        for ((name, found), (_, expected)) in found.iter().zip(expected.iter()) {
            let expected: Vec<f64> = expected.data.iter().map(|&value| f64::from(value)).collect();
            let error = relative_error(&found.data, &expected);
            assert!(error < 1e-6, "{preset}: {name} differs by {error:.1e}");
        }
    }
}

/// Weights after two steps, as bits: of a small graph with every kind of wiring, and of the reference CNN, whose
/// matrix products are large enough to be shared out.
fn train_bits(threads: usize, clip_norm: Option<f64>) -> Vec<u32> {
    let graphs = [branching(), Preset::Tutorial.graph().unwrap()];
    graphs.into_iter().flat_map(|graph| train_graph_bits(graph, threads, clip_norm)).collect()
}

fn train_graph_bits(graph: Graph, threads: usize, clip_norm: Option<f64>) -> Vec<u32> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        let images: Vec<f32> = images(420, 2).into_iter().take(37 * graph.input_shape().elements()).collect();
        let labels = (0..37).map(|i| i % 3).collect::<Vec<u8>>();
        let settings = TrainerSettings { clip_norm, ema_decay: Some(0.9), ..SETTINGS };
        let mut trainer = Trainer::new(Model::new(graph, 3).unwrap(), settings).unwrap();
        for _ in 0..2 {
            trainer.step(&images, &labels, 0.1).unwrap();
        }
        // The averages follow from the weights of every step.
        let weights = trainer.averaged_model().unwrap().weights().unwrap();
        weights.iter().flat_map(|(_, array)| array.data.iter().map(|v| v.to_bits())).collect()
    })
}

#[test]
fn training_gives_the_same_bits_for_1_2_and_8_threads() {
    for clip_norm in [None, Some(0.1)] {
        let one = train_bits(1, clip_norm);
        assert!(one == train_bits(2, clip_norm) && one == train_bits(8, clip_norm), "{clip_norm:?}");
    }
}

/// Without a norm to wait for, weights move while the backward pass goes on.
#[test]
fn it_does_not_matter_when_weights_are_moved() {
    assert!(train_bits(2, None) == train_bits(2, Some(1e9)));
}

#[test]
fn every_optimizer_learns_a_batch_by_heart() {
    let (images, labels) = (images(12, 4), (0..12).map(|i| i % 3).collect::<Vec<u8>>());
    for (optimizer, rate) in
        [(Optimizer::sgd(0.9), 0.05), (Optimizer::adam(), 0.01), (Optimizer::adamw(), 0.01)]
    {
        let settings = TrainerSettings { optimizer, ..SETTINGS };
        let mut trainer = Trainer::new(Model::new(branching(), 3).unwrap(), settings).unwrap();
        let first = trainer.step(&images, &labels, rate).unwrap();
        for _ in 0..150 {
            trainer.step(&images, &labels, rate).unwrap();
        }
        let last = trainer.step(&images, &labels, rate).unwrap();
        assert!(last.loss < 0.2 * first.loss && last.correct == 12, "{optimizer:?}: {first:?} then {last:?}");
    }
}

#[test]
fn dropout_and_batch_statistics_act_in_training_mode_only() {
    let model = Model::new(branching(), 3).unwrap();
    let x = Tensor::from_vec(images(4, 1), (4, 2, 6, 6), &Device::Cpu).unwrap();
    let run = |train| model.forward_t(&x, train).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let before = run(false);
    assert_eq!(before, run(false));
    assert_ne!(run(true), run(true), "each training call draws new dropout");
    assert_ne!(before, run(false), "training moved the running statistics");
}

#[test]
fn weights_survive_the_way_out_and_back() {
    let (first, second) = (Model::new(branching(), 1).unwrap(), Model::new(branching(), 2).unwrap());
    let copy = Model::from_weights(branching(), &first.weights().unwrap()).unwrap();
    let images = images(3, 1);
    assert_eq!(first.logits(&images).unwrap(), copy.logits(&images).unwrap());
    assert_ne!(first.logits(&images).unwrap(), second.logits(&images).unwrap());
}

#[test]
fn what_does_not_fit_is_refused_with_a_reason() {
    let mut model = Model::new(branching(), 1).unwrap();
    let error = model.logits(&[0.0; 100]).unwrap_err().to_string();
    assert!(error.contains("[N, 2, 6, 6]") && error.contains("multiple of 72"), "{error}");

    let other = Model::new(Preset::LeNet5.graph().unwrap(), 0).unwrap().weights().unwrap();
    let error = model.set_weights(&other).unwrap_err().to_string();
    assert!(error.contains("missing a.weight") && error.contains("unexpected conv1.bias"), "{error}");

    let headless = Graph::sequential("headless", &[1, 4, 4], [Op::Relu]).unwrap();
    let error = Trainer::new(Model::new(headless, 0).unwrap(), SETTINGS).unwrap_err();
    assert!(
        matches!(error, ModelError::Output { .. }) && error.to_string().contains("[N, 1, 4, 4]"),
        "{error}"
    );

    let mut trainer = Trainer::new(model, SETTINGS).unwrap();
    let error = trainer.step(&[0.0; 72], &[3], 0.1).unwrap_err().to_string();
    assert!(error.contains("label 3"), "{error}");
}

#[test]
fn the_ops_refuse_other_types_and_shapes() {
    let double = Tensor::zeros((1, 1, 4, 4), candle_core::DType::F64, &Device::Cpu).unwrap();
    assert!(ops::max_pool2d(&double, &MaxPool2d::new(2)).is_err());
    let x = Var::zeros((1, 1, 4, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(ops::max_pool2d(&x, &MaxPool2d::new(5)).unwrap_err().to_string().contains("at most 4"));
    let weight = Tensor::zeros((2, 1, 3, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = ops::conv2d(&x, &weight, None, &Conv2d::new(2, 3)).unwrap_err().to_string();
    assert!(error.contains("[2, 1, 3, 2]") && error.contains("[2, 1, 3, 3]"), "{error}");
    // A tensor that is not contiguous is made so.
    let turned = x.transpose(2, 3).unwrap();
    assert_eq!(ops::max_pool2d(&turned, &MaxPool2d::new(2)).unwrap().dims(), [1, 1, 2, 2]);
}
