//! `answers RUNTIME MODEL.onnx IMAGES.f32 SIZES OUT BATCH...`: runs an exported network in rten or in candle-onnx, and
//! leaves its answers; `cargo xtask runtimes` compares them with those of the trained model.
//!
//! IMAGES holds f32 images of SIZES (`1,28,28`) one after another, and `OUT/BATCH.f32` gets the logits of all of them,
//! run BATCH at a time.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks on its standard streams")]
#![allow(clippy::disallowed_types, reason = "what candle-onnx takes")]

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::process::ExitCode;

use candle_core::{Device, Tensor};
use candle_onnx::onnx::ModelProto;
use prost::Message;
use rten_tensor::prelude::*;
use taper_export::onnx::{Options, Profile, lower};
use taper_export::safetensors::load_network;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// Logits of a batch of images, of that shape.
type Network = Box<dyn Fn(&[usize], &[f32]) -> Outcome<Vec<f32>>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [runtime, model, images, sizes, out, batches @ ..] = &arguments[..] else {
        eprintln!("usage: answers RUNTIME MODEL.onnx IMAGES.f32 SIZES OUT BATCH...");
        return ExitCode::from(2);
    };
    let network = match runtime.as_str() {
        "rten" => rten(Path::new(model)),
        "candle-onnx" => candle(Path::new(model)),
        other => Err(format!("`{other}` is neither `rten` nor `candle-onnx`").into()),
    };
    match network.and_then(|network| answer(&network, Path::new(images), sizes, Path::new(out), batches)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Loads the file in rten.
fn rten(model: &Path) -> Outcome<Network> {
    let model = rten::Model::load_file(model)?;
    Ok(Box::new(move |shape, pixels| {
        let images = rten_tensor::Tensor::from_data(shape, pixels.to_vec());
        let logits: rten_tensor::Tensor<f32> = model.run_one(images.into(), None)?.try_into()?;
        Ok(logits.to_vec())
    }))
}

/// Loads the file in candle-onnx; where that cannot run it, one that is lowered for it from the weights beside it.
fn candle(path: &Path) -> Outcome<Network> {
    let run = |model: &ModelProto, shape: &[usize], pixels: &[f32]| -> candle_core::Result<Vec<f32>> {
        let images = Tensor::from_slice(pixels, shape, &Device::Cpu)?;
        let outputs = candle_onnx::simple_eval(model, HashMap::from([("image".to_owned(), images)]))?;
        let logits = outputs.get("logits").ok_or_else(|| candle_core::Error::msg("there are no `logits`"))?;
        logits.flatten_all()?.to_vec1()
    };
    let (weights, metadata) = load_network(&path.with_extension("safetensors"))?;
    let mut model = ModelProto::decode(&*std::fs::read(path)?)?;
    let shape = metadata.graph.input_shape().with_batch(1);
    if let Err(error) = run(&model, &shape, &vec![0.0; shape.iter().product()]) {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        println!("remark refuses `model.onnx` ({reason}); runs what `Profile::Candle` writes");
        let options = Options::default().profile(Profile::Candle);
        model = ModelProto::decode(&*lower(&metadata.graph, &weights, &options)?.to_bytes())?;
    }
    Ok(Box::new(move |shape, pixels| Ok(run(&model, shape, pixels)?)))
}

/// Writes the logits of all images, once for every batch size.
fn answer(network: &Network, images: &Path, sizes: &str, out: &Path, batches: &[String]) -> Outcome<()> {
    println!("loaded");
    let sizes = sizes.split(',').map(str::parse).collect::<Result<Vec<usize>, _>>()?;
    let item: usize = sizes.iter().product();
    let bytes = std::fs::read(images)?;
    let pixels: Vec<f32> = bytes.as_chunks().0.iter().map(|number| f32::from_le_bytes(*number)).collect();
    for batch in batches {
        let mut logits = Vec::new();
        for pixels in pixels.chunks(batch.parse::<usize>()? * item) {
            let shape = [&[pixels.len() / item], &sizes[..]].concat();
            logits.extend(network(&shape, pixels)?.into_iter().flat_map(f32::to_le_bytes));
        }
        std::fs::write(out.join(format!("{batch}.f32")), logits)?;
    }
    Ok(())
}
