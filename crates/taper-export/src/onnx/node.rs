//! One node, before it is added to a graph.

use super::builder::Value;
use super::proto::{AttributeProto, AttributeType, NodeProto};
use super::tensor::Tensor;

/// A standard operator applied to values, with its settings.
///
/// ```
/// use taper_export::onnx::{Dim, GraphBuilder, DataType, Node, OpsetVersion};
/// let mut graph = GraphBuilder::new("pooling", OpsetVersion::default());
/// let dims = [Dim::Symbolic("N".to_owned()), Dim::Fixed(8), Dim::Fixed(4), Dim::Fixed(4)];
/// let x = graph.input("x", DataType::Float32, &dims)?;
/// let pool = Node::new("MaxPool", "pool").input(&x).ints("kernel_shape", [2, 2]).ints("strides", [2, 2]);
/// let y = graph.node(pool)?;
/// assert_eq!(y.name(), "pool");
/// assert_eq!(y.dims()[2..], [Dim::Fixed(2), Dim::Fixed(2)]);
/// # Ok::<(), taper_export::onnx::BuildError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    pub(super) proto: NodeProto,
}

impl Node {
    /// The operator `op_type` of the standard operator set, in a node called `name`.
    pub fn new(op_type: &str, name: impl Into<String>) -> Self {
        Self { proto: NodeProto { op_type: op_type.to_owned(), name: name.into(), ..NodeProto::default() } }
    }

    /// Reads `value` as its next input.
    pub fn input(mut self, value: &Value) -> Self {
        self.proto.input.push(value.name().to_owned());
        self
    }

    /// Leaves its next input out.
    pub fn skip(mut self) -> Self {
        self.proto.input.push(String::new());
        self
    }

    /// Reads `values` as its next inputs.
    pub fn inputs<'a>(self, values: impl IntoIterator<Item = &'a Value>) -> Self {
        values.into_iter().fold(self, Self::input)
    }

    /// With a whole number as the setting `name`.
    pub fn int(self, name: &str, value: i64) -> Self {
        self.attribute(name, AttributeType::Int, |attribute| attribute.i = Some(value))
    }

    /// With a number as the setting `name`.
    pub fn float(self, name: &str, value: f32) -> Self {
        self.attribute(name, AttributeType::Float, |attribute| attribute.f = Some(value))
    }

    /// With sizes or places as the setting `name`.
    pub fn ints(self, name: &str, values: impl IntoIterator<Item = usize>) -> Self {
        self.signed_ints(name, values.into_iter().map(|value| i64::try_from(value).unwrap_or(i64::MAX)))
    }

    /// With whole numbers that may be negative, such as axes counted from the end, as the setting `name`.
    pub fn signed_ints(self, name: &str, values: impl IntoIterator<Item = i64>) -> Self {
        let values = values.into_iter().collect();
        self.attribute(name, AttributeType::Ints, |attribute| attribute.ints = values)
    }

    /// With numbers as the setting `name`.
    pub fn floats(self, name: &str, values: impl IntoIterator<Item = f32>) -> Self {
        let values = values.into_iter().collect();
        self.attribute(name, AttributeType::Floats, |attribute| attribute.floats = values)
    }

    /// With a text as the setting `name`.
    pub fn text(self, name: &str, value: &str) -> Self {
        self.attribute(name, AttributeType::String, |attribute| attribute.s = Some(value.as_bytes().to_vec()))
    }

    /// With texts as the setting `name`.
    pub fn texts<'a>(self, name: &str, values: impl IntoIterator<Item = &'a str>) -> Self {
        let values = values.into_iter().map(|value| value.as_bytes().to_vec()).collect();
        self.attribute(name, AttributeType::Strings, |attribute| attribute.strings = values)
    }

    /// With a tensor as the setting `name`.
    pub fn tensor(self, name: &str, value: Tensor) -> Self {
        self.attribute(name, AttributeType::Tensor, |attribute| attribute.t = Some(value.into_proto("")))
    }

    fn attribute(mut self, name: &str, kind: AttributeType, set: impl FnOnce(&mut AttributeProto)) -> Self {
        let mut attribute =
            AttributeProto { name: name.to_owned(), r#type: kind.into(), ..AttributeProto::default() };
        set(&mut attribute);
        self.proto.attribute.push(attribute);
        self
    }
}
