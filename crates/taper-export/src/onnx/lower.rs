//! A Taper graph as an ONNX graph.

use taper_graph::{Graph, GraphError, Node as Layer, Op, Shape, ShapeError, Weights, WeightsError};

use super::builder::{GraphBuilder, Value};
use super::compose;
use super::error::BuildError;
use super::model::OnnxModel;
use super::node::Node;
use super::ops;
use super::options::{Head, Layout, Options, Pixels};
use super::profile::{Profile, ProfileError};
use super::tensor::{DataType, Dim, Tensor, dims_of};
use crate::metadata::Metadata;

/// Why a graph has no ONNX form.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum LowerError {
    /// The graph is empty or has loose ends.
    #[error(transparent)]
    Graph(Box<GraphError>),
    /// The weights belong to another graph.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// An op has no exact form in the ops that the profile allows.
    #[error("node `{node}` ({op}) cannot be written for the profile `{profile}`: {reason}; {remedy}")]
    Unsupported {
        /// The node's name.
        node: String,
        /// The op's name in a network file.
        op: &'static str,
        /// The profile asked for.
        profile: Profile,
        /// Why not.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// The profile asked for does not take something that the options ask for.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Names clash or the file would be too large.
    #[error(transparent)]
    Build(#[from] BuildError),
}

impl From<GraphError> for LowerError {
    fn from(error: GraphError) -> Self {
        LowerError::Graph(Box::new(error))
    }
}

/// Writes `graph` with `weights` as an ONNX file: one input `[N, …]` with a symbolic batch and one output, by default
/// of float32, opset 17 and format version 8; [`Options`] has the rest.
///
/// Nodes bear the names of the layers and constants those of the weights. A batch norm whose input is a
/// convolution that nothing else reads is folded into it; dropout leaves no trace. The shapes of values in between
/// are not written: tract 0.23 refuses a symbolic batch there.
///
/// # Errors
/// [`LowerError`]: weights of another graph, an incomplete graph, or what the profile asked for cannot express.
///
/// ```
/// use std::collections::BTreeMap;
/// use taper_export::onnx::{Options, lower};
/// use taper_graph::{Array, Graph, Linear, Op, Weights};
///
/// let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear { out_features: 1, bias: false })])?;
/// let weight = Array { shape: vec![1, 2], data: vec![0.5, -0.5] };
/// let weights = Weights::new(&graph, BTreeMap::from([("0.weight".to_owned(), weight)]))?;
/// let model = lower(&graph, &weights, &Options::default())?;
/// assert_eq!(model.to_bytes(), lower(&graph, &weights, &Options::default())?.to_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lower(graph: &Graph, weights: &Weights, options: &Options) -> Result<OnnxModel, LowerError> {
    graph.check_complete()?;
    check_weights(graph, weights)?;
    let mut lowering = Lowering::new(graph, weights, options)?;
    for layer in graph.nodes() {
        let value = lowering.layer(layer)?;
        lowering.values.push(value);
    }
    let Lowering { mut builder, values, .. } = lowering;
    let output = head(&mut builder, &values[graph.output().index()], options.head)?;
    builder.output(&output, &options.output)?;
    let metadata = options.metadata.as_ref().map(Metadata::to_props).unwrap_or_default();
    let model = builder.finish(metadata)?.with_precision(options.precision)?.with_doc(&options.doc);
    if let Some(profile) = options.profile {
        profile.check(model.proto())?;
    }
    Ok(model)
}

/// What the network's last values become.
fn head(builder: &mut GraphBuilder, logits: &Value, head: Head) -> Result<Value, BuildError> {
    match head {
        Head::Logits => Ok(logits.clone()),
        Head::Softmax => compose::softmax(builder, "Softmax", "softmax", logits, 1),
        Head::ArgMax => {
            builder.node(Node::new("ArgMax", "argmax").input(logits).int("axis", 1).int("keepdims", 0))
        }
    }
}

/// Bytes as the network takes them: `[N, C, H, W]` in the range of the normalisation.
fn normalised(
    builder: &mut GraphBuilder,
    options: &Options,
    dims: &[Dim],
    pixels: &Pixels,
) -> Result<Value, BuildError> {
    let float = |builder: &mut GraphBuilder, bytes: &Value| {
        let cast = Node::new("Cast", "pixels.float32").input(bytes);
        builder.node(cast.int("to", i64::from(DataType::Float32.code())))
    };
    let mut x = match (pixels.layout, dims) {
        (Layout::Nhwc, [count, channels, height, width]) => {
            let dims = [count, height, width, channels].map(Dim::clone);
            let bytes = builder.input(&options.input, DataType::UInt8, &dims)?;
            let float = float(builder, &bytes)?;
            builder.node(Node::new("Transpose", "pixels.nchw").input(&float).ints("perm", [0, 3, 1, 2]))?
        }
        _ => {
            let bytes = builder.input(&options.input, DataType::UInt8, dims)?;
            float(builder, &bytes)?
        }
    };
    let [low, high] = pixels.normalization.range;
    let scale = builder.helper("pixels.scale", Tensor::f32(&[], &[(high - low) / 255.0]))?;
    x = builder.node(Node::new("Mul", "pixels.scaled").inputs([&x, &scale]))?;
    if low != 0.0 {
        let low = builder.helper("pixels.low", Tensor::f32(&[], &[low]))?;
        x = builder.node(Node::new("Add", "pixels.shifted").inputs([&x, &low]))?;
    }
    Ok(x)
}

/// [`Weights`] fit the graph they were made for; this proves that it is this one.
fn check_weights(graph: &Graph, weights: &Weights) -> Result<(), WeightsError> {
    let expected = graph.params().map(|named| (named.name, named.param.shape.clone()));
    if expected.eq(weights.iter().map(|(name, array)| (name.to_owned(), array.shape.clone()))) {
        return Ok(());
    }
    let arrays = weights.iter().map(|(name, array)| (name.to_owned(), array.clone())).collect();
    Weights::new(graph, arrays).map(|_| ())
}

