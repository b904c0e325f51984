//! The compiled plan against the candle module, over networks that take every way through it.

use candle_core::{Device, Tensor};
use taper_graph::{AvgPool2d, BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Normalize, Op, Preset};
use taper_model::{Inference, Mode, Model, Plan, Trainer, TrainerSettings, ops};

use crate::fixture::{flat, relative_error, tolerance};

const SEED: u64 = 11;

fn settings() -> TrainerSettings {
    TrainerSettings { label_smoothing: 0.05, seed: SEED, ..TrainerSettings::default() }
}

/// Convolutions of all kinds of kernels, followed by what can be fused with them and by what cannot.
fn straight() -> Graph {
    let depthwise = Conv2d { groups: 12, ..Conv2d::new(12, 3).padding(1) };
    // A bias before a batch norm has no gradient but rounding.
    let odd_groups = Conv2d { groups: 3, ..Conv2d::new(9, 3).no_bias() };
    let overlapping = MaxPool2d::new(3).stride(2).padding(1);
    let ops = [
        Op::Conv2d(Conv2d::new(12, 3).padding(1)),
        Op::MaxPool2d(overlapping.clone()),
        Op::Relu,
        Op::dropout(0.4),
        Op::Conv2d(depthwise),
        Op::Relu,
        Op::Conv2d(Conv2d::new(17, 3).padding(2)),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Conv2d(Conv2d::new(12, 5).stride(2).padding(2)),
        Op::dropout(0.1),
        Op::Conv2d(odd_groups),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Relu,
        Op::Flatten,
        Op::dropout(0.2),
        Op::Linear(Linear::new(21)),
        Op::Relu,
        Op::dropout(0.3),
        Op::Linear(Linear::new(5)),
        Op::dropout(0.1),
    ];
    Graph::sequential("straight", &[3, 19, 17], ops).unwrap()
}

/// Values that are read twice, sums, and a flattened image that more than a linear layer reads.
fn branching() -> Graph {
    let mut graph = Graph::new("branching", &[1, 12, 12]).unwrap();
    let x = graph.input();
    let conv = graph.wire("conv", Op::Conv2d(Conv2d::new(16, 3).padding(1)), &[x]).unwrap();
    let relu = graph.wire("relu", Op::Relu, &[conv]).unwrap();
    let a = graph.wire("a", Op::Conv2d(Conv2d::new(16, 3).padding(1).no_bias()), &[relu]).unwrap();
    let norm = graph.wire("norm", Op::BatchNorm2d(BatchNorm2d::default()), &[a]).unwrap();
    let sum = graph.wire("sum", Op::Add, &[norm, relu]).unwrap();
    let positive = graph.wire("positive", Op::Relu, &[sum]).unwrap();
    let twice = graph.wire("twice", Op::Add, &[positive, positive]).unwrap();
    let pool = graph.wire("pool", Op::AvgPool2d(AvgPool2d::new(2)), &[twice]).unwrap();
    let both = graph.wire("both", Op::Concat, &[pool, pool]).unwrap();
    let flat = graph.wire("flat", Op::Flatten, &[both]).unwrap();
    let tanh = graph.wire("tanh", Op::Tanh, &[flat]).unwrap();
    let wide = graph.wire("wide", Op::Linear(Linear::new(5)), &[tanh]).unwrap();
    let short = graph.wire("short", Op::Linear(Linear::new(5)), &[flat]).unwrap();
    graph.wire("logits", Op::Add, &[wide, short]).unwrap();
    graph
}

/// Another mean and deviation for each channel.
fn numbers(channels: usize) -> Normalize {
    let numbers = |start: f32| (0..channels).map(|channel| start + 0.2 * channel as f32).collect();
    Normalize { mean: numbers(-0.3), std: numbers(0.25) }
}

/// Networks that begin with a step that has no parameters.
fn late_starters() -> Vec<Graph> {
    let flat = [Op::Flatten, Op::dropout(0.2), Op::Linear(Linear::new(5))];
    let pooled = [
        Op::AvgPool2d(AvgPool2d::new(2)),
        Op::Conv2d(Conv2d::new(9, 3)),
        Op::Flatten,
        Op::Linear(Linear::new(5)),
    ];
    let norm = [Op::BatchNorm2d(BatchNorm2d::default()), Op::Gelu, Op::Flatten, Op::Linear(Linear::new(5))];
    let padded = Conv2d { padding: [40, 0], stride: [30, 1], ..Conv2d::new(4, 3) };
    let far = [Op::Conv2d(padded), Op::Relu, Op::Flatten, Op::Linear(Linear::new(5))];
    let mut rows = vec![
        Graph::sequential("flat", &[2, 6, 5], flat).unwrap(),
        Graph::sequential("pooled", &[3, 9, 8], pooled).unwrap(),
        Graph::sequential("norm", &[10, 4, 4], norm).unwrap(),
        straight().normalized(numbers(3)).unwrap(),
        Graph::sequential("far", &[1, 10, 9], far).unwrap(),
        Graph::sequential(
            "rank",
            &[4, 6],
            [Op::dropout(0.3), Op::Softmax, Op::Flatten, Op::Linear(Linear::new(5))],
        )
        .unwrap(),
    ];
    let mut twice = Graph::new("twice", &[3, 4, 4]).unwrap();
    let x = twice.input();
    let sum = twice.wire("sum", Op::Add, &[x, x]).unwrap();
    let flat = twice.wire("flat", Op::Flatten, &[sum]).unwrap();
    twice.wire("fc", Op::Linear(Linear::new(5)), &[flat]).unwrap();
    rows.push(twice);
    rows
}

