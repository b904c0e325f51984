//! From a model to a file.

use std::collections::BTreeMap;

use candle_core::Tensor;
use candle_nn::VarMap;

use super::Model;
use super::emit::{Emitter, Names};
use super::error::FlowError;
use super::fold::fold;
use super::merge::{Merged, Recording, merge};
use super::trace::{Axis, listed, points};
use super::wire::Wire;
use crate::onnx::{OnnxModel, OpsetVersion, Precision, Profile};

/// The size that a dynamic axis has at least while recording: the smallest recorded is two steps below.
const LEAST: i64 = 4;

/// How a model written in candle becomes an ONNX file.
///
/// ```
/// use candle_core::{DType, Device, Result, Tensor};
/// use candle_nn::{Linear, VarBuilder, VarMap, linear};
/// use taper_export::flow::{Export, Flow, Layer};
///
/// struct Net(Linear);
/// impl Layer for Net {
///     fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
///         xs.flatten_from(1)?.apply(&self.0)?.relu()
///     }
/// }
///
/// let vars = VarMap::new();
/// let net = Net(linear(6, 2, VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu).pp("fc"))?);
/// let sample = Tensor::ones((4, 2, 3), DType::F32, &Device::Cpu)?;
/// let model = Export::new("net").weights(&vars).input("x", &sample, &[(0, "N")]).output("y").record(&net)?;
/// let graph = model.proto().graph.as_ref().unwrap();
/// let ops: Vec<&str> = graph.node.iter().map(|node| node.op_type.as_str()).collect();
/// assert_eq!(ops, ["Flatten", "Gemm", "Relu"]);
/// assert_eq!(graph.initializer[0].name, "fc.weight");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Export {
    name: String,
    pub(super) inputs: Vec<Input>,
    outputs: Vec<String>,
    opset: OpsetVersion,
    pub(super) profile: Profile,
    multiples: BTreeMap<String, i64>,
    metadata: Vec<(String, String)>,
    pub(super) precision: Precision,
    doc: String,
    names: Names,
}

/// An input of the model.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) sample: Tensor,
    /// The name of each dynamic axis.
    pub(super) axes: Vec<(usize, String)>,
}

