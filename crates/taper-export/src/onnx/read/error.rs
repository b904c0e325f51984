//! Why a file is no Taper graph.

use taper_graph::{GraphError, WeightsError};

use crate::onnx::inspect::InspectError;

/// Why an ONNX file cannot be read as a Taper graph.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The bytes are no ONNX file.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// The file has not exactly one float32 input and one output that a Taper graph could have.
    #[error(
        "the ONNX graph `{graph}` {reason}; a Taper graph has one float32 input with the batch first and all other \
         sizes fixed, and one output"
    )]
    Interface {
        /// The graph's name.
        graph: String,
        /// What it has.
        reason: String,
    },
    /// A node is of an operator, or has a setting, that no op of a Taper graph stands for.
    #[error("node `{node}` ({op}) has no form in a Taper graph: {reason}")]
    Unsupported {
        /// The node's name, or that of its output.
        node: String,
        /// The operator, with its domain if that is not the standard one.
        op: String,
        /// What there is no form for, and what to do.
        reason: String,
    },
    /// A node reads what no node before it makes.
    #[error(
        "node `{node}` ({op}) reads `{value}`, which neither an input, a constant nor an earlier node gives"
    )]
    UnknownValue {
        /// The node's name, or that of its output.
        node: String,
        /// The operator.
        op: String,
        /// What it reads.
        value: String,
    },
    /// A weight cannot be read.
    #[error("constant `{constant}`, which node `{node}` reads: {reason}")]
    Constant {
        /// The node's name, or that of its output.
        node: String,
        /// The constant.
        constant: String,
        /// What is wrong, and what to do.
        reason: String,
    },
    /// Shapes do not fit together, or a size is absurd.
    #[error(transparent)]
    Graph(#[from] Box<GraphError>),
    /// Weights are not of the shape that their layer needs.
    #[error(transparent)]
    Weights(#[from] WeightsError),
}

impl From<GraphError> for ReadError {
    fn from(error: GraphError) -> Self {
        Self::Graph(Box::new(error))
    }
}