fn graphs() -> Vec<Graph> {
    let presets = [Preset::Tutorial, Preset::LeNet5, Preset::Residual].map(|preset| preset.graph().unwrap());
    [straight(), branching()].into_iter().chain(late_starters()).chain(presets).collect()
}

/// Around 0: with a mean, the gradient of a convolution before a batch norm is a small difference of large sums.
fn images(graph: &Graph, count: usize, seed: u32) -> Vec<f32> {
    let words = (0..).flat_map(|at| taper_kernels::philox4x32([at, 0, 0, 0], [seed, 0]));
    let len = count * graph.input_shape().elements();
    words.take(len).map(|word| (word >> 8) as f32 / (1 << 24) as f32 - 0.5).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn inference_gives_the_modules_logits_whatever_the_batch() {
    for graph in graphs() {
        let model = Model::new(graph.clone(), SEED).unwrap();
        let images = images(&graph, 60, 1);
        let x = Tensor::from_slice(&images, graph.input_shape().with_batch(60), &Device::Cpu).unwrap();
        let expected = flat(&model.forward(&x, Mode::Eval).unwrap());
        let inference = model.inference().unwrap();
        let all = inference.logits(&images).unwrap();
        let error = relative_error(&all, &wide(&expected));
        assert!(error < 1e-5, "{}: off by {error:.1e}", graph.name());
        for batch in [1, 7, 60] {
            let len = batch * graph.input_shape().elements();
            let parts: Vec<f32> =
                images.chunks(len).flat_map(|images| inference.logits(images).unwrap()).collect();
            assert_eq!(parts, all, "{}: {batch} images at a time", graph.name());
        }
    }
}

/// Threads share the steps of each image, if there are fewer of these; small pieces of all but the linear layers at the end,
/// up to 50 images a thread; or larger shares. None of it changes a bit.
#[test]
fn threads_that_share_images_give_the_bits_of_one() {
    let mut multilayer_perceptron = Graph::new("perceptron", &[1, 9, 7]).unwrap();
    let mut value = multilayer_perceptron.input();
    let ops = [Op::Flatten, Op::Linear(Linear::new(11)), Op::Relu, Op::Linear(Linear::new(5))];
    for (place, op) in ops.into_iter().enumerate() {
        value = multilayer_perceptron.wire(format!("op{place}"), op, &[value]).unwrap();
    }
    // A linear layer stands before the sum, and the tail begins behind it.
    let mut residual = Graph::new("residual_perceptron", &[1, 3, 3]).unwrap();
    let flat = residual.wire("flat", Op::Flatten, &[residual.input()]).unwrap();
    let first = residual.wire("first", Op::Linear(Linear::new(9)), &[flat]).unwrap();
    let sum = residual.wire("sum", Op::Add, &[first, flat]).unwrap();
    residual.wire("last", Op::Linear(Linear::new(5)), &[sum]).unwrap();
    for graph in graphs().into_iter().chain([multilayer_perceptron, residual]) {
        let inference = Model::new(graph.clone(), SEED).unwrap().inference().unwrap();
        for (count, threads) in [(0, 2), (2, 3), (2, 8), (3, 3), (23, 2), (23, 8), (101, 2), (101, 3)] {
            let images = images(&graph, count, 1);
            let on = |threads: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                pool.install(|| inference.logits(&images).unwrap())
            };
            assert_eq!(on(threads), on(1), "{}: {count} images on {threads} threads", graph.name());
        }
    }
}

/// A dilated window can lie on padding alone, where the maximum is −∞: of which ReLU makes 0 if it comes behind, as in
/// PyTorch.
#[test]
fn relu_behind_a_pooling_of_padding_alone_gives_zeros() {
    let pool = MaxPool2d { kernel: [2, 1], padding: [1, 0], dilation: [5, 1], ..MaxPool2d::new(2).stride(1) };
    let ops = [
        Op::Conv2d(Conv2d::new(9, 3).padding(1)),
        Op::MaxPool2d(pool),
        Op::Relu,
        Op::Flatten,
        Op::Linear(Linear::new(5)),
    ];
    let graph = Graph::sequential("padding", &[1, 4, 4], ops).unwrap();
    let images = images(&graph, 3, 1);
    let model = Model::new(graph.clone(), SEED).unwrap();
    let x = Tensor::from_slice(&images, graph.input_shape().with_batch(3), &Device::Cpu).unwrap();
    let expected = flat(&model.forward(&x, Mode::Eval).unwrap());
    let found = model.inference().unwrap().logits(&images).unwrap();
    assert!(expected.iter().all(|logit| logit.is_finite()));
    assert!(relative_error(&found, &wide(&expected)) < 1e-6, "{found:?} for {expected:?}");
}

