//! A recorded file against the model it was recorded from.

use std::path::Path;

use candle_core::{DType, Tensor};
use rten::{ModelOptions, ValueOrView};
use rten_tensor::prelude::*;

use super::error::FlowError;
use super::runs::{Forward, attempt, shapes, shuffled};
use super::trace::{Points, points};
use super::{Export, Model};
use crate::export::{Exported, Form};
use crate::onnx::external::Split;
use crate::onnx::{DataType, OnnxModel, Options, Precision};
use crate::verify::{RUNTIME, Verification, load, tolerance};

impl Export {
    /// Records `model`, [verifies](Export::verify) the file, and writes it to `path`, whole or not at all, only if it
    /// answers as the model does. A [profile](Export::profile) that was asked for refuses what its runtimes do not take.
    ///
    /// # Errors
    /// [`FlowError`]; an earlier file at `path` stays as it was.
    pub fn write<M: Model>(&self, path: &Path, model: &M) -> Result<Exported, FlowError> {
        let file = self.record(model)?;
        if let Some(profile) = self.profile {
            profile.check(file.proto()).map_err(|lack| FlowError::Setup { reason: lack.to_string() })?;
        }
        let unwritten = |cause| FlowError::Write { path: path.to_owned(), cause };
        let most = Options::default().most_bytes;
        // What is too large for one file becomes two, which not every profile takes.
        if let (Some(profile), Some(split)) = (self.profile, Split::of(&file, path, most).map_err(unwritten)?)
        {
            profile.check(&split.proto).map_err(|lack| FlowError::Setup { reason: lack.to_string() })?;
        }
        let staged = file.stage(path, most).map_err(unwritten)?;
        let form = Form::of(&file, path, most, self.profile).map_err(unwritten)?;
        let tolerance = self.tolerance(&file);
        // The runtime reads the file itself; no other copy of its weights is needed any more.
        drop(file);
        let runtime =
            ModelOptions::with_all_ops().load_file(staged.model()).map_err(|error| failed("load", &error))?;
        let verification = self.compare(runtime, tolerance, &|inputs: &[Tensor]| model.flow(inputs))?;
        Ok(form.exported(staged.publish().map_err(unwritten)?, verification))
    }

    /// Runs `file`, recorded from `model`, in an independent runtime, and compares with candle: on the samples, and on
    /// their elements in another order, which were not recorded; there also two steps below the samples' dynamic
    /// sizes, far above them, and at the smallest, wherever the model itself works. The answers may differ by
    /// [`TOLERANCE`](crate::TOLERANCE), or 1e-2 where float16 is involved, relative to the greatest number if that is
    /// above 1.
    ///
    /// What the samples do not show is not seen: a sample should have many different numbers.
    ///
    /// # Errors
    /// [`FlowError::Verify`] if the runtime refuses it or answers something else.
    pub fn verify<M: Model>(&self, file: &OnnxModel, model: &M) -> Result<Verification, FlowError> {
        let runtime =
            load(file, &mut ModelOptions::with_all_ops()).map_err(|error| failed("load", &*error))?;
        self.compare(runtime, self.tolerance(file), &|inputs: &[Tensor]| model.flow(inputs))
    }

    /// How far the file's answers may be from the model's.
    fn tolerance(&self, file: &OnnxModel) -> f64 {
        let is_half = self.precision != Precision::Float32 || has_halves(file);
        tolerance(if is_half { Precision::Float16 } else { Precision::Float32 })
    }

