//! What cannot be exported says which method, at which line, and what to do.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{Dropout, VarBuilder, VarMap};
use taper_export::flow::{Export, Flow, Foreign, Inference, Layer, LayerT, Model, custom, seq};
use taper_export::onnx::Node;

use super::check::numbers;

/// The message for a model on `[4, 6]` with a dynamic batch.
fn message<M: Model>(model: &M) -> String {
    let sample = numbers(&[4, 6], 1);
    Export::new("refused").input("x", &sample, &[(0, "N")]).record(model).unwrap_err().to_string()
}

/// That the message names this file, the line `offset` below `line`, and all of `words`.
fn assert_says(message: &str, line: u32, words: &[&str]) {
    let place = format!("refusals.rs:{line}:");
    assert!(message.contains(&place), "{message}\nshould name {place}");
    for word in words {
        assert!(message.contains(word), "{message}\nshould say {word}");
    }
}

struct Training;
impl Layer for Training {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.apply_t(&Dropout::new(0.5), true)
    }
}

#[test]
fn training_is_refused() {
    let line = line!() - 6;
    assert_says(&message(&Training), line, &["dropout", "training mode", "`train` false"]);
}

struct SizedMask;
impl Layer for SizedMask {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let mask = Tensor::ones((xs.dim(0)?, 1), DType::F32, &Device::Cpu)?;
        xs.broadcast_mul(&F::from(mask))
    }
}

#[test]
fn a_constant_of_the_inputs_size_is_refused() {
    let line = line!() - 6;
    assert_says(&message(&SizedMask), line, &["broadcast_mul", "[4, 1]", "[3, 1]", "narrow"]);
}

struct NumberOfSize;
impl Layer for NumberOfSize {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let count = xs.dim(0)? as f64;
        xs.affine(1.0 / count, 0.0)
    }
}

#[test]
fn a_number_that_varies_is_refused() {
    let line = line!() - 6;
    assert_says(&message(&NumberOfSize), line, &["affine", "0.25", "dynamic size"]);
}

struct Rounded;
impl Layer for Rounded {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.narrow(0, 0, xs.dim(0)? / 2 + 1)
    }
}

#[test]
fn a_size_that_is_no_formula_is_refused() {
    let line = line!() - 6;
    assert_says(&message(&Rounded), line, &["narrow", "[3, 2, 2]", "multiple"]);
}

struct OtherPath;
impl Layer for OtherPath {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        if xs.dim(0)? > 3 { xs.relu() } else { xs.tanh() }
    }
}

#[test]
fn another_path_is_refused() {
    let line = line!() - 6;
    assert_says(&message(&OtherPath), line, &["relu", "another path"]);
}

struct Misfit;
impl Layer for Misfit {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let other = xs.t()?;
        xs.add(&other)
    }
}

#[test]
fn an_error_of_candle_names_the_line() {
    let line = line!() - 6;
    assert_says(&message(&Misfit), line, &["add", "[4, 6]", "shape mismatch"]);
}

struct Brain;
impl Layer for Brain {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.to_dtype(DType::BF16)?.to_dtype(DType::F32)
    }
}

#[test]
fn a_type_that_runtimes_lack_is_refused() {
    let line = line!() - 6;
    assert_says(&message(&Brain), line, &["to_dtype", "BF16", "f16 or f32"]);
}

struct Regularised;
impl LayerT for Regularised {
    fn forward_t<F: Flow>(&self, xs: &F, _: bool) -> Result<F> {
        xs.apply_t(&Dropout::new(0.5), true)
    }
}

#[test]
fn a_layer_in_a_list_names_its_line() {
    let line = line!() - 6;
    let list = seq().add(candle_nn::Activation::Relu).add(Inference(Regularised));
    assert_says(&message(&list), line, &["dropout"]);
    // A layer of candle has no line of its own: that of the list counts.
    let line = line!() + 2;
    let weight = Tensor::ones((3, 5), DType::F32, &Device::Cpu).unwrap();
    let list = seq().add(candle_nn::Activation::Relu).add(candle_nn::Linear::new(weight, None));
    assert_says(&message(&list), line, &["linear", "shape mismatch"]);
}

