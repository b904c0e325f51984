//! The other way: an ONNX file as a Taper graph with its weights.

mod call;
mod constants;
mod error;
mod forms;
mod layers;
mod names;
mod pools;

use std::collections::{BTreeMap, BTreeSet};

use taper_graph::{Array, Graph, Op, ValueId, Weights};

use super::inspect::{decode, value_info};
use super::model::OpsetVersion;
use super::options::Options;
use super::profile::Profile;
use super::proto::{GraphProto, NodeProto, ValueInfoProto};
use super::tensor::{DataType, Dim};
use crate::metadata::Metadata;
use call::{Call, operator, title};
use constants::Constants;
pub use error::ReadError;

/// A network that was read from an ONNX file.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Imported {
    /// The network. Layers bear the names of their weights, or those of the nodes.
    pub graph: Graph,
    /// Its weights.
    pub weights: Weights,
    /// What the file was written with: the names of input and output, the operator set (17 if the file's is not one
    /// that Taper writes), the profile, the text for a human reader, and the metadata if they are those of Taper.
    pub options: Options,
}

/// Reads the bytes of an ONNX file whose operators are those that Taper writes: the reverse of
/// [`lower`](super::lower).
///
/// A file of Taper's, read and written again, is the same byte for byte. What leaves no trace in it does not come
/// back: dropout, a batch norm that was folded into its convolution, a bias of zeros that was not there. Files from
/// elsewhere are read where an op of Taper's computes the same; the usual other spellings are understood (a `Reshape`
/// that flattens, `Gemm` with the weight untransposed, the `Gelu` of opset 20).
///
/// Not read are: more than one input or output, an input that is not float32 with the batch first and all else fixed,
/// weights of float16, files in int8, files that end with the class, weights in another file, and operators that no op of
/// Taper's graph stands for (transposed or one-dimensional convolutions, recurrent layers, attention, sums with constants).
///
/// # Errors
/// [`ReadError`] naming the node and what there is no form for.
///
/// ```
/// use std::collections::BTreeMap;
/// use taper_export::onnx::{Options, lower, read};
/// use taper_graph::{Array, Graph, Linear, Op, Weights};
///
/// let ops = [Op::Linear(Linear { out_features: 1, bias: true }), Op::Tanh];
/// let graph = Graph::sequential("tiny", &[2], ops)?;
/// let array = |shape: &[usize], data: &[f32]| Array { shape: shape.to_vec(), data: data.to_vec() };
/// let arrays = [("0.weight", array(&[1, 2], &[0.5, -0.5])), ("0.bias", array(&[1], &[1.0]))];
/// let weights = Weights::new(&graph, arrays.map(|(name, array)| (name.to_owned(), array)).into())?;
///
/// let bytes = lower(&graph, &weights, &Options::default())?.to_bytes();
/// let file = read(&bytes)?;
/// assert_eq!((&file.graph, &file.weights), (&graph, &weights));
/// assert_eq!(lower(&file.graph, &file.weights, &file.options)?.to_bytes(), bytes);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn read(bytes: &[u8]) -> Result<Imported, ReadError> {
    let (model, proto) = decode(bytes)?;
    let standard = model.opset_import.iter().find(|set| matches!(set.domain.as_str(), "" | "ai.onnx"));
    let constants = Constants::of(&proto);
    let opset = standard.map_or(0, |set| set.version);
    let mut reader = Reader::new(&proto, &constants, opset)?;
    for index in reader.needed()? {
        reader.node(index)?;
    }
    let output = reader.finish()?;
    let Reader { graph, arrays, input, is_for_candle, .. } = reader;
    let weights = Weights::new(&graph, arrays)?;
    let props: Vec<_> = model.metadata_props.into_iter().map(|entry| (entry.key, entry.value)).collect();
    let options = Options {
        input: input.name.clone(),
        output,
        profile: (is_for_candle && model.producer_name == "taper").then_some(Profile::Candle),
        metadata: Metadata::from_props(&props, &graph),
        opset: OpsetVersion::new(opset).unwrap_or_default(),
        doc: model.doc_string,
        ..Options::default()
    };
    Ok(Imported { graph, weights, options })
}

