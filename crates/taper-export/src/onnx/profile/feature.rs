//! What not every runtime has.

use std::fmt;

use crate::onnx::proto::{GraphProto, ModelProto, NodeProto, ValueInfoProto};
use crate::onnx::tensor::DataType;

/// Something about a file that not every runtime has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Feature {
    /// Weights of float16, cast before they are used.
    HalfWeights,
    /// Values of float16.
    Half,
    /// An input of bytes, normalised inside.
    Bytes,
    /// Softmax, in the network or at its end.
    Softmax,
    /// The class itself at the end, a whole number.
    ArgMax,
    /// Values and weights of 8 bits.
    Int8,
    /// Weights in a file of their own.
    ExternalData,
}

impl Feature {
    /// All of them.
    pub const ALL: [Feature; 7] = [
        Feature::HalfWeights,
        Feature::Half,
        Feature::Bytes,
        Feature::Softmax,
        Feature::ArgMax,
        Feature::Int8,
        Feature::ExternalData,
    ];

    /// Those of a file.
    pub(super) fn of(model: &ModelProto) -> Vec<Self> {
        let graph = model.graph.iter();
        graph.flat_map(|graph| Self::ALL.into_iter().filter(|feature| feature.is_in(graph))).collect()
    }

    fn is_in(self, graph: &GraphProto) -> bool {
        let has_op = |op: &str| graph.node.iter().any(|node| node.op_type == op);
        let has_values = |of: DataType| {
            graph.input.iter().chain(&graph.output).any(|value| element_type(value) == Some(of))
        };
        match self {
            Feature::HalfWeights => reads_halves(graph, |node| node.op_type == "Cast"),
            Feature::Half => {
                has_values(DataType::Float16) || reads_halves(graph, |node| node.op_type != "Cast")
            }
            Feature::Bytes => has_values(DataType::UInt8),
            Feature::Softmax => has_op("Softmax"),
            Feature::ArgMax => has_op("ArgMax"),
            Feature::Int8 => has_op("DequantizeLinear"),
            Feature::ExternalData => graph.initializer.iter().any(|tensor| !tensor.external_data.is_empty()),
        }
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Feature::HalfWeights => "float16 weights",
            Feature::Half => "float16",
            Feature::Bytes => "uint8 input",
            Feature::Softmax => "softmax",
            Feature::ArgMax => "argmax",
            Feature::Int8 => "int8",
            Feature::ExternalData => "external data",
        })
    }
}

/// Whether a node of that kind reads a constant of float16.
fn reads_halves(graph: &GraphProto, is_kind: fn(&NodeProto) -> bool) -> bool {
    let halves = graph.initializer.iter().filter(|tensor| tensor.data_type == DataType::Float16.code());
    let halves: std::collections::BTreeSet<&str> = halves.map(|tensor| tensor.name.as_str()).collect();
    let mut nodes = graph.node.iter().filter(|node| is_kind(node));
    nodes.any(|node| node.input.iter().any(|input| halves.contains(input.as_str())))
}

/// The element type that an input or output is declared with.
fn element_type(value: &ValueInfoProto) -> Option<DataType> {
    DataType::from_code(value.r#type.as_ref()?.tensor_type.as_ref()?.elem_type)
}