    fn compare(
        &self,
        runtime: rten::Model,
        tolerance: f64,
        model: &Forward<'_, Tensor>,
    ) -> Result<Verification, FlowError> {
        let Points { needed, tried } = points(&self.axes()?);
        let mut comparison = Comparison { runtime, tolerance, worst: 0.0, images: 0 };
        for (place, point) in needed.iter().take(1).chain(needed.last()).enumerate() {
            let samples = self.samples(point)?;
            let expected = forward(model, &samples)?;
            if place == 0 {
                only_numbers(&expected, &samples)?;
                comparison.compare(&samples, &expected)?;
            }
            let (samples, expected) = match self.elsewhere(model, &samples) {
                Some(other) => other,
                None => (samples, expected),
            };
            comparison.compare(&samples, &expected)?;
        }
        for point in tried {
            let samples = self.samples(&point)?;
            let plain = || Some((samples.clone(), attempt(|| forward(model, &samples))?.ok()?));
            if let Some((samples, expected)) = self.elsewhere(model, &samples).or_else(plain) {
                comparison.compare(&samples, &expected)?;
            }
        }
        let Comparison { images, worst, .. } = comparison;
        Ok(Verification { images, max_abs_diff: worst, runtime: RUNTIME })
    }

    /// Other inputs with what the model makes of them, if it takes them: a number may be legal in its place alone.
    fn elsewhere(
        &self,
        model: &Forward<'_, Tensor>,
        samples: &[Tensor],
    ) -> Option<(Vec<Tensor>, Vec<Tensor>)> {
        let samples: Vec<Tensor> = samples.iter().map(shuffled).collect::<Result<_, _>>().ok()?;
        let expected = attempt(|| model(&samples))?.ok()?;
        Some((samples, expected))
    }
}

fn forward(model: &Forward<'_, Tensor>, samples: &[Tensor]) -> Result<Vec<Tensor>, FlowError> {
    model(samples).map_err(|cause| FlowError::Forward { sizes: shapes(samples), cause })
}

/// That the model answers with numbers: NaN can be compared with nothing.
fn only_numbers(expected: &[Tensor], samples: &[Tensor]) -> Result<(), FlowError> {
    for (place, output) in expected.iter().enumerate() {
        if numbers(output)?.iter().any(|number| number.is_nan()) {
            let sizes = shapes(samples);
            let reason = format!(
                "candle itself answers NaN in output {place} on the samples ({sizes}); give other samples"
            );
            return Err(FlowError::Verify { reason });
        }
    }
    Ok(())
}

/// Whether anything in the file is float16.
fn has_halves(file: &OnnxModel) -> bool {
    const FLOAT16: i32 = DataType::Float16 as i32;
    let Some(graph) = &file.proto().graph else { return false };
    let declared = |value: &crate::onnx::proto::ValueInfoProto| {
        let tensor = value.r#type.as_ref().and_then(|kind| kind.tensor_type.as_ref());
        tensor.is_some_and(|tensor| tensor.elem_type == FLOAT16)
    };
    let is_cast = |node: &crate::onnx::proto::NodeProto| {
        node.op_type == "Cast" && node.attribute.iter().any(|setting| setting.i == Some(i64::from(FLOAT16)))
    };
    graph.input.iter().chain(&graph.output).any(declared)
        || graph.initializer.iter().any(|constant| constant.data_type == FLOAT16)
        || graph.node.iter().any(is_cast)
}

fn failed(step: &str, error: &dyn std::error::Error) -> FlowError {
    FlowError::Verify {
        reason: format!("{RUNTIME} cannot {step} it: {error}; choose another opset or profile"),
    }
}

/// What was found out so far.
struct Comparison {
    runtime: rten::Model,
    tolerance: f64,
    worst: f64,
    images: usize,
}

impl Comparison {
    /// Runs the file on `samples`, and compares with what candle makes of them.
    fn compare(&mut self, samples: &[Tensor], expected: &[Tensor]) -> Result<(), FlowError> {
        let found = self.run(samples)?;
        self.images += samples.first().and_then(|sample| sample.dims().first()).copied().unwrap_or(0);
        for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
            let sizes = shapes(samples);
            if found.dims != expected.dims() {
                let (found, expected) = (&found.dims, expected.dims());
                let reason = format!(
                    "output {place} of {RUNTIME} has shape {found:?} where candle's has {expected:?} (inputs of {sizes}); \
                     {IS_FAULT}"
                );
                return Err(FlowError::Verify { reason });
            }
            let (difference, greatest) = difference(&found.data, &numbers(expected)?);
            if difference.is_nan() || difference > self.tolerance * greatest.max(1.0) {
                let reason = format!(
                    "output {place} of {RUNTIME} differs by {difference:e} from candle's (inputs of {sizes}); {IS_FAULT}"
                );
                return Err(FlowError::Verify { reason });
            }
            self.worst = self.worst.max(difference);
        }
        Ok(())
    }

    fn run(&self, samples: &[Tensor]) -> Result<Vec<Found>, FlowError> {
        let mut inputs = Vec::with_capacity(samples.len());
        for (&id, sample) in self.runtime.input_ids().iter().zip(samples) {
            inputs.push((id, value(sample)?));
        }
        let outputs = self.runtime.run(inputs, self.runtime.output_ids(), None);
        outputs.map_err(|error| failed("run", &error))?.into_iter().map(found).collect()
    }
}

