//! The recorded steps as ONNX nodes.

mod arithmetic;
mod arrange;
mod cast;
mod check;
mod constants;
mod layers;
mod names;
mod recurrent;
mod sizes;
mod spatial;

use std::collections::BTreeMap;

use candle_core::DType;

use self::check::{check_made, explain, explain_output, used};
use self::constants::Constants;
pub(super) use self::names::Names;
use super::call::Kind;
use super::error::FlowError;
use super::merge::Step;
use super::runs::Input;
use super::trace::Sizes;
use super::wire::Source;
use crate::onnx::parts::Size;
use crate::onnx::{BuildError, DataType, Dim, GraphBuilder, Node, OnnxModel, OpsetVersion, Profile, Value};

/// Why a step has no node.
pub(super) enum Trouble {
    /// The builder refuses it.
    Build(BuildError),
    /// A constant cannot be read.
    Candle(candle_core::Error),
    /// ONNX cannot express it.
    Refuse(String, &'static str),
}

impl From<BuildError> for Trouble {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}

impl From<candle_core::Error> for Trouble {
    fn from(error: candle_core::Error) -> Self {
        Self::Candle(error)
    }
}

type Emitted<T = Value> = Result<T, Trouble>;

/// Writes steps into a graph.
pub(super) struct Emitter<'a> {
    graph: GraphBuilder,
    profile: Profile,
    names: &'a Names,
    /// The sizes that were recorded at.
    points: &'a [Sizes],
    /// Constants that are in the graph already.
    constants: Constants,
    /// Where the named sizes come from: an input and its axis.
    named: BTreeMap<String, (Value, usize)>,
    /// Sizes that the graph computes already.
    sizes: BTreeMap<Size, Value>,
    /// The value of every number, inputs first; `None` for what nothing reads.
    values: Vec<Option<Value>>,
    /// candle's type of each of them, which the graph may not have.
    dtypes: Vec<DType>,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(
        name: &str,
        opset: OpsetVersion,
        profile: Profile,
        names: &'a Names,
        points: &'a [Sizes],
    ) -> Self {
        let mut graph = GraphBuilder::new(name, opset);
        graph.reserve(names.iter().map(str::to_owned));
        Self {
            graph,
            profile,
            names,
            points,
            constants: Constants::default(),
            named: BTreeMap::new(),
            sizes: BTreeMap::new(),
            values: Vec::new(),
            dtypes: Vec::new(),
        }
    }

    /// Keeps names free for the outputs.
    pub(super) fn reserve(&mut self, names: impl IntoIterator<Item = String>) {
        self.graph.reserve(names);
    }

    pub(super) fn input(&mut self, input: &Input) -> Result<(), FlowError> {
        let data_type = data_type(input.sample.dtype()).ok_or_else(|| FlowError::Setup {
            reason: format!(
                "input `{}` is of type {:?}, which few runtimes have; give a sample of f32, f16, f64, u8, i64 or u32",
                input.name,
                input.sample.dtype()
            ),
        })?;
        let mut dims: Vec<Dim> = input.sample.dims().iter().map(|&size| Dim::Fixed(size)).collect();
        for (axis, name) in &input.axes {
            dims[*axis] = Dim::Symbolic(name.clone());
        }
        let value = self.graph.input(&input.name, data_type, &dims)?;
        for (axis, name) in &input.axes {
            self.named.entry(name.clone()).or_insert_with(|| (value.clone(), *axis));
        }
        self.values.push(Some(value));
        self.dtypes.push(input.sample.dtype());
        Ok(())
    }

    /// Writes the steps that `outputs` depend on, and compares the shapes that the graph's own rules give with those
    /// that were recorded.
    pub(super) fn steps(&mut self, steps: &[Step], outputs: &[Source]) -> Result<(), FlowError> {
        let used = used(steps, outputs, self.values.len());
        self.constants.expect(steps, outputs, self.names);
        for step in steps {
            let first = self.values.len();
            let count = step.count();
            self.dtypes.extend(&step.dtypes);
            if !used[first..first + count].contains(&true) {
                self.values.extend(std::iter::repeat_n(None, count));
                continue;
            }
            let made =
                self.step(step, &used[first..first + count]).map_err(|trouble| explain(step, trouble))?;
            for (place, value) in made.iter().enumerate() {
                if let Some(value) = value {
                    check_made(step, place, value, self.points)?;
                }
            }
            self.values.extend(made);
        }
        Ok(())
    }

