//! What is wrong with a graph.

/// Why a graph cannot be built, or a file is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two inputs, constants or outputs of nodes bear one name.
    #[error("two values of the ONNX graph `{graph}` are named `{name}`; give each its own name")]
    DuplicateName {
        /// The graph's name.
        graph: String,
        /// The name.
        name: String,
    },
    /// Two nodes bear one name.
    #[error("two nodes of the ONNX graph `{graph}` are named `{name}`; give each its own name")]
    DuplicateNode {
        /// The graph's name.
        graph: String,
        /// The name.
        name: String,
    },
    /// An input, constant, output or the graph has no name.
    #[error("{what} of the ONNX graph `{graph}` has no name; give it one")]
    NoName {
        /// The graph's name.
        graph: String,
        /// What has no name.
        what: String,
    },
    /// A node reads a value that this graph does not have.
    #[error("node `{node}` of the ONNX graph `{graph}` reads `{value}`, which is not there; add it first")]
    UnknownValue {
        /// The graph's name.
        graph: String,
        /// The node's name, or that of the output.
        node: String,
        /// The value's name.
        value: String,
    },
    /// A node stands before the one whose value it reads.
    #[error(
        "node `{node}` of the ONNX graph `{graph}` reads `{value}`, which a later node makes; sort the nodes"
    )]
    Unsorted {
        /// The graph's name.
        graph: String,
        /// The node's name.
        node: String,
        /// The value's name.
        value: String,
    },
    /// An operator that Taper does not know.
    #[error(
        "node `{node}` of the ONNX graph `{graph}` is a `{op}`, which Taper does not know; write it with others"
    )]
    UnknownOp {
        /// The graph's name.
        graph: String,
        /// The node's name.
        node: String,
        /// The operator.
        op: String,
    },
    /// A node does not fit its operator or its inputs.
    #[error("node `{node}` ({op}) of the ONNX graph `{graph}`: {reason}")]
    Node {
        /// The graph's name.
        graph: String,
        /// The node's name.
        node: String,
        /// The operator.
        op: String,
        /// What does not fit, and what to do.
        reason: String,
    },
    /// A constant has more or fewer elements than its sizes say.
    #[error(
        "constant `{name}` of sizes {dims:?} is given {elements} elements; give as many as the sizes say"
    )]
    TensorSize {
        /// The constant's name.
        name: String,
        /// Its sizes.
        dims: Vec<usize>,
        /// The elements given.
        elements: usize,
    },
    /// A constant's data is not what its type and sizes say.
    #[error("constant `{name}` of the ONNX graph `{graph}`: {reason}; write it again")]
    Constant {
        /// The graph's name.
        graph: String,
        /// The constant's name.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// An input or output is declared as something that it is not.
    #[error(
        "`{name}` of the ONNX graph `{graph}` is declared as {declared}, but is {found}; declare what it is"
    )]
    Declared {
        /// The graph's name.
        graph: String,
        /// Its name.
        name: String,
        /// What the file says.
        declared: String,
        /// What follows from the nodes.
        found: String,
    },
    /// A value has a negative size, or more dimensions than anybody uses.
    #[error(
        "`{name}` of the ONNX graph `{graph}` would be {shape}; give sizes from 0, and at most 64 of them"
    )]
    Shape {
        /// The graph's name.
        graph: String,
        /// The value's name.
        name: String,
        /// Its shape, or the number of its dimensions.
        shape: String,
    },
    /// The graph returns nothing.
    #[error("the ONNX graph `{graph}` has no output; declare one")]
    NoOutput {
        /// The graph's name.
        graph: String,
    },
    /// The file has no graph.
    #[error("the ONNX file has no graph; add one")]
    NoGraph,
    /// An operator set that Taper does not know.
    #[error("operator set {opset} is not one of 12 to 22; choose one of these, 17 is the most portable")]
    Opset {
        /// The version asked for.
        opset: i64,
    },
    /// The version of the file format does not go with the operator set.
    #[error("format version {ir} does not go with operator set {opset}, which needs {least} to 13")]
    IrVersion {
        /// The version of the format.
        ir: i64,
        /// The operator set.
        opset: i64,
        /// The oldest format that states an operator set.
        least: i64,
    },
    /// The file would be larger than one protobuf message can be.
    #[error(
        "the ONNX file of `{graph}` would take {bytes} bytes, but one file holds at most 2 GiB; use fewer weights"
    )]
    TooLarge {
        /// The graph's name.
        graph: String,
        /// The size.
        bytes: usize,
    },
}
