//! `models FOLDER NAME...`: runs the files NAME.onnx of FOLDER, which `TAPER_DUMP_DIR` named when the tests of
//! `taper-export` ran, in tract, and compares with candle's answers beside them, at every size that there is.
//!
//! A line for each file; the exit code is 1 if any differs by more than 1e-4, relative to the greatest number where that is
//! above 1, or is refused.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use tract_onnx::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What stands before the names of inputs and outputs; the sample's own size has nothing there.
const SIZES: [&str; 4] = ["", "small.", "single.", "large."];
const TOLERANCE: f64 = 1e-4;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, names @ ..] = &arguments[..] else {
        eprintln!("usage: models FOLDER NAME...");
        return ExitCode::from(2);
    };
    let mut failed = 0;
    for name in names {
        match compare(Path::new(folder), name) {
            Ok((sizes, worst)) => println!("{name}: {sizes} sizes, greatest difference {worst:.1e}"),
            Err(error) => {
                failed += 1;
                let text = error.to_string();
                println!("{name}: FAILED: {}", text.split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
    }
    println!("{} of {} files agree in tract", names.len() - failed, names.len());
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// How many sizes there are, and the greatest difference at any of them.
fn compare(folder: &Path, name: &str) -> Outcome<(usize, f64)> {
    let bytes = std::fs::read(folder.join(format!("{name}.safetensors")))?;
    let tensors = SafeTensors::deserialize(&bytes)?;
    let (mut sizes, mut worst) = (0, 0.0f64);
    for size in SIZES {
        let [inputs, expected] = ["x", "y"].map(|kind| numbered(&tensors, &format!("{size}{kind}")));
        if expected.is_empty() {
            continue;
        }
        let inputs = inputs.iter().map(tensor).collect::<Outcome<Vec<Tensor>>>()?;
        let found =
            run(&folder.join(format!("{name}.onnx")), inputs).map_err(|cause| format!("{size} {cause:#}"))?;
        for (found, expected) in found.iter().zip(&expected) {
            if found.shape() != expected.shape() {
                return Err(format!("{size} shape {:?}, not {:?}", found.shape(), expected.shape()).into());
            }
            let apart = difference(&numbers(found)?, &numbers(&tensor(expected)?)?);
            if apart.is_nan() || apart > TOLERANCE {
                return Err(format!("{size} differs by {apart:.1e}").into());
            }
            worst = worst.max(apart);
        }
        sizes += 1;
    }
    if sizes == 0 { Err("it has no expected outputs".into()) } else { Ok((sizes, worst)) }
}

/// `kind0`, `kind1`, … as far as they go.
fn numbered<'a>(tensors: &SafeTensors<'a>, kind: &str) -> Vec<TensorView<'a>> {
    (0..).map_while(|place| tensors.tensor(&format!("{kind}{place}")).ok()).collect()
}

/// The model's outputs for inputs of these sizes, which tract is told beforehand.
fn run(model: &Path, inputs: Vec<Tensor>) -> TractResult<Vec<Tensor>> {
    let mut network = tract_onnx::onnx().model_for_path(model)?;
    for (place, input) in inputs.iter().enumerate() {
        network =
            network.with_input_fact(place, InferenceFact::dt_shape(input.datum_type(), input.shape()))?;
    }
    for place in 0..network.output_outlets()?.len() {
        network = network.with_output_fact(place, InferenceFact::default())?;
    }
    let network = network.into_optimized()?.into_runnable()?;
    let outputs = network.run(inputs.into_iter().map(IntoTValue::into_tvalue).collect())?;
    Ok(outputs.into_iter().map(TValue::into_tensor).collect())
}

fn tensor(view: &TensorView<'_>) -> Outcome<Tensor> {
    let (shape, bytes) = (view.shape(), view.data());
    let made = match view.dtype() {
        Dtype::F32 => Tensor::from_shape(
            shape,
            &bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect::<Vec<_>>(),
        )?,
        Dtype::I64 => Tensor::from_shape(
            shape,
            &bytes.as_chunks().0.iter().map(|b| i64::from_le_bytes(*b)).collect::<Vec<_>>(),
        )?,
        Dtype::U8 => Tensor::from_shape(shape, bytes)?,
        other => return Err(format!("tensors of {other:?} are not compared").into()),
    };
    Ok(made)
}

fn numbers(tensor: &Tensor) -> TractResult<Vec<f64>> {
    let wide = tensor.cast_to::<f64>()?;
    Ok(wide.to_plain_array_view::<f64>()?.iter().copied().collect())
}

/// The greatest difference, relative to the greatest number where that is above 1.
fn difference(found: &[f64], expected: &[f64]) -> f64 {
    let apart = found.iter().zip(expected).map(|(found, expected)| (found - expected).abs());
    let greatest = expected.iter().fold(1.0f64, |most, number| most.max(number.abs()));
    apart.fold(0.0, |worst, apart| if apart.is_nan() { f64::NAN } else { f64::max(worst, apart) }) / greatest
}