/// What the ops of [`ops`] read and add to.
pub(super) struct Lowering<'a> {
    graph: &'a Graph,
    weights: &'a Weights,
    profile: Profile,
    builder: GraphBuilder,
    /// The ONNX value of every value of the graph so far, by [`taper_graph::ValueId::index`].
    values: Vec<Value>,
}

impl<'a> Lowering<'a> {
    fn new(graph: &'a Graph, weights: &'a Weights, options: &Options) -> Result<Self, BuildError> {
        let mut builder = GraphBuilder::new(graph.name(), options.opset);
        builder.reserve(graph.params().map(|named| named.name));
        // A bias that folding or `Gemm` adds where the layer has none.
        builder.reserve(graph.nodes().iter().map(|layer| format!("{}.bias", layer.name)));
        builder.reserve([options.output.clone()]);
        let dims = dims_of(graph.input_shape());
        let input = match &options.pixels {
            None => builder.input(&options.input, DataType::Float32, &dims)?,
            Some(pixels) => normalised(&mut builder, options, &dims, pixels)?,
        };
        Ok(Self {
            graph,
            weights,
            profile: options.profile.unwrap_or_default(),
            builder,
            values: vec![input],
        })
    }

    /// The one table of ops: what each becomes.
    fn layer(&mut self, layer: &Layer) -> Result<Value, LowerError> {
        match &layer.op {
            Op::Conv2d(conv) => ops::conv::conv2d(self, layer, conv),
            Op::MaxPool2d(pool) => ops::max_pool::max_pool2d(self, layer, pool),
            Op::AvgPool2d(pool) => ops::avg_pool::avg_pool2d(self, layer, pool),
            Op::GlobalAvgPool => ops::avg_pool::global_avg_pool(self, layer),
            Op::BatchNorm2d(norm) => ops::norm::batch_norm2d(self, layer, norm),
            Op::Normalize(normalize) => ops::normalize::normalize(self, layer, normalize),
            Op::Linear(linear) => ops::linear::linear(self, layer, linear),
            Op::Relu => ops::activation::simple(self, layer, "Relu"),
            Op::Gelu => ops::activation::gelu(self, layer),
            Op::Silu => ops::activation::silu(self, layer),
            Op::Tanh => ops::activation::simple(self, layer, "Tanh"),
            Op::Sigmoid => ops::activation::simple(self, layer, "Sigmoid"),
            Op::Softmax => ops::activation::softmax(self, layer),
            // Dropout does nothing outside training.
            Op::Dropout(_) => Ok(self.input(layer).clone()),
            Op::Flatten => ops::shape::flatten(self, layer),
            Op::Add => ops::shape::add(self, layer),
            Op::Concat => ops::shape::concat(self, layer),
        }
    }

    pub(super) fn graph(&self) -> &'a Graph {
        self.graph
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile
    }

    /// The first (often only) input of a layer.
    pub(super) fn input(&self, layer: &Layer) -> &Value {
        &self.values[layer.inputs[0].index()]
    }

    /// All inputs of a layer.
    pub(super) fn inputs(&self, layer: &Layer) -> Vec<Value> {
        layer.inputs.iter().map(|input| self.values[input.index()].clone()).collect()
    }

    /// `[C, H, W]` of a shape that wiring has already found to be an image.
    pub(super) fn image(&self, layer: &Layer, shape: &Shape) -> Result<[usize; 3], LowerError> {
        shape.image().map_err(|cause| shape_error(layer, cause))
    }

    /// The values of a parameter of `layer`; empty only if the weights were not checked.
    pub(super) fn weight(&self, layer: &Layer, param: &str) -> &'a [f32] {
        let array = self.weights.get(&format!("{}.{param}", layer.name));
        array.map_or(&[], |array| &array.data)
    }

    /// A parameter of `layer` as a constant under its own name.
    pub(super) fn param(&mut self, layer: &Layer, param: &str) -> Result<Value, LowerError> {
        let data = self.weight(layer, param);
        let shape = layer.params.iter().find(|known| known.name == param).map(|known| &known.shape[..]);
        self.constant(layer, param, Tensor::f32(shape.unwrap_or(&[data.len()]), data))
    }

    /// A constant under the name of a parameter of `layer`.
    pub(super) fn constant(
        &mut self,
        layer: &Layer,
        param: &str,
        tensor: Tensor,
    ) -> Result<Value, LowerError> {
        Ok(self.builder.constant(&format!("{}.{param}", layer.name), tensor)?)
    }

    /// A constant that no parameter of the network stands for.
    pub(super) fn helper(&mut self, layer: &Layer, what: &str, tensor: Tensor) -> Result<Value, LowerError> {
        Ok(self.builder.helper(&format!("{}.{what}", layer.name), tensor)?)
    }

    /// The builder itself, for what is composed of several nodes.
    pub(super) fn builder(&mut self) -> &mut GraphBuilder {
        &mut self.builder
    }

    pub(super) fn node(&mut self, node: Node) -> Result<Value, LowerError> {
        Ok(self.builder.node(node)?)
    }

    pub(super) fn unsupported(&self, layer: &Layer, reason: String, remedy: &'static str) -> LowerError {
        LowerError::Unsupported {
            node: layer.name.clone(),
            op: layer.op.name(),
            profile: self.profile,
            reason,
            remedy,
        }
    }
}

fn shape_error(layer: &Layer, cause: ShapeError) -> LowerError {
    GraphError::Shape { node: layer.name.clone(), op: layer.op.name(), cause }.into()
}
