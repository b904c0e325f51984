//! Network architecture as data.
//!
//! A [`Graph`] is a list of typed [`Op`]s whose shapes are inferred as they are wired, so that a mistake is
//! reported where it is made and no size is ever computed by hand. Everything else Taper does with a network
//! (train it, run it, export it, draw it) is a reading of this one description. The crate knows no tensor
//! library.
//!
//! ```
//! use taper_graph::{Conv2d, Graph, Linear, MaxPool2d, Op};
//!
//! let graph = Graph::sequential("small", &[1, 28, 28], [
//!     Op::Conv2d(Conv2d::new(8, 3).padding(1)),
//!     Op::Relu,
//!     Op::MaxPool2d(MaxPool2d::new(2)),
//!     Op::Flatten,
//!     Op::Linear(Linear::new(10)),
//! ])?;
//! assert_eq!(graph.output_shape().to_string(), "[N, 10]");
//! assert_eq!(graph.parameter_count(), 8 * 9 + 8 + 8 * 14 * 14 * 10 + 10);
//! println!("{}", graph.summary());
//!
//! // The same network as a TOML file that anyone can edit.
//! let text = graph.to_toml();
//! assert_eq!(Graph::from_toml(&text)?, graph);
//! # Ok::<(), taper_graph::GraphError>(())
//! ```

mod adapt;
mod error;
mod graph;
mod op;
mod param;
mod preset;
mod shape;
mod summary;
mod text;
mod weights;
mod window;

pub use error::{GraphError, ShapeError};
pub use graph::{Graph, NamedParam, Node, ValueId};
pub use op::activation::Activation;
pub use op::conv::Conv2d;
pub use op::linear::Linear;
pub use op::norm::BatchNorm2d;
pub use op::normalize::Normalize;
pub use op::pool::{AvgPool2d, MaxPool2d};
pub use op::{Dropout, Inferred, Op};
pub use param::{Init, Param};
pub use preset::Preset;
pub use shape::{Dim, Shape};
pub use summary::{Summary, thousands};
pub use weights::{Array, Weights, WeightsError};
pub use window::{Window, WindowError};