/// A graph that is being read, node by node.
struct Reader<'a> {
    proto: &'a GraphProto,
    constants: &'a Constants<'a>,
    opset: i64,
    input: &'a ValueInfoProto,
    /// The node that makes each value.
    makers: BTreeMap<&'a str, usize>,
    /// How many times each value is read.
    readers: BTreeMap<&'a str, usize>,
    /// The values of the file that the graph has.
    values: BTreeMap<&'a str, ValueId>,
    graph: Graph,
    arrays: BTreeMap<String, Array>,
    /// Whether a form was met that only the profile for candle has.
    is_for_candle: bool,
}

impl<'a> Reader<'a> {
    fn new(proto: &'a GraphProto, constants: &'a Constants<'a>, opset: i64) -> Result<Self, ReadError> {
        let refuse = |reason: String| ReadError::Interface { graph: proto.name.clone(), reason };
        let inputs: Vec<_> = proto.input.iter().filter(|input| !constants.has(&input.name)).collect();
        let [input] = inputs[..] else { return Err(refuse(format!("has {} inputs", inputs.len()))) };
        let info = value_info(input);
        let sizes = match (info.data_type, info.dims.as_deref()) {
            (Some(DataType::Float32), Some([_, item @ ..])) => fixed(item),
            _ => None,
        };
        let sizes = sizes.ok_or_else(|| refuse(format!("takes `{info}`")))?;
        let makers = proto.node.iter().enumerate().flat_map(|(index, node)| {
            node.output.iter().filter(|name| !name.is_empty()).map(move |name| (name.as_str(), index))
        });
        let graph = Graph::new(names::legal(&proto.name).unwrap_or_else(|| "imported".to_owned()), &sizes)?;
        Ok(Self {
            proto,
            constants,
            opset,
            input,
            makers: makers.collect(),
            readers: BTreeMap::new(),
            values: BTreeMap::from([(input.name.as_str(), graph.input())]),
            graph,
            arrays: BTreeMap::new(),
            is_for_candle: false,
        })
    }

    /// The nodes that the output depends on, in the order of the file, without those that are read as parts of others.
    fn needed(&mut self) -> Result<Vec<usize>, ReadError> {
        let [output] = &self.proto.output[..] else {
            let reason = format!("has {} outputs", self.proto.output.len());
            return Err(ReadError::Interface { graph: self.proto.name.clone(), reason });
        };
        let mut needed = BTreeSet::new();
        let mut open = vec![output.name.as_str()];
        while let Some(name) = open.pop() {
            *self.readers.entry(name).or_default() += 1;
            if let Some(&index) = self.makers.get(name).filter(|_| !self.constants.has(name))
                && needed.insert(index)
            {
                let inputs = self.proto.node[index].input.iter().map(String::as_str);
                open.extend(inputs.filter(|name| !name.is_empty()));
            }
        }
        let parts: BTreeSet<usize> = needed.iter().flat_map(|&index| self.parts(index)).collect();
        needed.retain(|index| !parts.contains(index));
        Ok(needed.into_iter().collect())
    }

