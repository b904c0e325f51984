//! From a model to a file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use candle_core::Tensor;
use candle_nn::VarMap;

use super::Model;
use super::emit::{Emitter, Names};
use super::error::FlowError;
use super::fold::fold;
use super::merge::{Merged, merge};
use super::runs::{Input, Runs};
use super::trace::listed;
use super::wire::Wire;
use crate::onnx::{OnnxModel, OpsetVersion, Precision, Profile};

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
    pub(super) profile: Option<Profile>,
    pub(super) multiples: BTreeMap<String, i64>,
    pub(super) bounds: BTreeMap<String, [i64; 2]>,
    metadata: Vec<(String, String)>,
    pub(super) precision: Precision,
    doc: String,
    names: Names,
}

impl Export {
    /// A file whose graph is called `name`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            opset: OpsetVersion::default(),
            profile: None,
            multiples: BTreeMap::new(),
            bounds: BTreeMap::new(),
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

    /// Weights that are in no `VarMap` get these names: the tensors themselves, or tensors that hold the same numbers.
    /// A model whose `VarBuilder` reads a safetensors file keeps the file's names so; of several names for the same
    /// numbers, a weight gets that of its layer's other weights.
    ///
    /// ```
    /// use std::collections::HashMap;
    /// use candle_core::{DType, Device, Tensor, safetensors};
    /// use candle_nn::{VarBuilder, linear};
    /// use taper_export::flow::Export;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("model.safetensors");
    /// let weight = Tensor::new(&[[1f32, 2.0], [3.0, 4.0]], &Device::Cpu)?;
    /// let bias = Tensor::new(&[0.5f32, 0.25], &Device::Cpu)?;
    /// safetensors::save(&HashMap::from([("fc.weight", weight), ("fc.bias", bias)]), &path)?;
    ///
    /// let net = linear(2, 2, VarBuilder::from_slice_safetensors(&std::fs::read(&path)?, DType::F32, &Device::Cpu)?.pp("fc"))?;
    /// let sample = Tensor::ones((4, 2), DType::F32, &Device::Cpu)?;
    /// let export = Export::new("net").named(safetensors::load(&path, &Device::Cpu)?).input("x", &sample, &[(0, "N")]);
    /// let file = export.record(&net)?;
    /// let constants = &file.proto().graph.as_ref().unwrap().initializer;
    /// assert_eq!([&constants[0].name, &constants[1].name], ["fc.weight", "fc.bias"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn named(mut self, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        self.names.extend_by_content(tensors);
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
        self.multiples.insert(name.into(), i64::try_from(step.max(1)).unwrap_or(i64::MAX));
        self
    }

    /// The size called `name` is never smaller than the one or larger than the other: the model is recorded and
    /// verified within these bounds alone, up to both. For a model that does something else for a sequence of one
    /// token, say, or that cuts a long one off.
    pub fn between(mut self, name: impl Into<String>, sizes: RangeInclusive<usize>) -> Self {
        let bound = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        self.bounds.insert(name.into(), [bound(*sizes.start()), bound(*sizes.end())]);
        self
    }

    /// With the operators of another operator set than 17.
    pub fn opset(self, opset: OpsetVersion) -> Self {
        Self { opset, ..self }
    }

    /// For the runtimes of `profile`: the file has forms that they know, and [`Export::write`] refuses what they do not take,
    /// the operator set among it.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile: Some(profile), ..self }
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
        self.build(self.recordings(&|inputs: &[Wire]| model.flow(inputs))?)
    }

    fn build(&self, runs: Runs) -> Result<OnnxModel, FlowError> {
        let Runs { axes, points, recordings } = runs;
        let mut merged = merge(&recordings, self.inputs.len(), &axes, &points)?;
        drop(recordings);
        let mut names = self.names.clone();
        names.find(&merged.steps).map_err(|cause| FlowError::Forward { sizes: listed(&points), cause })?;
        fold(&mut merged, self.inputs.len(), &mut names)
            .map_err(|cause| FlowError::Forward { sizes: listed(&points), cause })?;
        let Merged { steps, outputs } = merged;
        let output_names = self.output_names(outputs.len())?;
        let mut emitter =
            Emitter::new(&self.name, self.opset, self.profile.unwrap_or_default(), &names, &points);
        emitter.reserve(output_names.iter().cloned());
        for input in &self.inputs {
            emitter.input(input)?;
        }
        emitter.steps(&steps, &outputs)?;
        let file = emitter.finish(&outputs, &output_names, self.metadata.iter().cloned())?;
        Ok(file.with_precision(self.precision)?.with_doc(&self.doc))
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