    pub(super) fn finish(
        mut self,
        outputs: &[Source],
        names: &[String],
        metadata: impl IntoIterator<Item = (String, String)>,
    ) -> Result<OnnxModel, FlowError> {
        let mut values = Vec::with_capacity(outputs.len());
        for (output, name) in outputs.iter().zip(names) {
            let value = self.source(output, name).and_then(|value| self.numeric(&value, name));
            values.push(value.map_err(|trouble| explain_output(name, trouble))?);
        }
        for (place, (value, name)) in values.iter().zip(names).enumerate() {
            // Declaring an output renames its value: one that is an output already is read by its new name.
            let earlier = values[..place].iter().position(|other| other == value);
            match earlier.map(|earlier| self.graph.value(&names[earlier])).transpose()? {
                Some(value) => self.graph.output(&value, name)?,
                None => self.graph.output(value, name)?,
            }
        }
        Ok(self.graph.finish(metadata)?)
    }

    /// Everything that a step makes; `None` for what nothing reads.
    fn step(&mut self, step: &Step, used: &[bool]) -> Emitted<Vec<Option<Value>>> {
        let title = self.title(step);
        match &step.call.kind {
            Kind::Lstm { hidden } => self.lstm(step, &title, *hidden, used),
            Kind::Gru { hidden } => self.gru(step, &title, *hidden, used),
            _ => Ok(vec![Some(self.single(step, &title)?)]),
        }
    }

    /// What a step with one output makes.
    fn single(&mut self, step: &Step, title: &str) -> Emitted {
        match &step.call.kind {
            Kind::Unary(function) => self.unary(step, title, *function),
            Kind::Binary(function) => self.binary(step, title, *function),
            Kind::Compare(how) => self.compare(step, title, *how),
            Kind::Affine { mul, add } => self.affine(step, title, *mul, *add),
            Kind::Powf(exponent) => self.powf(step, title, *exponent),
            Kind::Clamp { min, max } => self.clamp(step, title, *min, *max),
            Kind::Where => self.choose(step, title),
            Kind::Cast(dtype) => self.cast(step, title, *dtype),
            Kind::Like(number) => self.like(step, title, *number),
            Kind::MatMul => self.inputs_into(step, "MatMul", title),
            Kind::Linear => self.linear(step, title),
            Kind::Conv { padding, stride, dilation, groups } => {
                self.conv(step, title, "Conv", [*padding, *stride, *dilation, *groups], None)
            }
            Kind::ConvTranspose { padding, output_padding, stride, dilation, groups } => {
                let settings = [*padding, *stride, *dilation, *groups];
                self.conv(step, title, "ConvTranspose", settings, Some(*output_padding))
            }
            Kind::BatchNorm { eps } => self.batch_norm(step, title, *eps),
            Kind::LayerNorm { eps, remove_mean } => self.layer_norm(step, title, *eps, *remove_mean),
            Kind::GroupNorm { eps, groups } => self.group_norm(step, title, *eps, *groups),
            Kind::Embedding => self.gather(step, title, "Gather", 0),
            Kind::PRelu => self.inputs_into(step, "PRelu", title),
            Kind::Softmax { dim, log } => self.softmax(step, title, *dim, *log),
            Kind::Reduce { how, dims, keep } => self.reduce(step, title, *how, dims, *keep),
            Kind::Arg { is_max, dim, keep } => self.arg(step, title, *is_max, *dim, *keep),
            Kind::CumSum { dim } => self.cumsum(step, title, *dim),
            Kind::Reshape => self.reshape(step, title),
            Kind::Unsqueeze { dim } => self.with_axes(step, title, "Unsqueeze", *dim),
            Kind::Squeeze { dim } => self.squeeze(step, title, *dim),
            Kind::Permute(order) => self.permute(step, title, order),
            Kind::Narrow { dim } => self.narrow(step, title, *dim),
            Kind::Concat { dim } => self.concat(step, title, *dim),
            Kind::IndexSelect { dim } => self.gather(step, title, "Gather", *dim),
            Kind::Gather { dim } => self.gather(step, title, "GatherElements", *dim),
            Kind::Broadcast => self.broadcast(step, title),
            Kind::Repeat => self.repeat(step, title),
            Kind::Pad { dim, with_edge } => self.pad(step, title, *dim, *with_edge),
            Kind::Pool { is_max, kernel, stride } => self.pool(step, title, *is_max, *kernel, *stride),
            Kind::UpsampleNearest => self.upsample(step, title, None),
            Kind::UpsampleBilinear { align_corners } => self.upsample(step, title, Some(*align_corners)),
            Kind::Custom(nodes) => {
                let inputs = (0..step.inputs.len()).map(|place| self.operand(step, title, place));
                let inputs = inputs.collect::<Emitted<Vec<Value>>>()?;
                Ok(nodes.write(&mut self.graph, &inputs)?)
            }
            Kind::Lstm { .. } | Kind::Gru { .. } => {
                Err(Trouble::Refuse("it makes several values".to_owned(), "report it as a fault of Taper"))
            }
        }
    }

