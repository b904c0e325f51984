//! What becomes of numbers: nothing of the sample is baked in, and types keep their ranges.

use std::cell::RefCell;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Conv2d, LayerNorm, Linear, RmsNorm, VarBuilder, conv2d, layer_norm, linear, rms_norm};
use taper_export::flow::{Export, Flow, ForeignModel, GroupNorm, Layer, Model, custom, group_norm, ops};
use taper_export::onnx::{Node, OpsetVersion};

use super::check::{Sample, check_as, ids, numbers};

fn export(sample: &Tensor) -> Export {
    Export::new("values").input("x", sample, &[(0, "N")])
}

fn message<M: Model>(export: &Export, model: &M) -> String {
    match export.record(model).and_then(|file| export.verify(&file, model)) {
        Ok(_) => "it is exported".to_owned(),
        Err(error) => error.to_string(),
    }
}

/// Takes a value out of a closure, and makes a constant of it.
struct Leaking;
impl Layer for Leaking {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let seen = RefCell::new(None);
        let same = |x: &[Tensor]| -> Result<Tensor> {
            *seen.borrow_mut() = Some(x[0].narrow(0, 0, 1)?.mean_all()?);
            Ok(x[0].clone())
        };
        let xs = custom(
            "look",
            &[xs],
            |x| same(&[x[0].clone()]),
            |graph, x| graph.node(Node::new("Identity", "look").input(&x[0])),
        )?;
        let mean = seen.take().unwrap();
        xs.broadcast_sub(&F::from(mean))
    }
}

#[test]
fn a_number_of_the_sample_is_found_out() {
    let varied = numbers(&[4, 6], 1);
    assert!(message(&export(&varied), &Leaking).contains("differs by"), "many numbers");
    let alike = Tensor::ones((4, 6), DType::F32, &Device::Cpu).unwrap();
    assert!(message(&export(&alike), &Leaking).contains("differs by"), "numbers that are all alike");
}

struct Casting(DType, f64);
impl Layer for Casting {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.affine(self.1, 0.0)?.to_dtype(self.0)
    }
}

#[test]
fn casts_end_where_the_type_does() {
    for (dtype, scale) in [(DType::U8, 400.0), (DType::I32, 4e9), (DType::U32, 1e4), (DType::I64, 1e4)] {
        for source in [DType::F32, DType::F64] {
            let sample = Sample::batch(numbers(&[4, 6], 1)).to_dtype(source);
            let name = format!("cast_{source:?}_{dtype:?}").to_lowercase();
            let agreement = check_as(&name, source, |_| Ok(Casting(dtype, scale)), &[sample]);
            agreement.unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}

#[test]
fn arithmetic_that_wraps_around_in_candle_is_refused() {
    struct Opposite;
    impl Layer for Opposite {
        fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
            xs.affine(-1.0, 1.0)
        }
    }
    struct Less;
    impl Layer for Less {
        fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
            xs.add(&xs.ones_like()?)?.sub(xs)
        }
    }
    let export = export(&ids(&[4, 6], 5, 1));
    let said = message(&export, &Opposite);
    assert!(said.contains("affine at") && said.contains("u32 has no signs"), "{said}");
    let said = message(&export, &Less);
    assert!(said.contains("sub at") && said.contains("DType::I64"), "{said}");
}

struct Whole(DType);
impl Layer for Whole {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let (xs, ys) = (&xs.to_dtype(self.0)?, &xs.add(&xs.ones_like()?)?.to_dtype(self.0)?);
        let larger = xs.mul(ys)?.maximum(ys)?.minimum(&xs.mul(xs)?.add(ys)?)?;
        larger.gt(ys)?.where_cond(&larger, xs)
    }
}

#[test]
fn whole_numbers_are_computed_with() {
    for dtype in [DType::U8, DType::U32, DType::I32, DType::I64] {
        let name = format!("whole_{dtype:?}").to_lowercase();
        let agreement =
            check_as(&name, DType::F32, |_| Ok(Whole(dtype)), &[Sample::batch(ids(&[4, 6], 9, 1))]);
        agreement.unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// A function whose nodes make another type than candle does.
struct Retyped;
impl Layer for Retyped {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let nodes = |graph: &mut taper_export::onnx::GraphBuilder, x: &[taper_export::onnx::Value]| {
            graph.node(Node::new("Cast", "long").input(&x[0]).int("to", 7))
        };
        custom("retyped", &[xs], |x| x[0].to_dtype(DType::F64), nodes)
    }
}

#[test]
fn nodes_of_another_type_are_refused() {
    let said = message(&export(&numbers(&[4, 6], 1)), &Retyped);
    assert!(said.contains("retyped at") && said.contains("int64") && said.contains("F64"), "{said}");
}

/// Layers whose sums of squares reach beyond float16.
struct Norms {
    conv: Conv2d,
    group: GroupNorm,
    layer: LayerNorm,
    rms: RmsNorm,
    fc: Linear,
}

impl Norms {
    fn new(vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            conv: conv2d(3, 4, 3, Default::default(), vb.pp("conv"))?,
            group: group_norm(2, 4, 1e-5, vb.pp("group"))?,
            layer: layer_norm(4, 1e-5, vb.pp("layer"))?,
            rms: rms_norm(4, 1e-5, vb.pp("rms"))?,
            fc: linear(4, 5, vb.pp("fc"))?,
        })
    }
}

