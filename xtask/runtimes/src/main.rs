//! `taper-runtimes MODEL.onnx REFERENCE.safetensors`: runs an exported network in tract, and compares what it answers
//! with what the trained model answered.
//!
//! REFERENCE holds `images` f32 `[B, …]` and `logits` f32 `[B, K]`, as `taper reference` writes them. The file is
//! loaded as it stands, with its symbolic batch, and all images are run at batch 1, 7 and B.

use std::error::Error;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use safetensors::{Dtype, SafeTensors};
use tract_onnx::prelude::*;

/// The greatest difference of a logit that is let pass, as in Taper's own verification.
const TOLERANCE: f64 = 1e-4;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// An array of f32 with its shape.
struct Array {
    shape: Vec<usize>,
    data: Vec<f32>,
}

impl Array {
    /// Elements of one row: of one image, or of one image's logits.
    fn row(&self) -> usize {
        self.shape[1..].iter().product()
    }
}

fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    let [model, reference] = &arguments[..] else {
        eprintln!("usage: taper-runtimes MODEL.onnx REFERENCE.safetensors");
        return ExitCode::from(2);
    };
    match compare(Path::new(model), Path::new(reference)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether the answers agree at every batch size; prints the greatest difference at each.
fn compare(model: &Path, reference: &Path) -> Outcome<bool> {
    let [images, logits] = read_reference(reference)?;
    // tract's errors show what led to them only in their alternate form.
    let failed =
        |what: &str, cause: TractError| format!("{}: tract cannot {what}: {cause:#}", model.display());
    let network = tract_onnx::onnx().model_for_path(model).map_err(|cause| failed("read it", cause))?;
    let network = network.into_optimized().map_err(|cause| failed("prepare it", cause))?;
    let network = network.into_runnable().map_err(|cause| failed("prepare it", cause))?;

    let mut agree = true;
    for batch in [1, 7, images.shape[0]] {
        let difference = greatest_difference(&network, &images, &logits, batch)
            .map_err(|cause| failed(&format!("run it at batch {batch}"), cause))?;
        let verdict = if difference <= TOLERANCE { "ok" } else { "TOO LARGE" };
        println!("tract, batch {batch}: greatest difference {difference:.1e}, {verdict}");
        agree &= difference <= TOLERANCE;
    }
    Ok(agree)
}

/// The greatest difference of a logit over all images, `batch` at a time; infinite where one is not a number.
fn greatest_difference(
    network: &Arc<TypedRunnableModel>,
    images: &Array,
    logits: &Array,
    batch: usize,
) -> TractResult<f64> {
    let mut greatest = 0.0_f64;
    let expected = logits.data.chunks(batch * logits.row());
    for (pixels, expected) in images.data.chunks(batch * images.row()).zip(expected) {
        let mut shape = images.shape.clone();
        shape[0] = pixels.len() / images.row();
        let outputs = network.run(tvec!(Tensor::from_shape(&shape, pixels)?.into_tvalue()))?;
        let answers = outputs[0].to_plain_array_view::<f32>()?;
        if answers.shape() != [shape[0], logits.row()] {
            return Err(TractError::msg(format!("the output is {:?} for {shape:?} in", answers.shape())));
        }
        for (answer, expected) in answers.iter().zip(expected) {
            let difference = f64::from(*answer) - f64::from(*expected);
            greatest = greatest.max(if difference.is_finite() { difference.abs() } else { f64::INFINITY });
        }
    }
    Ok(greatest)
}

/// The images and the logits.
fn read_reference(path: &Path) -> Outcome<[Array; 2]> {
    let at = |cause: &dyn Display| format!("{}: {cause}", path.display());
    let bytes = std::fs::read(path).map_err(|cause| at(&cause))?;
    let file = SafeTensors::deserialize(&bytes).map_err(|cause| at(&cause))?;
    let array = |name: &str| -> Outcome<Array> {
        let view = file.tensor(name).map_err(|cause| at(&cause))?;
        if view.dtype() != Dtype::F32 || view.shape().len() < 2 || view.shape().contains(&0) {
            let (dtype, shape) = (view.dtype(), view.shape());
            return Err(at(&format!("`{name}` is {dtype:?} {shape:?}, not F32 with a batch of rows")).into());
        }
        let (numbers, _) = view.data().as_chunks::<4>();
        let data = numbers.iter().map(|number| f32::from_le_bytes(*number)).collect();
        Ok(Array { shape: view.shape().to_vec(), data })
    };
    let (images, logits) = (array("images")?, array("logits")?);
    if images.shape[0] != logits.shape[0] {
        let (images, logits) = (images.shape[0], logits.shape[0]);
        return Err(at(&format!("{images} images, but logits of {logits}")).into());
    }
    Ok([images, logits])
}
