//! ONNX: the messages, a graph builder, the lowering of a Taper graph, and a look into any file.

mod builder;
mod inspect;
mod lower;
mod model;
mod node;
mod ops;
mod options;
pub mod proto;
mod tensor;

pub use builder::{BuildError, GraphBuilder, Value};
pub use inspect::{InspectError, Inspection, NodeInfo, ValueInfo, inspect, inspect_file};
pub use lower::{LowerError, lower};
pub use model::{OnnxModel, OpsetVersion};
pub use node::Node;
pub use options::{Options, Profile};
pub use tensor::{DataType, Dim, Tensor};