    fn call(&self, node: &'a NodeProto) -> Call<'a> {
        Call { node, constants: self.constants }
    }

    /// Wires the op that the node at `index` stands for.
    fn node(&mut self, index: usize) -> Result<(), ReadError> {
        let node = &self.proto.node[index];
        let call = self.call(node);
        if !matches!(node.domain.as_str(), "" | "ai.onnx") {
            return Err(call.unsupported("only operators of the standard set are read"));
        }
        if let Some(second) = node.output.iter().skip(1).find(|name| self.readers.contains_key(name.as_str()))
        {
            return Err(call.unsupported(format!("its further output `{second}` is read")));
        }
        match node.op_type.as_str() {
            "Conv" => self.conv(call),
            "Gemm" => self.gemm(call),
            "BatchNormalization" => self.batch_norm(call),
            "MaxPool" => self.max_pool(call),
            "AveragePool" => self.avg_pool(call),
            "GlobalAveragePool" => self.simple(call, Op::GlobalAvgPool),
            "ReduceMean" => self.mean(call),
            "Relu" => self.simple(call, Op::Relu),
            "Tanh" => self.simple(call, Op::Tanh),
            "Sigmoid" => self.simple(call, Op::Sigmoid),
            "Gelu" => self.gelu(call),
            "Mul" => self.product(call),
            "Div" => self.quotient(call),
            "Softmax" => self.softmax(call),
            "Dropout" => self.dropout(call),
            "Identity" => self.identity(call),
            "Flatten" => self.flatten(call),
            "Reshape" => self.reshape(call),
            "Add" => self.join(call, Op::Add),
            "Concat" => self.concat(call),
            other => Err(call.unsupported(missing(other))),
        }
    }

    /// The graph's value of that name, which the node reads.
    fn value(&self, call: Call<'_>, name: &str) -> Result<ValueId, ReadError> {
        if self.constants.has(name) {
            return Err(call.unsupported(format!("it computes with the constant `{name}`")));
        }
        self.values.get(name).copied().ok_or_else(|| ReadError::UnknownValue {
            node: title(call.node),
            op: operator(call.node),
            value: name.to_owned(),
        })
    }

    /// The value that the node reads first.
    fn first(&self, call: Call<'a>) -> Result<ValueId, ReadError> {
        self.value(call, call.input(0).unwrap_or_default())
    }

    /// Wires `op`, called `name`, as what the node makes.
    fn wire(&mut self, call: Call<'a>, name: &str, op: Op, inputs: &[ValueId]) -> Result<(), ReadError> {
        let value = self.graph.wire(name, op, inputs)?;
        self.values.insert(call.node.output.first().map_or("", String::as_str), value);
        Ok(())
    }

    /// Proves that the graph makes the output that the file declares; its name.
    fn finish(&mut self) -> Result<String, ReadError> {
        let output = &self.proto.output[0];
        let refuse = |reason: String| ReadError::Interface { graph: self.proto.name.clone(), reason };
        let value = self.values.get(output.name.as_str()).copied();
        let value = value.ok_or_else(|| refuse(format!("returns `{}`, which no node makes", output.name)))?;
        if self.graph.nodes().is_empty() {
            // A graph needs a layer; this one does nothing and leaves no trace in a file.
            self.graph.wire(names::legal(&output.name).unwrap_or_default(), Op::dropout(0.0), &[value])?;
        }
        let info = value_info(output);
        let declared = info.dims.as_deref().map(|dims| fixed(dims.get(1..).unwrap_or_default()));
        let found = self.graph.output_shape().item();
        match declared {
            Some(Some(declared)) if declared != found => Err(refuse(format!(
                "declares its output as `{info}`, but it is {}",
                self.graph.output_shape()
            ))),
            _ => Ok(output.name.clone()),
        }
    }
}

/// Why there is no form of an operator, and what to read instead.
fn missing(op: &str) -> &'static str {
    match op {
        "QuantizeLinear" | "DequantizeLinear" => {
            "files in int8 are not read; read the float32 file that it was made from"
        }
        "Cast" => "only files of float32 throughout are read; export it without float16 and without bytes",
        "ArgMax" => "files that end with the class are not read; read one that ends with the logits",
        _ => "Taper's graphs have no such op; write it with others, or leave it out",
    }
}

/// The sizes, if all are fixed.
fn fixed(dims: &[Dim]) -> Option<Vec<usize>> {
    dims.iter().map(|dim| if let Dim::Fixed(size) = dim { Some(*size) } else { None }).collect()
}