impl Layer for Norms {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let xs = xs.apply(&self.conv)?.affine(800.0, 0.0)?.apply(&self.group)?.mean((2, 3))?;
        let xs = xs.affine(900.0, 0.0)?.apply(&self.layer)?.affine(700.0, 0.0)?.apply(&self.rms)?;
        ops::softmax(&xs.gelu()?.apply(&self.fc)?, 1)
    }
}

#[test]
fn norms_of_float16_do_not_overflow() {
    for (dtype, worst) in [(DType::F16, 1e-2), (DType::F32, 1e-4)] {
        let name = format!("norms_{dtype:?}").to_lowercase();
        let sample = Sample::batch(numbers(&[4, 3, 6, 6], 1)).to_dtype(dtype);
        let agreement = check_as(&name, dtype, Norms::new, &[sample]);
        let agreement = agreement.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(agreement.rten > 0.0 && agreement.rten < worst, "{name}: {agreement:?}");
    }
}

/// Layers that candle and onnxruntime have in float64.
struct Wide([Linear; 2]);
impl Layer for Wide {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        let xs = xs.apply(&self.0[0])?.gelu()?.clamp(-0.5, 2.0)?.apply(&self.0[1])?;
        ops::softmax(&xs.broadcast_sub(&xs.mean_keepdim(1)?)?, 1)
    }
}

#[test]
fn models_of_float64_agree() {
    let make = |vb: VarBuilder| Ok(Wide([linear(6, 8, vb.pp("fc1"))?, linear(8, 4, vb.pp("fc2"))?]));
    let sample = Sample::batch(numbers(&[4, 6], 1)).to_dtype(DType::F64);
    let agreement = check_as("wide_f64", DType::F64, make, &[sample]).unwrap();
    assert!(agreement.rten > 0.0 && agreement.rten < 1e-5, "{agreement:?}");
}

/// Of another crate: two inputs, two outputs.
fn elsewhere(x: &[Tensor]) -> Result<Vec<Tensor>> {
    let sum = x[0].broadcast_add(&x[1])?;
    Ok(vec![sum.tanh()?, sum.sum_keepdim(1)?])
}

struct Twin(f64);
impl Model for Twin {
    fn flow<F: Flow>(&self, inputs: &[F]) -> Result<Vec<F>> {
        let sum = inputs[0].broadcast_add(&inputs[1])?;
        Ok(vec![sum.tanh()?, (sum.sum_keepdim(1)? * self.0)?])
    }
}

#[test]
fn a_foreign_model_of_several_inputs_is_compared_with_itself() {
    let export = export(&numbers(&[4, 6], 1)).input("y", &numbers(&[6], 2), &[]).output("a").output("b");
    assert_eq!(message(&export, &ForeignModel::new(elsewhere, Twin(1.0))), "it is exported");
    let said = message(&export, &ForeignModel::new(elsewhere, Twin(1.01)));
    assert!(said.contains("output 1") && said.contains("differs by"), "{said}");
}

/// An answer that is no number on the sample, and one that is none on other numbers.
struct Logarithm;
impl Layer for Logarithm {
    fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
        xs.narrow(1, 0, 3)?.log()
    }
}

#[test]
fn answers_that_are_no_numbers_are_told_apart() {
    let said = message(&export(&numbers(&[4, 6], 1)), &Logarithm);
    assert!(said.contains("candle itself answers NaN") && said.contains("give other samples"), "{said}");
    let halves = [super::check::positive(&[4, 3], 1), numbers(&[4, 3], 2)];
    assert_eq!(message(&export(&Tensor::cat(&halves, 1).unwrap()), &Logarithm), "it is exported");
}

#[test]
fn ids_beyond_the_runtime_are_said_to_be() {
    struct Same;
    impl Layer for Same {
        fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
            xs.add(xs)
        }
    }
    let export = export(&Tensor::new(&[[1i64 << 40, 1], [2, 3]], &Device::Cpu).unwrap());
    let said = message(&export.opset(OpsetVersion::new(17).unwrap()), &Same);
    assert!(said.contains("has no whole number 1099511627776"), "{said}");
}
