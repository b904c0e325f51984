//! Runs a graph's ONNX file in rten and in candle-onnx and compares both with the naive forward.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};
use candle_onnx::onnx::ModelProto;
use prost::Message;
use taper_export::onnx::{LowerError, Options, Profile};
use taper_export::{Sample, verify};
use taper_graph::{Graph, Weights};

use crate::read::round_trip;
use crate::reference;
use crate::written::lower;

/// What the readers say of one graph.
pub(crate) struct Agreement {
    /// Greatest difference in rten.
    pub(crate) rten: f64,
    /// Greatest difference in candle-onnx; `None` if the graph has no form that it runs.
    pub(crate) candle: Option<f64>,
}

/// Reads every file back, and gives the differences of a batch of `count` with random weights, relative to the greatest logit if that exceeds 1.
///
/// With the environment variable `TAPER_DUMP_DIR`, the file, its input and the expected output are left there for
/// runtimes outside Rust.
pub(crate) fn compare(graph: &Graph, count: usize, seed: u64) -> Result<Agreement, String> {
    let weights = reference::weights(graph, seed);
    let images = reference::images(graph, count, seed);
    let expected = reference::forward(graph, &weights, &images);
    let magnitude = expected.iter().fold(1.0f64, |most, x| most.max(x.abs()));
    let logits: Vec<f32> = expected.iter().map(|&x| x as f32).collect();

    let bytes = lower(graph, &weights, &Options::default()).map_err(|error| error.to_string())?.to_bytes();
    if let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") {
        dump(Path::new(&folder), graph, seed, &bytes, &images, &logits);
    }
    round_trip(&bytes)?;
    let sample = Sample { count, images: &images, logits: &logits };
    let rten = verify(&bytes, &sample, 1e-4 * magnitude).map_err(|error| format!("rten: {error}"))?;
    let candle = candle(graph, &weights, &images, &expected).map_err(|error| format!("candle: {error}"))?;
    match candle.map(|difference| difference / magnitude) {
        Some(difference) if difference > 1e-4 => Err(format!("candle differs by {difference:e}")),
        candle => Ok(Agreement { rten: rten.max_abs_diff / magnitude, candle }),
    }
}

/// The greatest difference in candle-onnx of the graph's form for it.
fn candle(graph: &Graph, weights: &Weights, images: &[f32], expected: &[f64]) -> Result<Option<f64>, String> {
    let options = Options::default().profile(Profile::Candle);
    let bytes = match lower(graph, weights, &options) {
        Ok(model) => model.to_bytes(),
        Err(LowerError::Unsupported { .. }) => return Ok(None),
        Err(other) => return Err(other.to_string()),
    };
    round_trip(&bytes)?;
    let model = ModelProto::decode(&bytes[..]).map_err(|error| error.to_string())?;
    let count = images.len() / graph.input_shape().elements();
    let run = || -> candle_core::Result<Vec<f32>> {
        let input = Tensor::from_slice(images, graph.input_shape().with_batch(count), &Device::Cpu)?;
        let outputs = candle_onnx::simple_eval(&model, HashMap::from([("image".to_owned(), input)]))?;
        assert_eq!(outputs["logits"].dims(), graph.output_shape().with_batch(count));
        outputs["logits"].flatten_all()?.to_vec1()
    };
    let found = run().map_err(|error| error.to_string())?;
    assert_eq!(found.len(), expected.len());
    let difference = |(found, expected): (&f32, &f64)| (f64::from(*found) - expected).abs();
    // `f64::max` would drop a NaN.
    let worst = |a: f64, b: f64| if a.is_nan() || b.is_nan() { f64::INFINITY } else { a.max(b) };
    Ok(Some(found.iter().zip(expected).map(difference).fold(0.0, worst)))
}

fn dump(folder: &Path, graph: &Graph, seed: u64, bytes: &[u8], images: &[f32], logits: &[f32]) {
    let raw = |numbers: &[f32]| numbers.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>();
    let path = |ending: &str| folder.join(format!("{}-{seed}.{ending}", graph.name()));
    std::fs::write(path("onnx"), bytes).unwrap();
    std::fs::write(path("images.f32"), raw(images)).unwrap();
    std::fs::write(path("logits.f32"), raw(logits)).unwrap();
}
