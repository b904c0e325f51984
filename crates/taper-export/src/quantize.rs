//! int8: values and weights of 8 bits instead of 32, in a file a quarter as large.
//!
//! A finished float32 file is rewritten in the form that runtimes call QDQ: `QuantizeLinear` and `DequantizeLinear` stand
//! around the float nodes, and a runtime with integer kernels puts one in the place of each group; any other computes
//! what stands there, in floating point, and answers the same but for rounding.
//!
//! - Values are unsigned bytes with a scale and a zero point. Their ranges come from [`calibrate`], which runs the file
//!   on images, or from elsewhere: [`Ranges`].
//! - Weights are signed, with zero point 0 and one scale for each output channel, held to 7 bits: processors without
//!   VNNI add two products of bytes in 16 bits, which would overflow with 8.
//! - Biases are 32-bit whole numbers in units of both scales.
//!
//! Convolutions, linear layers, sums, concatenations and average pools between such are computed in integers; max-pool,
//! reshaping and ReLU pass the bytes on. All else, and the network's answer, stays float32.
//!
//! The scheme is that of [Jacob et al.](https://arxiv.org/abs/1712.05877); ONNX Runtime has
//! [a page](https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html) on the form.
//!
//! ```
//! use taper_export::onnx::{DataType, Dim, GraphBuilder, Node, OpsetVersion, Tensor};
//! use taper_export::quantize::{Ranges, quantize, values};
//!
//! let mut graph = GraphBuilder::new("linear", OpsetVersion::default());
//! let x = graph.input("x", DataType::Float32, &[Dim::Symbolic("N".to_owned()), Dim::Fixed(2)])?;
//! let weight = graph.constant("weight", Tensor::f32(&[1, 2], &[0.5, -0.25]))?;
//! let y = graph.node(Node::new("Gemm", "y").inputs([&x, &weight]).int("transB", 1))?;
//! graph.output(&y, "y")?;
//! let float = graph.finish([])?;
//!
//! assert_eq!(values(&float), ["x"]);
//! let int8 = quantize(&float, &Ranges::new([("x".to_owned(), [-1.0, 1.0])]))?;
//! let weight = int8.proto().graph.as_ref().unwrap().initializer.iter().find(|it| it.name == "weight.quantized");
//! assert_eq!(weight.unwrap().raw_data, [64, (-32i8) as u8]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "verify")]
mod calibrate;
mod error;
#[cfg(feature = "verify")]
mod histogram;
mod method;
mod plan;
mod rewrite;
mod scale;

use std::collections::BTreeMap;

use crate::onnx::OnnxModel;
use crate::onnx::proto::GraphProto;
#[cfg(feature = "verify")]
pub use calibrate::calibrate;
pub use error::QuantizeError;
pub use method::{Method, UnknownMethod};
use plan::Plan;

/// The oldest operator set whose `DequantizeLinear` has one scale for each channel.
const OLDEST: i64 = 13;

/// The least and the greatest number of each value that is to be quantised, by name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranges(BTreeMap<String, [f32; 2]>);

impl Ranges {
    /// These ranges.
    pub fn new(ranges: impl IntoIterator<Item = (String, [f32; 2])>) -> Self {
        Self(ranges.into_iter().collect())
    }

    /// That of a value.
    pub fn get(&self, value: &str) -> Option<[f32; 2]> {
        self.0.get(value).copied()
    }
}

/// The values of `model` whose ranges [`quantize`] needs, in the order of their names.
pub fn values(model: &OnnxModel) -> Vec<String> {
    let plan = model.proto().graph.as_ref().map(Plan::of);
    let mut roots: Vec<String> = plan.into_iter().flat_map(|plan| plan.values.into_values()).collect();
    roots.sort();
    roots.dedup();
    roots
}

/// `model`, of float32, in int8. Names of nodes and values stay; new ones stand behind a dot.
///
/// # Errors
/// [`QuantizeError`]: an operator set before 13, values of float16, nothing to quantise, or a range that is missing.
pub fn quantize(model: &OnnxModel, ranges: &Ranges) -> Result<OnnxModel, QuantizeError> {
    check(model)?;
    let mut proto = model.proto().clone();
    let graph = proto.graph.take().unwrap_or_default();
    let plan = Plan::of(&graph);
    proto.graph = Some(rewrite::rewrite(graph, &plan, ranges)?);
    Ok(OnnxModel::from_proto(proto)?)
}

/// Proves that `model` can be put into int8 with the right ranges, before anyone computes them.
pub(crate) fn check(model: &OnnxModel) -> Result<(), QuantizeError> {
    let opset = model.opset();
    if opset < OLDEST {
        return Err(QuantizeError::Opset { opset });
    }
    let Some(graph) = &model.proto().graph else {
        return Err(QuantizeError::Nothing { graph: String::new() });
    };
    check_float(graph)?;
    if Plan::of(graph).products.is_empty() {
        return Err(QuantizeError::Nothing { graph: graph.name.clone() });
    }
    Ok(())
}

fn check_float(graph: &GraphProto) -> Result<(), QuantizeError> {
    let half = graph.initializer.iter().find(|it| it.data_type == crate::onnx::DataType::Float16.code());
    match half {
        Some(tensor) => Err(QuantizeError::Half { name: tensor.name.clone() }),
        None => Ok(()),
    }
}
