//! One model, exported and run by others.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use candle_onnx::onnx::ModelProto;
use prost::Message;
use taper_export::flow::{Export, FlowError, Model};
use taper_export::onnx::{DataType, OnnxModel, OpsetVersion, Profile, validate};

pub(crate) use super::data::{fill, ids, numbers, positive};
use crate::written::check_names;

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

/// A number of steps from that of a sample.
type Steps = fn(usize) -> usize;

/// The sizes to compare at besides the sample's: what is dumped, the number of steps for that of a sample.
const SIZES: [(&str, Steps); 3] =
    [("small.", |steps| steps - 1), ("single.", |_| 1), ("large.", |steps| 2 * steps + 1)];

impl Sample {
    /// With another number of steps along its dynamic axes: its own elements in another order.
    fn resized(&self, steps: Steps) -> Tensor {
        let resized = |tensor: Tensor, (axis, name): &(usize, &str)| {
            let step = if matches!(*name, "H" | "W") { self.step } else { 1 };
            let own = tensor.dim(*axis).unwrap();
            let places: Vec<u32> =
                (0..steps(own / step) * step).map(|place| ((place * 3 + 1) % own) as u32).collect();
            tensor.index_select(&Tensor::new(places, &Device::Cpu).unwrap(), *axis).unwrap()
        };
        self.axes.iter().fold(self.tensor.clone(), resized)
    }

