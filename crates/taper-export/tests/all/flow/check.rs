//! One model, exported and run by others.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_onnx::onnx::ModelProto;
use prost::Message;
use taper_export::flow::{Export, Model};
use taper_export::onnx::{OpsetVersion, Profile, validate};

/// A sample, with the names of its dynamic axes.
pub(crate) struct Sample {
    tensor: Tensor,
    axes: Vec<(usize, &'static str)>,
    /// What height and width are multiples of.
    step: usize,
}

impl Sample {
    /// With a dynamic batch.
    pub(crate) fn batch(tensor: Tensor) -> Self {
        Self { tensor, axes: vec![(0, "N")], step: 1 }
    }

    /// With a dynamic batch and a dynamic sequence.
    pub(crate) fn sequence(tensor: Tensor) -> Self {
        Self { tensor, axes: vec![(0, "N"), (1, "T")], step: 1 }
    }

    /// Of fixed size.
    pub(crate) fn fixed(tensor: Tensor) -> Self {
        Self { tensor, axes: Vec::new(), step: 1 }
    }

    /// An image in a dynamic batch, of dynamic sizes that are multiples of `step`.
    pub(crate) fn image(tensor: Tensor, step: usize) -> Self {
        Self { tensor, axes: vec![(0, "N"), (2, "H"), (3, "W")], step }
    }
}

impl Sample {
    /// One step smaller along its dynamic axes.
    fn smaller(&self) -> Tensor {
        let narrow = |tensor: Tensor, (axis, name): &(usize, &str)| {
            let step = if matches!(*name, "H" | "W") { self.step } else { 1 };
            tensor.narrow(*axis, 0, tensor.dim(*axis).unwrap() - step).unwrap()
        };
        self.axes.iter().fold(self.tensor.clone(), narrow).contiguous().unwrap()
    }
}

/// Numbers between -1 and 1 without a pattern, the same every time.
pub(crate) fn numbers(shape: &[usize], seed: u64) -> Tensor {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x1234_5678_9abc_def1;
    let mut draw = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let data: Vec<f32> = (0..shape.iter().product()).map(|_| draw()).collect();
    Tensor::from_vec(data, shape, &Device::Cpu).unwrap()
}

/// Numbers between 0.1 and 2.1.
pub(crate) fn positive(shape: &[usize], seed: u64) -> Tensor {
    (numbers(shape, seed) + 1.1).unwrap()
}

/// Whole numbers from 0 to `end`, excluded.
pub(crate) fn ids(shape: &[usize], end: u32, seed: u64) -> Tensor {
    let numbers = ((numbers(shape, seed) + 1.0).unwrap() * (f64::from(end) / 2.0)).unwrap();
    numbers.to_dtype(DType::U32).unwrap()
}

/// Gives every weight values that do not depend on the run; variances and scales stay near 1.
pub(crate) fn fill(vars: &VarMap) {
    let data = vars.data().lock().unwrap();
    let mut names: Vec<_> = data.keys().cloned().collect();
    names.sort();
    for (seed, name) in names.iter().enumerate() {
        let var = &data[name];
        let numbers = numbers(var.dims(), seed as u64 + 100);
        let fan = (var.elem_count() / var.dims().first().copied().unwrap_or(1)).max(1) as f64;
        let values = match name.rsplit('.').next().unwrap() {
            "running_var" => numbers.affine(0.3, 1.0).unwrap(),
            "running_mean" | "bias" => (numbers * 0.3).unwrap(),
            _ if var.rank() == 1 => numbers.affine(0.3, 1.0).unwrap(),
            _ => (numbers * (1.7 / fan.sqrt())).unwrap(),
        };
        var.set(&values.to_dtype(var.dtype()).unwrap()).unwrap();
    }
}

/// What the readers said of a model.
#[derive(Debug)]
pub(crate) struct Agreement {
    /// The greatest difference in rten.
    pub(crate) rten: f64,
    /// Whether candle-onnx has its ops; it agreed then.
    pub(crate) candle: bool,
}

/// A model on its samples, ready for export.
pub(crate) struct Setup<M> {
    pub(crate) model: M,
    pub(crate) export: Export,
    /// The samples, and where there are dynamic sizes the samples one step smaller along each.
    inputs: Vec<Vec<Tensor>>,
}

/// The model that `make` builds from a `VarBuilder`, with its export set up.
pub(crate) fn setup<M: Model>(
    name: &str,
    make: impl Fn(VarBuilder<'static>) -> Result<M>,
    samples: &[Sample],
) -> std::result::Result<Setup<M>, String> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let mut inputs: Vec<Vec<Tensor>> = vec![samples.iter().map(|sample| sample.tensor.clone()).collect()];
    if samples.iter().any(|sample| !sample.axes.is_empty()) {
        inputs.push(samples.iter().map(Sample::smaller).collect());
    }
    let model = make(vb).map_err(|error| error.to_string())?;
    // Cases make their weights when they run.
    model.flow(&inputs[0]).map_err(|error| format!("candle itself: {error}"))?;
    fill(&vars);
    let mut export = Export::new(name).weights(&vars);
    for (place, sample) in samples.iter().enumerate() {
        export = export.input(input_name(place), &sample.tensor, &sample.axes);
        export = export.multiple("H", sample.step).multiple("W", sample.step);
    }
    Ok(Setup { model, export, inputs })
}

/// The oldest and the newest operator set.
const OTHERS: [i64; 2] = [12, 22];

/// Exports the model for operator set 17 and for the oldest and the newest, and compares.
pub(crate) fn check<M: Model>(
    name: &str,
    make: impl Fn(VarBuilder<'static>) -> Result<M>,
    samples: &[Sample],
) -> std::result::Result<Agreement, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let Setup { model, export, inputs } = setup(name, make, samples)?;
    let expected: Result<Vec<Vec<Tensor>>> = inputs.iter().map(|inputs| model.flow(inputs)).collect();
    let expected = expected.map_err(|error| text(&error))?;
    let file = export.record(&model).map_err(|error| text(&error))?;
    validate(file.proto()).map_err(|error| text(&error))?;
    dump(name, &file.to_bytes(), &inputs, &expected);
    let mut rten = export.verify(&file, &model).map_err(|error| text(&error))?.max_abs_diff;
    for opset in OTHERS {
        let export = export.clone().opset(OpsetVersion::new(opset).unwrap());
        let file = export.record(&model).map_err(|error| format!("opset {opset}: {error}"))?;
        dump(&format!("{name}-{opset}"), &file.to_bytes(), &inputs, &expected);
        let verification = export.verify(&file, &model).map_err(|error| format!("opset {opset}: {error}"))?;
        rten = rten.max(verification.max_abs_diff);
    }
    let plain = export.profile(Profile::Candle).record(&model).map_err(|error| text(&error))?;
    let mut candle = !WRONG_IN_CANDLE.contains(&name);
    for (inputs, expected) in inputs.iter().zip(&expected) {
        candle = candle && in_candle(&plain.to_bytes(), inputs, expected)?;
    }
    Ok(Agreement { rten, candle })
}

fn input_name(place: usize) -> String {
    format!("x{place}")
}

/// Where candle-onnx 0.11 is known to be wrong: it reshapes all states of an LSTM where it should transpose them.
const WRONG_IN_CANDLE: &[&str] = &["lstm_all", "lstm_classifier"];

/// Whether candle-onnx has the ops; an error if it answers something else.
fn in_candle(bytes: &[u8], inputs: &[Tensor], expected: &[Tensor]) -> std::result::Result<bool, String> {
    let model = ModelProto::decode(bytes).map_err(|error| error.to_string())?;
    let outputs: Vec<String> = model.graph.as_ref().unwrap().output.iter().map(|x| x.name.clone()).collect();
    let inputs = inputs.iter().enumerate().map(|(place, tensor)| (input_name(place), wide(tensor)));
    let found = match candle_onnx::simple_eval(&model, inputs.collect::<HashMap<_, _>>()) {
        Ok(found) => found,
        Err(error) if lacks(&error.to_string()) => return Ok(false),
        Err(error) => return Err(format!("candle-onnx: {error}")),
    };
    for (name, expected) in outputs.iter().zip(expected) {
        let found = &found[name];
        if found.dims() != expected.dims() {
            return Err(format!("candle-onnx: {name} is {:?}, not {:?}", found.dims(), expected.dims()));
        }
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
        let (found, expected) = (numbers(found).unwrap(), numbers(expected).unwrap());
        let agrees = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= 1e-4 * b.abs().max(1.0);
        if !found.iter().zip(&expected).all(agrees) {
            return Err(format!("candle-onnx: {name} differs"));
        }
    }
    Ok(true)
}

/// What candle-onnx 0.11 says of ops and forms of ops that it does not have.
fn lacks(error: &str) -> bool {
    let words = [
        "unsupported",
        "Unsupported",
        "not implemented",
        "only supports",
        "not supported",
        // A single slope for all channels.
        "unexpected number of channels for the input",
    ];
    words.iter().any(|words| error.contains(words))
}

/// With the environment variable `TAPER_DUMP_DIR`, the file, its inputs and the expected outputs are left there for
/// runtimes outside Rust.
fn dump(name: &str, bytes: &[u8], inputs: &[Vec<Tensor>], expected: &[Vec<Tensor>]) {
    let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") else { return };
    let folder = Path::new(&folder);
    std::fs::write(folder.join(format!("{name}.onnx")), bytes).unwrap();
    let mut all = HashMap::new();
    for (tensors, letter) in [(inputs, "x"), (expected, "y")] {
        for (tensors, size) in tensors.iter().zip(["", "small."]) {
            for (place, tensor) in tensors.iter().enumerate() {
                all.insert(format!("{size}{letter}{place}"), wide(tensor).contiguous().unwrap());
            }
        }
    }
    candle_core::safetensors::save(&all, folder.join(format!("{name}.safetensors"))).unwrap();
}

/// As ONNX has it: indices are int64.
fn wide(tensor: &Tensor) -> Tensor {
    if tensor.dtype() == DType::U32 { tensor.to_dtype(DType::I64).unwrap() } else { tensor.clone() }
}
