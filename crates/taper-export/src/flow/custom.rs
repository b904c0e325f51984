//! Functions that the recorder does not know, with nodes of the user's own.

use std::fmt;
use std::rc::Rc;

use candle_core::{Result, Tensor};

use super::Flow;
use super::call::{Call, Kind};
use crate::onnx::{BuildError, GraphBuilder, Value};

/// The nodes of a function, given its inputs.
type Write = dyn Fn(&mut GraphBuilder, &[Value]) -> std::result::Result<Value, BuildError>;

/// What writes the nodes of a function.
#[derive(Clone)]
pub(super) struct Nodes(Rc<Write>);

impl Nodes {
    pub(super) fn write(
        &self,
        graph: &mut GraphBuilder,
        inputs: &[Value],
    ) -> std::result::Result<Value, BuildError> {
        (self.0)(graph, inputs)
    }
}

impl PartialEq for Nodes {
    /// Functions cannot be compared; those of one name at one line are one.
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl fmt::Debug for Nodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Nodes")
    }
}

/// A function that candle computes, and that the file has as the nodes you write: for a layer that hides what it
/// does, or a kernel of your own.
///
/// What `compute` makes of the inputs `nodes` must make too, for inputs of every size; type and shape are checked when
/// the graph is built, the numbers when the file is verified.
///
/// # Errors
/// Those of `compute`.
///
/// ```
/// use candle_core::{DType, Device, Result, Tensor};
/// use taper_export::flow::{Export, Flow, Layer, custom};
/// use taper_export::onnx::Node;
///
/// struct Cosh;
/// impl Layer for Cosh {
///     fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
///         let compute = |x: &[&Tensor]| (x[0].exp()? + x[0].neg()?.exp()?)? / 2.0;
///         custom("cosh", &[xs], compute, |graph, x| graph.node(Node::new("Cosh", "cosh").input(&x[0])))
///     }
/// }
///
/// let sample = Tensor::zeros((4, 3), DType::F32, &Device::Cpu)?;
/// let file = Export::new("net").input("x", &sample, &[(0, "N")]).record(&Cosh)?;
/// assert_eq!(file.proto().graph.as_ref().unwrap().node[0].op_type, "Cosh");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[track_caller]
pub fn custom<F: Flow>(
    name: &'static str,
    inputs: &[&F],
    compute: impl FnOnce(&[&Tensor]) -> Result<Tensor>,
    nodes: impl Fn(&mut GraphBuilder, &[Value]) -> std::result::Result<Value, BuildError> + 'static,
) -> Result<F> {
    F::call(Call::new(name, Kind::Custom(Nodes(Rc::new(nodes)))), inputs, compute)
}
