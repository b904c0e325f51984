//! Why a file is not quantised.

use crate::onnx::BuildError;

/// Why a file is not quantised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum QuantizeError {
    /// The operator set is too old.
    #[error("int8 needs operator set 13 or newer, but the file has {opset}; choose 17")]
    Opset {
        /// The operator set.
        opset: i64,
    },
    /// The file is of float16 already.
    #[error("`{name}` is float16, but int8 is made from float32; choose one of the two")]
    Half {
        /// A constant.
        name: String,
    },
    /// There is nothing that could be computed in integers.
    #[error(
        "the graph `{graph}` has no convolution and no linear layer with constant weights, so there is nothing to \
         quantise; export it as float32"
    )]
    Nothing {
        /// The graph's name.
        graph: String,
    },
    /// A range is missing, or is none.
    #[error("the range of `{value}` is {found}; calibrate this very file on images like those it will see")]
    Range {
        /// The value.
        value: String,
        /// What is known of it.
        found: String,
    },
    /// A weight is no number.
    #[error("constant `{name}` holds {number}, which is not finite; train the network again")]
    Weight {
        /// The constant.
        name: String,
        /// The number.
        number: f32,
    },
    /// There is nothing to calibrate on.
    #[error(
        "{numbers} numbers for {count} images of {size} are none to calibrate on; give whole images, at least one"
    )]
    Images {
        /// The numbers given.
        numbers: usize,
        /// The images they are said to be.
        count: usize,
        /// The numbers of one.
        size: usize,
    },
    /// The runtime that calibrates refuses the float32 file.
    #[error("cannot calibrate: {cause}; report the network's graph as a fault of Taper")]
    Runtime {
        /// What it said.
        cause: String,
    },
    /// What was made is not valid.
    #[error(transparent)]
    Build(#[from] BuildError),
}
