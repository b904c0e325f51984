//! Every op's forward and gradients against PyTorch in float64.

use std::collections::BTreeMap;

use candle_core::{Tensor, Var};
use serde_json::{Value, json};
use taper_graph::{Array, Graph, Op, Weights};
use taper_model::{Mode, Model, ops};

use crate::fixture::{self, Tensors, flat, relative_error};

/// The worst accepted error, relative to the tensor's norm.
const TOLERANCE: f64 = 1e-5;

#[test]
fn forward_and_gradients_match_pytorch() {
    let tensors = Tensors::open("ops.safetensors");
    let cases = fixture::json("ops.json");
    let mut failures = Vec::new();
    let mut compared = 0;
    for case in cases["cases"].as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let found = match case["op"].as_str().unwrap() {
            "cross_entropy" => run_loss(name, case, &tensors),
            "add" | "concat" => run_merge(name, case, &tensors),
            _ => run_node(name, case, &tensors),
        };
        for (what, found) in found {
            let Some((_, expected)) = tensors.get(&format!("{name}.{what}")) else { continue };
            compared += 1;
            if name == "maxpool_nan" {
                let same =
                    found.iter().zip(&expected).all(|(f, e)| f.is_nan() && e.is_nan() || f64::from(*f) == *e);
                if !same {
                    failures.push(format!("{name}.{what}"));
                }
                continue;
            }
            let error = relative_error(&found, &expected);
            // NaN must fail too.
            if error.is_nan() || error > TOLERANCE {
                failures.push(format!("{name}.{what}: {error:.1e}"));
            }
        }
    }
    assert!(failures.is_empty(), "{} of {compared} differ: {failures:#?}", failures.len());
    assert!(compared > 170, "only {compared} tensors compared");
}

type Found = BTreeMap<String, Vec<f32>>;

/// Everything after the forward pass: the output, and the gradient of every variable for the given output gradient.
fn finish(name: &str, y: &Tensor, vars: &[(&str, &Var)], tensors: &Tensors) -> Found {
    let mut found = Found::from([("y".to_owned(), flat(y))]);
    let Some(dy) = tensors.tensor(&format!("{name}.grad_out")) else { return found };
    let gradients = (y * dy).unwrap().sum_all().unwrap().backward().unwrap();
    for (what, var) in vars {
        found.insert(format!("grad.{what}"), flat(gradients.get(var.as_tensor()).unwrap()));
    }
    found
}

/// An op with one input, as the only node of a model.
fn run_node(name: &str, case: &Value, tensors: &Tensors) -> Found {
    let x = Var::from_tensor(&tensors.tensor(&format!("{name}.x")).unwrap()).unwrap();
    let op = op_of(case);
    let mut graph = Graph::new("case", &x.dims()[1..]).unwrap();
    let input = graph.input();
    graph.wire("node", op.clone(), &[input]).unwrap();
    let arrays = graph.params().map(|named| {
        let own = named.name.trim_start_matches("node.").to_owned();
        let tensor = tensors.tensor(&format!("{name}.{own}")).unwrap();
        (named.name, Array { shape: tensor.dims().to_vec(), data: flat(&tensor) })
    });
    let weights = Weights::new(&graph, arrays.collect()).unwrap();
    if let (Op::BatchNorm2d(norm), Some(false)) = (&op, case["training"].as_bool()) {
        // A model in evaluation mode tracks no gradients; the op does.
        let parameter =
            |what: &str| Var::from_tensor(&tensors.tensor(&format!("{name}.{what}")).unwrap()).unwrap();
        let [weight, bias, mean, variance] = ["weight", "bias", "running_mean", "running_var"].map(parameter);
        let y = ops::batch_norm_eval(&x, &weight, &bias, [&mean, &variance], norm.eps).unwrap();
        return finish(name, &y, &[("x", &x), ("weight", &weight), ("bias", &bias)], tensors);
    }
    let model = Model::from_weights(graph, &weights).unwrap();
    let y = model.forward(&x, Mode::Train { step: 0 }).unwrap();
    let mut vars = vec![("x", &x)];
    vars.extend(model.trainable().map(|(name, var)| (name.trim_start_matches("node."), var)));
    let mut found = finish(name, &y, &vars, tensors);
    for (name, array) in model.weights().unwrap().iter() {
        found.insert(format!("{}.after", name.trim_start_matches("node.")), array.data.clone());
    }
    found
}

/// The op of a case; its attributes are those of a network file.
fn op_of(case: &Value) -> Op {
    let mut settings = case.as_object().unwrap().clone();
    for key in ["name", "inputs", "output", "training"] {
        settings.remove(key);
    }
    let op = settings.remove("op").unwrap();
    let form = if settings.is_empty() { op } else { json!({ op.as_str().unwrap(): settings }) };
    serde_json::from_value(form).unwrap()
}

fn run_merge(name: &str, case: &Value, tensors: &Tensors) -> Found {
    let count = case["inputs"].as_array().unwrap().len();
    let input = |at| Var::from_tensor(&tensors.tensor(&format!("{name}.x{at}")).unwrap()).unwrap();
    let inputs: Vec<Var> = (0..count).map(input).collect();
    let y = match op_of(case) {
        Op::Add => (inputs[0].as_tensor() + inputs[1].as_tensor()).unwrap(),
        _ => Tensor::cat(&inputs.iter().map(Var::as_tensor).collect::<Vec<_>>(), 1).unwrap(),
    };
    let names: Vec<String> = (0..count).map(|at| format!("x{at}")).collect();
    let vars: Vec<(&str, &Var)> = names.iter().map(String::as_str).zip(&inputs).collect();
    finish(name, &y, &vars, tensors)
}

fn run_loss(name: &str, case: &Value, tensors: &Tensors) -> Found {
    let logits = Var::from_tensor(&tensors.tensor(&format!("{name}.x")).unwrap()).unwrap();
    let labels: Vec<u8> = tensors.elements(&format!("{name}.target")).iter().map(|&v| v as u8).collect();
    let (loss, _) = ops::cross_entropy(&logits, &labels, case["label_smoothing"].as_f64().unwrap()).unwrap();
    let gradients = loss.backward().unwrap();
    Found::from([
        ("y".to_owned(), flat(&loss)),
        ("grad.x".to_owned(), flat(gradients.get(logits.as_tensor()).unwrap())),
    ])
}
