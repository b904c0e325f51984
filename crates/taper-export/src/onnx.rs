//! ONNX: the messages, a graph builder that infers and checks types, the validation of a whole file, the lowering of
//! a Taper graph and the way back, and a look into any file.

mod builder;
pub(crate) mod compose;
mod data;
mod error;
pub(crate) mod external;
mod fact;
mod infer;
mod inspect;
mod lower;
mod model;
mod node;
mod ops;
mod options;
mod precision;
mod profile;
pub mod proto;
mod read;
mod scope;
mod size;
mod staged;
mod table;
mod tensor;
mod titles;
mod validate;
mod write;

#[cfg(feature = "candle")]
pub(crate) mod parts {
    //! What the recorder uses of it.

    pub(crate) use super::compose;
    pub(crate) use super::size::{Atom, Size, product};
}

pub use builder::{GraphBuilder, Value};
pub use error::BuildError;
#[cfg(feature = "verify")]
pub(crate) use inspect::value_info;
pub use inspect::{ConstantInfo, InspectError, Inspection, NodeInfo, ValueInfo, inspect, inspect_file};
pub use lower::{LowerError, lower};
pub use model::{OnnxModel, OpsetVersion};
pub use node::Node;
pub use options::{Head, Layout, Options, Pixels};
pub use precision::Precision;
pub use profile::{Feature, Profile, ProfileError, UnknownProfile};
pub use read::{Imported, ReadError, read};
#[cfg(feature = "verify")]
pub(crate) use staged::Staged;
pub use table::{Op as Operator, operators};
pub use tensor::{DataType, Dim, Tensor};
pub use validate::validate;
