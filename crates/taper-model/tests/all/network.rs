//! The whole reference CNN against PyTorch in float64, and its initialisation.

use std::collections::BTreeMap;

use candle_core::{Device, Tensor, Var};
use serde_json::Value;
use taper_graph::{Array, Graph, Init, Op, Preset, Weights};
use taper_model::{Mode, Model, Trainer, TrainerSettings, ops};

use crate::fixture::{Tensors, flat, json, relative_error};

/// The fixture's own generator, SplitMix64 of a counter; see `fixtures/README.md`.
fn unit(seed: u64, stream: u64, index: u64) -> f64 {
    let mut z = seed.wrapping_add(((stream << 32 | index) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^= z >> 31;
    (2 * (z >> 40) + 1) as f64 / f64::from(1 << 25)
}

/// The reference CNN without dropout, which the fixture switches off.
pub(crate) fn graph() -> Graph {
    let tutorial = Preset::Tutorial.graph().unwrap();
    let mut graph = Graph::new("tutorial", &[1, 28, 28]).unwrap();
    let mut value = graph.input();
    for node in tutorial.nodes().iter().filter(|node| !matches!(node.op, Op::Dropout(_))) {
        value = graph.wire(node.name.clone(), node.op.clone(), &[value]).unwrap();
    }
    graph
}

pub(crate) fn weights(graph: &Graph, fixture: &Value) -> Weights {
    let mut arrays = BTreeMap::new();
    for (stream, parameter) in fixture["parameters"].as_array().unwrap().iter().enumerate() {
        let shape: Vec<usize> =
            parameter["shape"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect();
        let bound = (6.0 / parameter["fan_in"].as_f64().unwrap()).sqrt();
        let seed = fixture["weight_seed"].as_u64().unwrap();
        let value = |index: u64| ((2.0 * unit(seed, stream as u64, index) - 1.0) * bound) as f32;
        let data: Vec<f32> = (0..shape.iter().product::<usize>() as u64).map(value).collect();
        for (found, expected) in data.iter().zip(parameter["first"].as_array().unwrap()) {
            assert_eq!(*found, expected.as_f64().unwrap() as f32, "the test's generator is wrong");
        }
        arrays.insert(parameter["name"].as_str().unwrap().to_owned(), Array { shape, data });
    }
    Weights::new(graph, arrays).unwrap()
}

/// The fixture's images and labels.
pub(crate) fn batch(fixture: &Value) -> (Vec<f32>, Vec<u8>) {
    let stream = fixture["image_stream"].as_u64().unwrap();
    let seeds = fixture["image_seeds"].as_array().unwrap().iter().map(|seed| seed.as_u64().unwrap());
    let pixels: Vec<f32> =
        seeds.flat_map(|seed| (0..784).map(move |index| unit(seed, stream, index) as f32)).collect();
    let labels: Vec<u8> =
        fixture["labels"].as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect();
    (pixels, labels)
}

#[test]
fn logits_loss_and_all_gradients_match_pytorch() {
    let (fixture, tensors) =
        (json("tutorial_gradients.json"), Tensors::open("tutorial_gradients.safetensors"));
    let graph = graph();
    let model = Model::from_weights(graph.clone(), &weights(&graph, &fixture)).unwrap();
    let (pixels, labels) = batch(&fixture);
    let images = Var::from_tensor(&Tensor::from_vec(pixels, (4, 1, 28, 28), &Device::Cpu).unwrap()).unwrap();
    let logits = model.forward(&images, Mode::Train { step: 0 }).unwrap();
    let (loss, numbers) = ops::cross_entropy(&logits, &labels, 0.0).unwrap();
    let gradients = loss.backward().unwrap();

    let close = |what: &str, found: &[f32], expected: &[f64]| {
        let error = relative_error(found, expected);
        assert!(error <= 1e-5, "{what}: {error:.1e}");
    };
    close("logits", &flat(&logits), &tensors.elements("logits"));
    close("loss", &[numbers.mean as f32], &tensors.elements("loss"));
    close("images", &flat(gradients.get(images.as_tensor()).unwrap()), &tensors.elements("grad.images"));
    for (name, var) in model.trainable() {
        let found = flat(gradients.get(var.as_tensor()).unwrap());
        close(name, &found, &gradient(&tensors, name));
    }

    // The trainer has a backward pass of its own.
    let settings = TrainerSettings::default();
    let pixels = flat(images.as_tensor());
    let mut trainer = Trainer::new(model, settings).unwrap();
    let found = trainer.gradients(&pixels, &labels).unwrap();
    close("the trainer's loss", &[found.step.loss as f32], &tensors.elements("loss"));
    assert_eq!(found.parameters.len(), 10);
    for (name, array) in &found.parameters {
        close(name, &array.data, &gradient(&tensors, name));
    }
}

/// The gradient of a parameter.
pub(crate) fn gradient(tensors: &Tensors, name: &str) -> Vec<f64> {
    match tensors.get(&format!("grad.{name}")) {
        Some((_, elements)) => elements,
        None => outer_products(tensors, name),
    }
}

/// A gradient stored as `leftᵀ·right`, because a batch of four gives a linear layer's weight only rank four.
fn outer_products(tensors: &Tensors, name: &str) -> Vec<f64> {
    let (left_shape, left) = tensors.get(&format!("grad.{name}.left")).unwrap();
    let (right_shape, right) = tensors.get(&format!("grad.{name}.right")).unwrap();
    let (rank, rows, columns) = (left_shape[0], left_shape[1], right_shape[1]);
    let element = |row: usize, column: usize| -> f64 {
        (0..rank).map(|k| left[k * rows + row] * right[k * columns + column]).sum()
    };
    (0..rows)
        .flat_map(|row| (0..columns).map(move |column| (row, column)))
        .map(|(r, c)| element(r, c))
        .collect()
}

#[test]
fn the_tutorial_has_the_ten_tensors_of_its_state_dict() {
    let model = Model::new(Preset::Tutorial.graph().unwrap(), 0).unwrap();
    let names: Vec<&str> = model.trainable().map(|(name, _)| name).collect();
    let expected = ["layer1.0", "layer2.0", "layer3.0", "fc1", "fc2"]
        .iter()
        .flat_map(|layer| [format!("{layer}.weight"), format!("{layer}.bias")])
        .collect::<Vec<String>>();
    assert_eq!(names, expected);
}

#[test]
fn initialisation_has_pytorchs_bounds_and_is_a_function_of_the_seed() {
    let graph = Preset::Tutorial.graph().unwrap();
    let weights = |seed| Model::new(graph.clone(), seed).unwrap().weights().unwrap();
    let first = weights(1);
    for named in graph.params() {
        let Init::Uniform { bound } = named.param.init else { panic!("{} is not uniform", named.name) };
        let data = &first.get(&named.name).unwrap().data;
        let greatest = data.iter().fold(0.0f32, |m, v| m.max(v.abs()));
        assert!(f64::from(greatest) <= bound, "{}: {greatest} above {bound}", named.name);
        // Of n uniform values, the greatest lies within 10/n of the bound but for a chance of e⁻¹⁰.
        assert!(
            f64::from(greatest) >= bound * (1.0 - 10.0 / data.len() as f64),
            "{}: {greatest}",
            named.name
        );
    }
    assert_eq!(graph.params().next().map(|p| p.param.init), Some(Init::Uniform { bound: 1.0 / 3.0 }));
    assert!(first == weights(1) && first != weights(2));
}
