//! `taper-runtimes MODEL.onnx IMAGES.f32 SIZES OUT BATCH...`: runs an exported network in tract, and leaves its answers;
//! see README.md for the protocol.
//!
//! The file is loaded as it stands, with its symbolic batch.

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tract_onnx::prelude::*;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, images, sizes, out, batches @ ..] = &arguments[..] else {
        eprintln!("usage: taper-runtimes MODEL.onnx IMAGES.f32 SIZES OUT BATCH...");
        return ExitCode::from(2);
    };
    match answer(Path::new(model), Path::new(images), sizes, Path::new(out), batches) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the logits of all images, once for every batch size.
fn answer(model: &Path, images: &Path, sizes: &str, out: &Path, batches: &[String]) -> Outcome<()> {
    let sizes = sizes.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let pixels: Vec<f32> = floats(&std::fs::read(images)?);
    // tract's errors show what led to them only in their alternate form.
    let failed = |what: &str, cause: TractError| format!("tract cannot {what} it: {cause:#}");
    let network = tract_onnx::onnx().model_for_path(model).map_err(|cause| failed("read", cause))?;
    let network = network.into_optimized().map_err(|cause| failed("prepare", cause))?;
    let network = network.into_runnable().map_err(|cause| failed("prepare", cause))?;
    println!("loaded");
    for batch in batches {
        let logits =
            run(&network, &pixels, &sizes, batch.parse()?).map_err(|cause| failed("run", cause))?;
        let bytes: Vec<u8> = logits.iter().flat_map(|logit| logit.to_le_bytes()).collect();
        std::fs::write(out.join(format!("{batch}.f32")), bytes)?;
    }
    Ok(())
}

/// The logits of all images, `batch` at a time.
fn run(
    network: &Arc<TypedRunnableModel>,
    pixels: &[f32],
    sizes: &[usize],
    batch: usize,
) -> TractResult<Vec<f32>> {
    let item: usize = sizes.iter().product();
    let mut logits = Vec::new();
    for pixels in pixels.chunks(batch * item) {
        let shape: Vec<usize> = std::iter::once(pixels.len() / item).chain(sizes.iter().copied()).collect();
        let outputs = network.run(tvec!(Tensor::from_shape(&shape, pixels)?.into_tvalue()))?;
        logits.extend(outputs[0].to_plain_array_view::<f32>()?.iter());
    }
    Ok(logits)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}