/// Of another crate.
struct Elsewhere;
impl Module for Elsewhere {
    fn forward(&self, xs: &Tensor) -> Result<Tensor> {
        xs.sin()? + 1.0
    }
}

struct Twin(f64);
impl Layer for Twin {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.sin()? + self.0
    }
}

#[test]
fn a_foreign_model_is_compared_with_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let export = Export::new("foreign").input("x", &numbers(&[4, 6], 1), &[(0, "N")]);
    let exported = export.write(&path, &Foreign::new(Elsewhere, Twin(1.0))).unwrap();
    assert!(exported.verification.max_abs_diff < 1e-6 && path.exists());
    let error = export.write(&path, &Foreign::new(Elsewhere, Twin(1.1))).unwrap_err().to_string();
    assert!(error.contains("differs"), "{error}");
}

/// A function that candle-nn hides, and its nodes.
struct Hidden(&'static str);
impl Layer for Hidden {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (function, op) = (candle_nn::func(|xs| xs.cos()), self.0);
        custom(
            "hidden",
            &[xs],
            |x| function.forward(x[0]),
            move |graph, x| graph.node(Node::new(op, "cos").input(&x[0])),
        )
    }
}

#[test]
fn nodes_of_ones_own_are_checked() {
    let line = line!() - 11;
    let export = Export::new("custom").input("x", &numbers(&[4, 6], 1), &[(0, "N")]);
    let verify = |op| export.verify(&export.record(&Hidden(op)).unwrap(), &Hidden(op));
    assert!(verify("Cos").unwrap().max_abs_diff < 1e-6);
    assert!(verify("Sin").unwrap_err().to_string().contains("differs"));
    assert_says(&message(&Hidden("Det")), line, &["hidden", "`Det`"]);
}

#[test]
fn a_wrong_setup_is_refused() {
    let sample = numbers(&[4, 6], 1);
    let export = Export::new("setup").input("x", &sample, &[(2, "N")]);
    assert!(export.record(&Training).unwrap_err().to_string().contains("no axis 2"));
    let export = Export::new("setup").input("x", &sample, &[]).output("y").output("z");
    assert!(export.record(&OtherPath).unwrap_err().to_string().contains("2 outputs are named"));
    let export = Export::new("setup").input("x", &sample, &[]).input("y", &sample, &[]);
    assert!(export.record(&OtherPath).unwrap_err().to_string().contains("implement `Model`"));
}

/// A model whose answers depend on how often it ran: nothing recorded can agree with it.
struct Counting(std::cell::Cell<f64>);
impl Layer for Counting {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        self.0.set(self.0.get() + 0.5);
        match self.0.get() > 2.0 {
            true => xs.affine(2.0, 0.0),
            false => xs.affine(1.0, 0.5),
        }
    }
}

#[test]
fn a_file_that_differs_from_the_model_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.onnx");
    let export = Export::new("counting").input("x", &numbers(&[4, 6], 1), &[(0, "N")]);
    let error = export.write(&path, &Counting(std::cell::Cell::new(0.0))).unwrap_err().to_string();
    assert!(error.contains("differs") && !path.exists(), "{error}");
}

#[test]
fn weights_keep_their_names_and_a_file_its_bytes() {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let layer = candle_nn::linear(6, 3, vb.pp("head").pp("fc")).unwrap();
    let sample = numbers(&[4, 6], 1);
    let export = Export::new("named").weights(&vars).input("x", &sample, &[(0, "N")]).output("y");
    let file = export.record(&layer).unwrap();
    let graph = file.proto().graph.as_ref().unwrap();
    let names: Vec<&str> = graph.initializer.iter().map(|tensor| tensor.name.as_str()).collect();
    assert_eq!(names, ["head.fc.weight", "head.fc.bias"]);
    assert_eq!((graph.node[0].name.as_str(), graph.output[0].name.as_str()), ("head.fc", "y"));
    assert_eq!(file.to_bytes(), export.record(&layer).unwrap().to_bytes());
}