    /// In another element type.
    pub(crate) fn to_dtype(&self, dtype: DType) -> Self {
        Self { tensor: self.tensor.to_dtype(dtype).unwrap(), axes: self.axes.clone(), step: self.step }
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
    /// The samples, and where there are dynamic sizes also samples of other sizes, with the prefixes they are dumped by.
    inputs: Vec<(&'static str, Vec<Tensor>)>,
}

/// The model that `make` builds from a `VarBuilder`, with its export set up.
pub(crate) fn setup<M: Model>(
    name: &str,
    dtype: DType,
    make: impl Fn(VarBuilder<'static>) -> Result<M>,
    samples: &[Sample],
) -> std::result::Result<Setup<M>, String> {
    let vars = VarMap::new();
    let model =
        make(VarBuilder::from_varmap(&vars, dtype, &Device::Cpu)).map_err(|error| error.to_string())?;
    let inputs = inputs(samples);
    // Cases make their weights when they run.
    model.flow(&inputs[0].1).map_err(|error| format!("candle itself: {error}"))?;
    fill(&vars);
    Ok(Setup { model, export: export(name, &vars, samples), inputs })
}

fn inputs(samples: &[Sample]) -> Vec<(&'static str, Vec<Tensor>)> {
    let mut inputs = vec![("", samples.iter().map(|sample| sample.tensor.clone()).collect())];
    if samples.iter().any(|sample| !sample.axes.is_empty()) {
        let others = SIZES.iter().map(|(prefix, steps)| {
            (*prefix, samples.iter().map(|sample| sample.resized(*steps)).collect::<Vec<Tensor>>())
        });
        inputs.extend(others);
    }
    inputs
}

fn export(name: &str, vars: &VarMap, samples: &[Sample]) -> Export {
    let mut export = Export::new(name).weights(vars);
    for (place, sample) in samples.iter().enumerate() {
        export = export.input(input_name(place), &sample.tensor, &sample.axes);
        if sample.step > 1 {
            export = export.multiple("H", sample.step).multiple("W", sample.step);
        }
    }
    export
}

/// The operator sets to export for besides 17: the oldest and the newest, and all where files are dumped.
fn others() -> impl Iterator<Item = i64> {
    let is_dumped = std::env::var_os("TAPER_DUMP_DIR").is_some();
    (12..=22).filter(move |opset| *opset != 17 && (is_dumped || matches!(opset, 12 | 22)))
}

/// Exports the model for operator set 17 and for the others, and compares.
pub(crate) fn check<M: Model>(
    name: &str,
    make: impl Fn(VarBuilder<'static>) -> Result<M>,
    samples: &[Sample],
) -> std::result::Result<Agreement, String> {
    check_as(name, DType::F32, make, samples)
}

/// The same with weights of another element type.
pub(crate) fn check_as<M: Model>(
    name: &str,
    dtype: DType,
    make: impl Fn(VarBuilder<'static>) -> Result<M>,
    samples: &[Sample],
) -> std::result::Result<Agreement, String> {
    let Setup { model, export, inputs } = setup(name, dtype, make, samples)?;
    let checked = Checked {
        forward: &|inputs| model.flow(inputs),
        record: &|export| export.record(&model),
        verify: &|export, file| Ok(export.verify(file, &model)?.max_abs_diff),
    };
    checked.agreement(name, export, inputs)
}

/// A model of any type, so that what follows is compiled once.
struct Checked<'a> {
    forward: &'a dyn Fn(&[Tensor]) -> Result<Vec<Tensor>>,
    record: &'a dyn Fn(&Export) -> std::result::Result<OnnxModel, FlowError>,
    verify: &'a dyn Fn(&Export, &OnnxModel) -> std::result::Result<f64, FlowError>,
}

impl Checked<'_> {
    fn agreement(
        &self,
        name: &str,
        export: Export,
        inputs: Vec<(&'static str, Vec<Tensor>)>,
    ) -> std::result::Result<Agreement, String> {
        let text = |error: &dyn std::fmt::Display| error.to_string();
        let mut runs = Vec::new();
        for (prefix, inputs) in inputs {
            let expected =
                (self.forward)(&inputs).map_err(|error| format!("candle itself, {prefix} {error}"))?;
            runs.push(Run { prefix, inputs, expected });
        }
        let file = (self.record)(&export).map_err(|error| text(&error))?;
        validate(file.proto()).map_err(|error| text(&error))?;
        check_names(&file);
        declares(&file, &runs[0].expected)?;
        dump(name, &file.to_bytes(), &runs);
        let verify = |export: &Export, file: &OnnxModel| match (self.verify)(export, file) {
            Err(_) if WRONG_IN_RTEN.contains(&name) => Ok(0.0),
            verified => verified,
        };
        let mut rten = verify(&export, &file).map_err(|error| text(&error))?;
        for opset in others() {
            let text = |error: FlowError| format!("opset {opset}: {error}");
            let export = export.clone().opset(OpsetVersion::new(opset).unwrap());
            let file = (self.record)(&export).map_err(text)?;
            dump(&format!("{name}-{opset}"), &file.to_bytes(), &runs);
            if matches!(opset, 12 | 22) {
                rten = rten.max(verify(&export, &file).map_err(text)?);
            }
        }
        let plain = (self.record)(&export.profile(Profile::Candle)).map_err(|error| text(&error))?;
        let mut candle = !WRONG_IN_CANDLE.contains(&name);
        for run in &runs {
            candle = candle && in_candle(&plain.to_bytes(), run)?;
        }
        Ok(Agreement { rten, candle })
    }
}

/// Inputs, and what candle makes of them.
struct Run {
    prefix: &'static str,
    inputs: Vec<Tensor>,
    expected: Vec<Tensor>,
}

/// That the file declares the types that candle's outputs have; u32 is int64 in ONNX.
fn declares(file: &OnnxModel, expected: &[Tensor]) -> std::result::Result<(), String> {
    let outputs = &file.proto().graph.as_ref().unwrap().output;
    let declared = outputs.iter().map(|output| {
        let kind = output.r#type.as_ref().unwrap().tensor_type.as_ref().unwrap();
        DataType::from_code(kind.elem_type).unwrap()
    });
    let wanted = |tensor: &Tensor| match tensor.dtype() {
        DType::U8 => DataType::UInt8,
        DType::I16 => DataType::Int16,
        DType::I32 => DataType::Int32,
        DType::U32 | DType::I64 => DataType::Int64,
        DType::F16 => DataType::Float16,
        DType::F64 => DataType::Float64,
        _ => DataType::Float32,
    };
    let (declared, wanted): (Vec<DataType>, Vec<DataType>) =
        (declared.collect(), expected.iter().map(wanted).collect());
    if declared == wanted { Ok(()) } else { Err(format!("it declares {declared:?}, not {wanted:?}")) }
}

fn input_name(place: usize) -> String {
    format!("x{place}")
}

/// Where candle-onnx 0.11 is known to be wrong: it reshapes all states of an LSTM where it should transpose them, and
/// multiplies float64 with float32 in `Gemm`.
const WRONG_IN_CANDLE: &[&str] = &[
    "nn_lstm__all_states",
    "nn_lstm__of_another_layer",
    "nn_lstm__from_a_state",
    "lstm_classifier",
    "wide_f64",
];

/// Where rten 0.27 is known to be wrong: of equal numbers it takes the last. onnxruntime, which runs the same files, does
/// not.
const WRONG_IN_RTEN: &[&str] = &["argmax__of_equal_numbers", "argmin__of_equal_numbers"];

/// Whether candle-onnx has the ops; an error if it answers something else.
fn in_candle(bytes: &[u8], run: &Run) -> std::result::Result<bool, String> {
    let Run { prefix, inputs, expected } = run;
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
            return Err(format!(
                "candle-onnx: {prefix} {name} is {:?}, not {:?}",
                found.dims(),
                expected.dims()
            ));
        }
        let numbers = |tensor: &Tensor| tensor.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
        let (found, expected) = (numbers(found).unwrap(), numbers(expected).unwrap());
        let agrees = |(a, b): (&f64, &f64)| a == b || (a - b).abs() <= 1e-4 * b.abs().max(1.0);
        if !found.iter().zip(&expected).all(agrees) {
            return Err(format!("candle-onnx: {prefix} {name} differs"));
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
fn dump(name: &str, bytes: &[u8], runs: &[Run]) {
    let Some(folder) = std::env::var_os("TAPER_DUMP_DIR") else { return };
    let folder = Path::new(&folder);
    std::fs::write(folder.join(format!("{name}.onnx")), bytes).unwrap();
    let mut all = HashMap::new();
    for Run { prefix, inputs, expected } in runs {
        for (tensors, letter) in [(inputs, "x"), (expected, "y")] {
            for (place, tensor) in tensors.iter().enumerate() {
                all.insert(format!("{prefix}{letter}{place}"), wide(tensor).contiguous().unwrap());
            }
        }
    }
    candle_core::safetensors::save(&all, folder.join(format!("{name}.safetensors"))).unwrap();
}

/// As ONNX has it: indices are int64.
fn wide(tensor: &Tensor) -> Tensor {
    if tensor.dtype() == DType::U32 { tensor.to_dtype(DType::I64).unwrap() } else { tensor.clone() }
}