/// What a difference means.
const IS_FAULT: &str = "make sure that the model gives the same answer each time, that it draws no random numbers and \
     takes no value out of a closure, and that nodes of `custom` do what candle does; else report the model as a fault \
     of Taper";

/// Sizes and elements of what the runtime returns.
struct Found {
    dims: Vec<usize>,
    data: Vec<f64>,
}

/// The runtime's int64 is i32.
fn value(sample: &Tensor) -> Result<ValueOrView<'static>, FlowError> {
    let unreadable = |cause| FlowError::Forward { sizes: shapes(std::slice::from_ref(sample)), cause };
    let dims = sample.dims();
    let flat = sample.flatten_all().map_err(unreadable)?;
    Ok(match sample.dtype() {
        DType::U8 => rten_tensor::Tensor::from_data(dims, flat.to_vec1::<u8>().map_err(unreadable)?).into(),
        DType::I16 | DType::I32 | DType::I64 | DType::U32 => {
            let numbers: Vec<i64> =
                flat.to_dtype(DType::I64).and_then(|flat| flat.to_vec1()).map_err(unreadable)?;
            let narrow = |number: i64| {
                i32::try_from(number).map_err(|_| FlowError::Verify {
                    reason: format!(
                        "{RUNTIME} has no whole number {number}; give a sample of numbers within 32 bits"
                    ),
                })
            };
            let numbers = numbers.into_iter().map(narrow).collect::<Result<Vec<i32>, _>>()?;
            rten_tensor::Tensor::from_data(dims, numbers).into()
        }
        _ => {
            let flat = flat.to_dtype(DType::F32).and_then(|flat| flat.to_vec1::<f32>());
            rten_tensor::Tensor::from_data(dims, flat.map_err(unreadable)?).into()
        }
    })
}

fn found(value: rten::Value) -> Result<Found, FlowError> {
    macro_rules! tensor {
        ($($kind:ident),*) => {
            match value {
                $(rten::Value::$kind(tensor) => Ok(Found {
                    dims: tensor.shape().to_vec(),
                    data: tensor.to_vec().into_iter().map(f64::from).collect(),
                }),)*
                _ => {
                    let reason = format!("{RUNTIME} returns no tensor; return tensors from the model");
                    Err(FlowError::Verify { reason })
                }
            }
        };
    }
    tensor!(FloatTensor, Int32Tensor, Int8Tensor, UInt8Tensor)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f64>, FlowError> {
    let flat =
        tensor.flatten_all().and_then(|flat| flat.to_dtype(DType::F64)).and_then(|flat| flat.to_vec1());
    flat.map_err(|cause| FlowError::Forward { sizes: shapes(std::slice::from_ref(tensor)), cause })
}

/// The greatest difference, and the greatest number expected. Two that are NaN do not differ.
fn difference(found: &[f64], expected: &[f64]) -> (f64, f64) {
    let greatest = expected.iter().filter(|x| x.is_finite()).fold(0.0f64, |most, x| most.max(x.abs()));
    let apart = |(found, expected): (&f64, &f64)| {
        if found == expected || (found.is_nan() && expected.is_nan()) {
            0.0
        } else {
            (found - expected).abs()
        }
    };
    let worst = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
    (found.iter().zip(expected).map(apart).fold(0.0, worst), greatest)
}
