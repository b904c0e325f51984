//! A recorded file against the model it was recorded from.

use std::path::Path;

use candle_core::{DType, Tensor};
use rten::ValueOrView;
use rten_tensor::prelude::*;

use super::error::FlowError;
use super::trace::points;
use super::{Export, Model};
use crate::export::Exported;
use crate::onnx::{OnnxModel, Options, Profile};
use crate::verify::{Files, RUNTIME, Verification, tolerance};

impl Export {
    /// Records `model`, runs the file in an independent runtime at two sizes of every dynamic axis, and writes it
    /// to `path`, whole or not at all, only if it answers as the model does within [`TOLERANCE`](crate::TOLERANCE), or
    /// 1e-2 in float16, relative to the greatest number if that is above 1. A profile other than the portable one refuses
    /// what its runtimes do not take.
    ///
    /// # Errors
    /// [`FlowError`]; an earlier file at `path` stays as it was.
    pub fn write<M: Model>(&self, path: &Path, model: &M) -> Result<Exported, FlowError> {
        let file = self.record(model)?;
        let asked = (self.profile != Profile::default()).then_some(self.profile);
        if let Some(profile) = asked {
            profile.check(file.proto()).map_err(|lack| FlowError::Setup { reason: lack.to_string() })?;
        }
        let verification = self.verify(&file, model)?;
        let bytes = file
            .write(path, Options::default().most_bytes)
            .map_err(|cause| FlowError::Write { path: path.to_owned(), cause })?;
        Ok(Exported::new(&file, bytes, asked, verification))
    }

    /// Runs `file`, recorded from `model`, in an independent runtime at two sizes of every dynamic axis.
    ///
    /// # Errors
    /// [`FlowError::Verify`] if the runtime refuses it or answers something else.
    pub fn verify<M: Model>(&self, file: &OnnxModel, model: &M) -> Result<Verification, FlowError> {
        let files = Files::of(file, Path::new("model.onnx"), Options::default().most_bytes);
        let files = files.map_err(|error| FlowError::Verify { reason: error.to_string() })?;
        let runtime = files.load().map_err(|error| failed("load", &error))?;
        let axes = self.axes()?;
        let points = points(&axes);
        let candle = |cause| FlowError::Forward { sizes: String::new(), cause };
        let tolerance = tolerance(self.precision);
        let (mut worst, mut images) = (0.0f64, 0);
        for point in points.iter().take(1).chain(points.iter().skip(1).next_back()) {
            let samples: Result<Vec<Tensor>, _> = self.inputs.iter().map(|input| input.at(point)).collect();
            let samples = samples.map_err(candle)?;
            let expected = model.flow(&samples).map_err(candle)?;
            let found = run(&runtime, &samples)?;
            images += samples.first().and_then(|sample| sample.dims().first()).copied().unwrap_or(0);
            for (place, (found, expected)) in found.iter().zip(&expected).enumerate() {
                let (difference, greatest) = difference(found, expected).map_err(candle)?;
                if difference.is_nan() || difference > tolerance * greatest.max(1.0) {
                    let sizes = super::trace::listed(std::slice::from_ref(point));
                    let reason = format!(
                        "output {place} of {RUNTIME} differs by {difference:e} from candle's ({sizes}); \
                         report the model as a fault of Taper"
                    );
                    return Err(FlowError::Verify { reason });
                }
                worst = worst.max(difference);
            }
        }
        Ok(Verification { images, max_abs_diff: worst, runtime: RUNTIME })
    }
}

fn failed(step: &str, error: &dyn std::error::Error) -> FlowError {
    FlowError::Verify {
        reason: format!("{RUNTIME} cannot {step} it: {error}; choose another opset or profile"),
    }
}

/// Sizes and elements of what the runtime returns.
struct Found {
    dims: Vec<usize>,
    data: Vec<f64>,
}

fn run(runtime: &rten::Model, samples: &[Tensor]) -> Result<Vec<Found>, FlowError> {
    let candle = |cause| FlowError::Forward { sizes: String::new(), cause };
    let mut inputs = Vec::with_capacity(samples.len());
    for (&id, sample) in runtime.input_ids().iter().zip(samples) {
        inputs.push((id, value(sample).map_err(candle)?));
    }
    let outputs = runtime.run(inputs, runtime.output_ids(), None).map_err(|error| failed("run", &error))?;
    outputs.into_iter().map(found).collect()
}

/// The runtime's int64 is i32.
fn value(sample: &Tensor) -> candle_core::Result<ValueOrView<'static>> {
    let dims = sample.dims();
    let flat = sample.flatten_all()?;
    Ok(match sample.dtype() {
        DType::U8 => rten_tensor::Tensor::from_data(dims, flat.to_vec1::<u8>()?).into(),
        DType::I16 | DType::I32 | DType::I64 | DType::U32 => {
            let numbers: Vec<i64> = flat.to_dtype(DType::I64)?.to_vec1()?;
            let numbers: Vec<i32> = numbers.into_iter().map(|number| number as i32).collect();
            rten_tensor::Tensor::from_data(dims, numbers).into()
        }
        _ => rten_tensor::Tensor::from_data(dims, flat.to_dtype(DType::F32)?.to_vec1::<f32>()?).into(),
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
                _ => Err(FlowError::Verify { reason: format!("{RUNTIME} returns no tensor") }),
            }
        };
    }
    tensor!(FloatTensor, Int32Tensor, Int8Tensor, UInt8Tensor)
}

/// The greatest difference, infinite if the shapes differ, and the greatest number expected.
fn difference(found: &Found, expected: &Tensor) -> candle_core::Result<(f64, f64)> {
    if found.dims != expected.dims() {
        return Ok((f64::INFINITY, 0.0));
    }
    let expected: Vec<f64> = expected.flatten_all()?.to_dtype(DType::F64)?.to_vec1()?;
    let greatest = expected.iter().filter(|x| x.is_finite()).fold(0.0f64, |most, x| most.max(x.abs()));
    let apart =
        |(found, expected): (&f64, &f64)| if found == expected { 0.0 } else { (found - expected).abs() };
    let worst = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::NAN } else { a.max(b) };
    Ok((found.data.iter().zip(&expected).map(apart).fold(0.0, worst), greatest))
}