    /// The name of a step's last node: that of the layer its weights belong to, or else candle's of the method.
    fn title(&self, step: &Step) -> String {
        let names = step.inputs.iter().filter_map(|input| self.names.of_source(input));
        let layer = names.filter_map(|name| name.rsplit_once('.')).map(|(layer, _)| layer).next();
        layer.unwrap_or(step.call.method).to_owned()
    }

    /// candle's type of the input at `place` of a step.
    fn dtype(&self, step: &Step, place: usize) -> Option<DType> {
        match step.inputs.get(place)? {
            Source::Constant(tensor, _) => Some(tensor.dtype()),
            Source::Made(value) => self.dtypes.get(*value).copied(),
        }
    }

    /// The input at `place` of a step, as numbers.
    fn operand(&mut self, step: &Step, title: &str, place: usize) -> Emitted {
        let value = self.any_operand(step, title, place)?;
        self.numeric(&value, title)
    }

    /// The input at `place` of a step, which may be a mask of type bool.
    fn any_operand(&mut self, step: &Step, title: &str, place: usize) -> Emitted {
        match step.inputs.get(place) {
            Some(source) => self.source(source, title),
            None => Err(Trouble::Refuse(format!("it has no input {place}"), "report it as a fault of Taper")),
        }
    }

    fn source(&mut self, source: &Source, title: &str) -> Emitted {
        match source {
            Source::Constant(tensor, origin) => {
                self.constant(tensor, origin.as_ref().map(|(event, _)| &**event), title)
            }
            Source::Made(place) => match self.values.get(*place) {
                Some(Some(value)) => Ok(value.clone()),
                _ => Err(Trouble::Refuse(
                    format!("value {place} is not there"),
                    "report it as a fault of Taper",
                )),
            },
        }
    }

    /// A mask as the numbers 0 and 1, which candle has in its place.
    fn numeric(&mut self, value: &Value, title: &str) -> Emitted {
        if value.data_type() != DataType::Bool {
            return Ok(value.clone());
        }
        let cast = Node::new("Cast", format!("{title}.number")).input(value);
        Ok(self.graph.node(cast.int("to", i64::from(DataType::UInt8.code())))?)
    }

    /// A node that reads the step's inputs as they are, as numbers.
    fn inputs_into(&mut self, step: &Step, op: &str, title: &str) -> Emitted {
        let mut node = Node::new(op, title);
        for place in 0..step.inputs.len() {
            node = node.input(&self.operand(step, title, place)?);
        }
        Ok(self.graph.node(node)?)
    }
}

/// The element type that stands for candle's; U32, which few runtimes have, becomes int64.
fn data_type(dtype: DType) -> Option<DataType> {
    match dtype {
        DType::U8 => Some(DataType::UInt8),
        DType::I16 => Some(DataType::Int16),
        DType::I32 => Some(DataType::Int32),
        DType::U32 | DType::I64 => Some(DataType::Int64),
        DType::F16 => Some(DataType::Float16),
        DType::F32 => Some(DataType::Float32),
        DType::F64 => Some(DataType::Float64),
        _ => None,
    }
}