#[test]
fn gradients_are_those_of_candles_autograd() {
    for graph in graphs() {
        for batch in [1, 9, 53] {
            if batch == 1 && graph.name() != "tutorial" {
                continue; // batch norm wants more
            }
            let images = images(&graph, batch, 2);
            let labels: Vec<u8> = (0..batch).map(|image| (image % 5) as u8).collect();
            let model = Model::new(graph.clone(), SEED).unwrap();
            let x = Tensor::from_slice(&images, graph.input_shape().with_batch(batch), &Device::Cpu).unwrap();
            let logits = model.forward(&x, Mode::Train { step: 0 }).unwrap();
            let (loss, numbers) = ops::cross_entropy(&logits, &labels, 0.05).unwrap();
            let expected = loss.backward().unwrap();
            let mut trainer = Trainer::new(Model::new(graph.clone(), SEED).unwrap(), settings()).unwrap();
            let found = trainer.gradients(&images, &labels).unwrap();
            assert!((found.step.loss - numbers.mean).abs() < 1e-5, "{}: the loss", graph.name());
            assert_eq!(found.step.correct, numbers.correct);
            for ((name, var), (_, array)) in model.trainable().zip(&found.parameters) {
                let expected = wide(&flat(expected.get(var.as_tensor()).unwrap()));
                let error = relative_error(&array.data, &expected);
                assert!(
                    error < tolerance(&graph),
                    "{}, batch {batch}: {name} off by {error:.1e}",
                    graph.name()
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_trained_is_refused() {
    let graph = Graph::sequential("nothing", &[2, 2, 2], [Op::Flatten]).unwrap();
    let mut trainer = Trainer::new(Model::new(graph, 1).unwrap(), settings()).unwrap();
    assert!(trainer.step(&[], &[], 0.1).unwrap_err().to_string().contains("at least one image"));
    // Without parameters there is nothing to move, but there is a loss.
    assert!(trainer.step(&[0.5; 8], &[3], 0.1).unwrap().loss > 2.0);
    let other = Model::new(Preset::LeNet5.graph().unwrap(), 1).unwrap().weights().unwrap();
    let error = Inference::new(&Preset::Tutorial.graph().unwrap(), &other).unwrap_err();
    assert!(error.to_string().contains("missing"), "{error}");
}

/// What an earlier, larger batch left in the buffers changes nothing.
#[test]
fn the_size_of_a_batch_may_change_from_step_to_step() {
    for graph in [straight(), branching()] {
        let sizes = [31, 100, 6, 44];
        let batch = |size: usize| {
            let labels: Vec<u8> = (0..size).map(|image| (image % 5) as u8).collect();
            (images(&graph, size, size as u32), labels)
        };
        let new = || Trainer::new(Model::new(graph.clone(), SEED).unwrap(), settings()).unwrap();
        let mut used = new();
        for size in sizes {
            let (images, labels) = batch(size);
            let found = used.gradients(&images, &labels).unwrap();
            assert_eq!(found, new().gradients(&images, &labels).unwrap(), "{} images", size);
        }
    }
}

#[test]
fn the_plan_says_what_is_fused() {
    let plan = Plan::training(&Preset::Tutorial.graph().unwrap()).unwrap();
    let text = plan.explain().to_string();
    assert!(text.contains("from fc1 on, each thread runs its share"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 11, "a title, a head, seven steps, the tail and a sum:\n{text}");
    assert!(lines[2].contains("layer1.0 layer1.1 layer1.2 layer1.3"), "{text}");
    assert!(
        lines[3].contains("winograd") && lines[3].contains("64×7×7") && lines[3].contains("3612672"),
        "{text}"
    );
    let plan = Plan::inference(&Preset::Residual.graph().unwrap()).unwrap();
    assert!(plan.explain().to_string().contains("batch_norm2d + add + relu"));
}

#[test]
fn an_inference_outlives_the_model_it_was_made_from() {
    let graph = Preset::LeNet5.graph().unwrap();
    let mut model = Model::new(graph.clone(), 1).unwrap();
    let (images, inference) = (images(&graph, 2, 3), model.inference().unwrap());
    let before = inference.logits(&images).unwrap();
    let other = Model::new(graph.clone(), 2).unwrap().weights().unwrap();
    model.set_weights(&other).unwrap();
    assert_eq!(inference.logits(&images).unwrap(), before);
    assert_eq!(
        Inference::new(&graph, &other).unwrap().logits(&images).unwrap(),
        model.logits(&images).unwrap()
    );
}