impl Export {
    /// A file whose graph is called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            opset: OpsetVersion::default(),
            profile: Profile::default(),
            multiples: BTreeMap::new(),
            metadata: Vec::new(),
            precision: Precision::default(),
            doc: String::new(),
            names: Names::default(),
        }
    }

    /// Weights that are in `vars` keep their names.
    pub fn weights(mut self, vars: &VarMap) -> Self {
        let data = vars.data().lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        self.names.extend(data.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())));
        drop(data);
        self
    }

    /// These tensors of the model, which are in no `VarMap`, get these names.
    pub fn named(mut self, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        self.names.extend(tensors);
        self
    }

    /// The next input: its name, a sample of it, and names for the axes whose sizes are known only when the graph
    /// runs. Axes of one name have one size.
    pub fn input(mut self, name: impl Into<String>, sample: &Tensor, axes: &[(usize, &str)]) -> Self {
        let axes = axes.iter().map(|(axis, name)| (*axis, (*name).to_owned())).collect();
        self.inputs.push(Input { name: name.into(), sample: sample.clone(), axes });
        self
    }

    /// The name of the next output; without any, they are `output`, `output_2`, ….
    pub fn output(mut self, name: impl Into<String>) -> Self {
        self.outputs.push(name.into());
        self
    }

    /// The size called `name` is always a multiple of `step`: an image that is halved four times needs 16.
    pub fn multiple(mut self, name: impl Into<String>, step: usize) -> Self {
        self.multiples.insert(name.into(), step.max(1) as i64);
        self
    }

    /// With the operators of another operator set than 17.
    pub fn opset(self, opset: OpsetVersion) -> Self {
        Self { opset, ..self }
    }

    /// For the runtimes of `profile`.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }

    /// A model of float32 with weights, or all values, of another type in the file.
    pub fn precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// With a text for a human reader.
    pub fn doc(self, doc: impl Into<String>) -> Self {
        Self { doc: doc.into(), ..self }
    }

    /// With named texts in the file.
    pub fn metadata(mut self, texts: impl IntoIterator<Item = (String, String)>) -> Self {
        self.metadata.extend(texts);
        self
    }

    /// Records `model` and builds its graph. Nothing is run but candle itself. A batch norm whose input is a convolution
    /// that nothing else reads is folded into it: the weights of that name are then those of both.
    ///
    /// # Errors
    /// [`FlowError`], with the line of the model at fault.
    pub fn record<M: Model>(&self, model: &M) -> Result<OnnxModel, FlowError> {
        let axes = self.axes()?;
        let points = points(&axes);
        let recordings =
            points.iter().map(|point| self.run(model, point)).collect::<Result<Vec<Recording>, _>>()?;
        let mut merged = merge(&recordings, self.inputs.len(), &axes, &points)?;
        drop(recordings);
        let mut names = self.names.clone();
        fold(&mut merged, self.inputs.len(), &mut names)
            .map_err(|cause| FlowError::Forward { sizes: listed(&points), cause })?;
        let Merged { steps, outputs } = merged;
        let output_names = self.output_names(outputs.len())?;
        let mut emitter = Emitter::new(&self.name, self.opset, self.profile, &names);
        emitter.reserve(output_names.iter().cloned());
        for input in &self.inputs {
            emitter.input(input)?;
        }
        emitter.steps(&steps, &outputs, &points)?;
        let file = emitter.finish(&outputs, &output_names, self.metadata.iter().cloned())?;
        Ok(file.with_precision(self.precision)?.with_doc(&self.doc))
    }

    /// The dynamic sizes, in the order in which the inputs name them.
    pub(super) fn axes(&self) -> Result<Vec<Axis>, FlowError> {
        let setup = |reason: String| FlowError::Setup { reason };
        let mut axes: Vec<Axis> = Vec::new();
        for input in &self.inputs {
            for (axis, name) in &input.axes {
                let size = input.sample.dims().get(*axis).copied().ok_or_else(|| {
                    let (rank, input) = (input.sample.rank(), &input.name);
                    setup(format!("input `{input}` has {rank} dimensions and no axis {axis}; name another"))
                })?;
                let step = self.multiples.get(name).copied().unwrap_or(1);
                let steps = (size as i64 + step - 1) / step;
                let size = steps.max(LEAST) * step;
                match axes.iter_mut().find(|known| known.name == *name) {
                    Some(known) => known.size = known.size.max(size),
                    None => axes.push(Axis { name: name.clone(), size, step }),
                }
            }
        }
        match axes.len() {
            0..=4 => Ok(axes),
            count => Err(setup(format!("{count} dynamic sizes take too many recordings; name at most 4"))),
        }
    }

    /// Records once, with the dynamic sizes of `point`.
    fn run<M: Model>(&self, model: &M, point: &BTreeMap<String, i64>) -> Result<Recording, FlowError> {
        let samples: Result<Vec<Tensor>, _> = self.inputs.iter().map(|input| input.at(point)).collect();
        let samples = samples.map_err(|cause| FlowError::Forward { sizes: String::new(), cause })?;
        let (tape, wires) = Wire::inputs(&samples);
        let made = model.flow(&wires);
        let mut tape = tape.borrow_mut();
        match (made, tape.refusal.take()) {
            (_, Some(refusal)) => Err(refusal.into()),
            (Err(cause), None) => {
                let sizes: Vec<String> =
                    samples.iter().map(|sample| format!("{:?}", sample.dims())).collect();
                Err(FlowError::Forward { sizes: sizes.join(", "), cause })
            }
            (Ok(made), None) => {
                let outputs = made.iter().map(Wire::source).collect();
                Ok(Recording { events: std::mem::take(&mut tape.events), outputs })
            }
        }
    }

    fn output_names(&self, count: usize) -> Result<Vec<String>, FlowError> {
        let default = |place: usize| match place {
            0 => "output".to_owned(),
            place => format!("output_{}", place + 1),
        };
        match self.outputs.len() {
            0 => Ok((0..count).map(default).collect()),
            named if named == count => Ok(self.outputs.clone()),
            named => {
                let reason = format!("{named} outputs are named, but the model makes {count}; name each");
                Err(FlowError::Setup { reason })
            }
        }
    }
}

impl Input {
    /// The sample with its dynamic axes at other sizes: cut, or begun again.
    pub(super) fn at(&self, point: &BTreeMap<String, i64>) -> candle_core::Result<Tensor> {
        let mut sample = self.sample.clone();
        for (axis, name) in &self.axes {
            let (own, wanted) = (sample.dim(*axis)?.max(1), point.get(name).copied().unwrap_or(1) as usize);
            let places: Vec<u32> = (0..wanted).map(|place| (place % own) as u32).collect();
            let places = Tensor::new(places, sample.device())?;
            sample = sample.contiguous()?.index_select(&places, *axis)?;
        }
        Ok(sample)
    }
}
