//! Whole networks of the ops composed of candle's, on the device that the tests are told, against Taper's kernels.

use candle_core::Tensor;
use taper_graph::{AvgPool2d, Conv2d, Graph, Linear, MaxPool2d, Op, Preset};
use taper_model::{Mode, Model, Optimizer, Trainer, TrainerSettings, ops};

use crate::composed::{apart, device};
use crate::fixture::{flat, tolerance};
use crate::layers::numbers;

const IMAGES: usize = 4;

/// The presets, and a network with all that they lack.
fn graphs() -> Vec<Graph> {
    let mut graphs: Vec<Graph> = Preset::ALL.iter().map(|preset| preset.graph().unwrap()).collect();
    let mut rest = Graph::new("rest", &[3, 9, 7]).unwrap();
    let start = rest.input();
    let mut wire = |name: &str, op, inputs: &[_]| rest.wire(name, op, inputs).unwrap();
    let input = wire("stem", Op::Conv2d(Conv2d::new(4, 3).stride(2)), &[start]);
    let left = wire("left", Op::Gelu, &[input]);
    let right = wire("right", Op::Silu, &[input]);
    let both = wire("both", Op::Concat, &[left, right]);
    let max = wire("max", Op::MaxPool2d(MaxPool2d { padding: [1, 1], ..MaxPool2d::new(2) }), &[both]);
    let avg = wire("avg", Op::AvgPool2d(AvgPool2d { padding: [1, 1], ..AvgPool2d::new(2) }), &[both]);
    let sum = wire("sum", Op::Add, &[max, avg]);
    let tanh = wire("tanh", Op::Tanh, &[sum]);
    let flat = wire("flat", Op::Flatten, &[tanh]);
    let fc = wire("fc", Op::Linear(Linear::new(6)), &[flat]);
    let share = wire("share", Op::Softmax, &[fc]);
    let gate = wire("gate", Op::Sigmoid, &[fc]);
    let end = wire("end", Op::Concat, &[share, gate]);
    wire("out", Op::Linear(Linear::new(10)), &[end]);
    graphs.push(rest);
    graphs
}

/// On candle, and on Taper's kernels.
fn models(graph: &Graph) -> [Model; 2] {
    let model = || Model::new(graph.clone(), 3).unwrap();
    [model().on_candle(&device()).unwrap(), model()]
}

fn batch(graph: &Graph, number: u64) -> (Vec<f32>, Vec<u8>) {
    let images = numbers(number, IMAGES * graph.input_shape().elements());
    (images, (0..IMAGES as u64).map(|image| ((7 * image + number) % 10) as u8).collect())
}

/// Logits, the gradients of all parameters, and the running statistics after one pass forward and backward.
fn pass(model: &Model) -> Vec<(String, Vec<f32>)> {
    let (images, labels) = batch(model.graph(), 1);
    let shape = model.graph().input_shape().with_batch(IMAGES);
    let images = Tensor::from_vec(images, shape, model.device()).unwrap();
    let logits = model.forward(&images, Mode::Train { step: 5 }).unwrap();
    let (loss, _) = ops::cross_entropy(&logits, &labels, 0.1).unwrap();
    let gradients = loss.backward().unwrap();
    let mut found = vec![("logits".to_owned(), flat(&logits))];
    for (name, var) in model.trainable() {
        found.push((format!("gradient of {name}"), flat(gradients.get(var).unwrap())));
    }
    let weights = model.weights().unwrap();
    found.extend(weights.iter().map(|(name, array)| (name.to_owned(), array.data.clone())));
    let answers = model.forward(&images, Mode::Eval).unwrap();
    found.push(("answers".to_owned(), flat(&answers)));
    found
}

#[test]
fn every_network_has_the_kernels_values_and_gradients() {
    for graph in graphs() {
        let [found, expected] = models(&graph).map(|model| pass(&model));
        for ((name, found), (_, expected)) in found.iter().zip(&expected) {
            let error = apart(found, expected);
            assert!(error < tolerance(&graph), "{}, {name}: {error:.1e}", graph.name());
        }
        // It was not the kernels that ran.
        assert_ne!(found, expected, "{}", graph.name());
    }
}

#[test]
fn every_network_takes_the_plans_steps_and_a_checkpoint_goes_on_on_either() {
    for (optimizer, rate) in [(Optimizer::sgd(0.9), 1e-2), (Optimizer::adam(), 1e-3)] {
        let settings = TrainerSettings {
            optimizer,
            label_smoothing: 0.1,
            seed: 7,
            ema_decay: Some(0.9),
            ..TrainerSettings::default()
        };
        graphs().iter().for_each(|graph| take_steps(graph, settings, rate));
    }
}

fn take_steps(graph: &Graph, settings: TrainerSettings, rate: f64) {
    let name = graph.name();
    let trainers = || models(graph).map(|model| Trainer::new(model, settings).unwrap());
    let step = |trainer: &mut Trainer, number| {
        let (images, labels) = batch(graph, number);
        trainer.step(&images, &labels, rate).unwrap()
    };
    let [mut candle, mut plan] = trainers();
    for number in 0..3 {
        let [found, expected] = [&mut candle, &mut plan].map(|trainer| step(trainer, number));
        assert!((found.loss - expected.loss).abs() < 1e-2, "{name}: {found:?} {expected:?}");
    }
    let [found, expected] = [&mut candle, &mut plan].map(|trainer| trainer.state().unwrap());
    // Adam divides a gradient by its size, and so makes of one that is all rounding a step as large as any.
    let is_smooth = matches!(settings.optimizer, Optimizer::Sgd { .. });
    for ((of, found), (_, expected)) in
        found.weights.iter().zip(expected.weights.iter()).filter(|_| is_smooth)
    {
        let error = apart(&found.data, &expected.data);
        assert!(error < tolerance(graph).max(1e-3), "{name}, {of}: {error:.1e}");
    }
    // What one of them kept, both go on from.
    let mut others = trainers();
    let steps = others.each_mut().map(|other| {
        other.restore(&found).unwrap();
        assert_eq!(other.state().unwrap(), found, "{name}");
        step(other, 3)
    });
    let whole = step(&mut candle, 3);
    if device().is_cpu() {
        assert_eq!(steps[0], whole, "{name}");
        assert_eq!(others[0].state().unwrap(), candle.state().unwrap(), "{name}");
    }
    for step in steps {
        assert!((step.loss - whole.loss).abs() < 1e-4, "{name}: {step:?} {whole:?}");
    }
    // The model that comes of it answers alike.
    let (images, _) = batch(graph, 9);
    let [a, b] = others.map(|other| other.into_model().unwrap().logits(&images).unwrap());
    assert!(apart(&a, &b) < if is_smooth { 1e-4 } else { 1e-2 }, "{name}: {:.1e}", apart(&a, &b));
}
