//! The messages of an ONNX file, kept by hand: the fields that Taper writes or inspects.
//!
//! Field numbers and meanings are those of the official
//! [`onnx.proto`](https://github.com/onnx/onnx/blob/main/onnx/onnx.proto); a test reads what these types write with
//! the complete official ones and loses nothing. Fields that are not listed here are skipped when a file is read. No
//! `protoc` takes part: the derive macro of [`prost`] does it all.
//!
//! ONNX's own programs speak proto2, and so do these types, for readers that know nothing else: the value of an
//! [`AttributeProto`] has presence (an explicit 0 is written and not left out), and lists that are not declared
//! `packed` are written element by element (rten 0.27 reads no others).

use prost::{Enumeration, Message};

/// A whole file: a graph, and what is known about it.
#[derive(Clone, PartialEq, Message)]
pub struct ModelProto {
    /// The version of the file format.
    #[prost(int64, tag = "1")]
    pub ir_version: i64,
    /// The program that wrote the file.
    #[prost(string, tag = "2")]
    pub producer_name: String,
    /// The version of that program.
    #[prost(string, tag = "3")]
    pub producer_version: String,
    /// A reverse-DNS name space for the model; Taper leaves it empty.
    #[prost(string, tag = "4")]
    pub domain: String,
    /// The version of the model itself; Taper leaves it 0.
    #[prost(int64, tag = "5")]
    pub model_version: i64,
    /// Text for a human reader.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The graph.
    #[prost(message, optional, tag = "7")]
    pub graph: Option<GraphProto>,
    /// The operator sets that the nodes come from.
    #[prost(message, repeated, tag = "8")]
    pub opset_import: Vec<OperatorSetIdProto>,
    /// Named texts about the model.
    #[prost(message, repeated, tag = "14")]
    pub metadata_props: Vec<StringStringEntryProto>,
}

/// An operator set; the standard one has the empty domain.
#[derive(Clone, PartialEq, Message)]
pub struct OperatorSetIdProto {
    /// The name space of the operators.
    #[prost(string, tag = "1")]
    pub domain: String,
    /// The version of the set.
    #[prost(int64, tag = "2")]
    pub version: i64,
}

/// A named text.
#[derive(Clone, PartialEq, Message)]
pub struct StringStringEntryProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub key: String,
    /// The text.
    #[prost(string, tag = "2")]
    pub value: String,
}

/// Nodes in an order in which they can run, and the values that come with the file.
#[derive(Clone, PartialEq, Message)]
pub struct GraphProto {
    /// The nodes.
    #[prost(message, repeated, tag = "1")]
    pub node: Vec<NodeProto>,
    /// The graph's name.
    #[prost(string, tag = "2")]
    pub name: String,
    /// Constant values: the weights.
    #[prost(message, repeated, tag = "5")]
    pub initializer: Vec<TensorProto>,
    /// Text for a human reader.
    #[prost(string, tag = "10")]
    pub doc_string: String,
    /// What is given when the graph runs.
    #[prost(message, repeated, tag = "11")]
    pub input: Vec<ValueInfoProto>,
    /// What the graph returns.
    #[prost(message, repeated, tag = "12")]
    pub output: Vec<ValueInfoProto>,
    /// Types of values in between.
    #[prost(message, repeated, tag = "13")]
    pub value_info: Vec<ValueInfoProto>,
}

/// One operator, applied to named values.
#[derive(Clone, PartialEq, Message)]
pub struct NodeProto {
    /// The names of the values it reads.
    #[prost(string, repeated, tag = "1")]
    pub input: Vec<String>,
    /// The names of the values it makes.
    #[prost(string, repeated, tag = "2")]
    pub output: Vec<String>,
    /// Its own name.
    #[prost(string, tag = "3")]
    pub name: String,
    /// The operator.
    #[prost(string, tag = "4")]
    pub op_type: String,
    /// Its settings.
    #[prost(message, repeated, tag = "5")]
    pub attribute: Vec<AttributeProto>,
    /// Text for a human reader.
    #[prost(string, tag = "6")]
    pub doc_string: String,
    /// The operator's name space; empty for the standard operators.
    #[prost(string, tag = "7")]
    pub domain: String,
}

/// A setting of a node: a name, and one value of the type that `type` says.
#[derive(Clone, PartialEq, Message)]
pub struct AttributeProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The value, if it is one f32.
    #[prost(float, optional, tag = "2")]
    pub f: Option<f32>,
    /// The value, if it is one whole number.
    #[prost(int64, optional, tag = "3")]
    pub i: Option<i64>,
    /// The value, if it is one text.
    #[prost(bytes = "vec", optional, tag = "4")]
    pub s: Option<Vec<u8>>,
    /// The value, if it is one tensor.
    #[prost(message, optional, tag = "5")]
    pub t: Option<TensorProto>,
    /// The value, if it is a graph, as in `If` and `Loop`.
    #[prost(message, optional, tag = "6")]
    pub g: Option<GraphProto>,
    /// The value, if it is several f32.
    #[prost(float, repeated, packed = "false", tag = "7")]
    pub floats: Vec<f32>,
    /// The value, if it is several whole numbers.
    #[prost(int64, repeated, packed = "false", tag = "8")]
    pub ints: Vec<i64>,
    /// The value, if it is several texts.
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub strings: Vec<Vec<u8>>,
    /// Which of the fields holds the value.
    #[prost(enumeration = "AttributeType", tag = "20")]
    pub r#type: i32,
}

/// Which field of an [`AttributeProto`] holds its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Enumeration)]
#[repr(i32)]
pub enum AttributeType {
    /// Not said.
    Undefined = 0,
    /// `f`.
    Float = 1,
    /// `i`.
    Int = 2,
    /// `s`.
    String = 3,
    /// `t`.
    Tensor = 4,
    /// `g`.
    Graph = 5,
    /// `floats`.
    Floats = 6,
    /// `ints`.
    Ints = 7,
    /// `strings`.
    Strings = 8,
}

/// A constant tensor in row-major order.
#[derive(Clone, PartialEq, Message)]
pub struct TensorProto {
    /// The sizes.
    #[prost(int64, repeated, packed = "false", tag = "1")]
    pub dims: Vec<i64>,
    /// The element type, a code of [`DataType`](super::DataType).
    #[prost(int32, tag = "2")]
    pub data_type: i32,
    /// The elements, if they are f32 and not in `raw_data`.
    #[prost(float, repeated, tag = "4")]
    pub float_data: Vec<f32>,
    /// The elements, if they are smaller whole numbers, f16 or booleans and not in `raw_data`.
    #[prost(int32, repeated, tag = "5")]
    pub int32_data: Vec<i32>,
    /// The elements, if they are texts.
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub string_data: Vec<Vec<u8>>,
    /// The elements, if they are signed 64-bit whole numbers and not in `raw_data`.
    #[prost(int64, repeated, tag = "7")]
    pub int64_data: Vec<i64>,
    /// The name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// The elements, little endian.
    #[prost(bytes = "vec", tag = "9")]
    pub raw_data: Vec<u8>,
    /// The elements, if they are f64 and not in `raw_data`.
    #[prost(double, repeated, tag = "10")]
    pub double_data: Vec<f64>,
    /// The elements, if they are unsigned whole numbers of 32 or 64 bits and not in `raw_data`.
    #[prost(uint64, repeated, tag = "11")]
    pub uint64_data: Vec<u64>,
    /// Where the elements are, if they lie in another file.
    #[prost(message, repeated, tag = "13")]
    pub external_data: Vec<StringStringEntryProto>,
}

/// A value's name and type.
#[derive(Clone, PartialEq, Message)]
pub struct ValueInfoProto {
    /// The name.
    #[prost(string, tag = "1")]
    pub name: String,
    /// The type.
    #[prost(message, optional, tag = "2")]
    pub r#type: Option<TypeProto>,
    /// Text for a human reader.
    #[prost(string, tag = "3")]
    pub doc_string: String,
}

/// A value's type. Sequences, maps and optionals are not listed and read as neither.
#[derive(Clone, PartialEq, Message)]
pub struct TypeProto {
    /// The type, if it is a tensor.
    #[prost(message, optional, tag = "1")]
    pub tensor_type: Option<TensorTypeProto>,
}

/// `TypeProto.Tensor`: element type and shape.
#[derive(Clone, PartialEq, Message)]
pub struct TensorTypeProto {
    /// A code of [`DataType`](super::DataType).
    #[prost(int32, tag = "1")]
    pub elem_type: i32,
    /// The shape, if it is known.
    #[prost(message, optional, tag = "2")]
    pub shape: Option<TensorShapeProto>,
}

/// A shape whose sizes may be known by name only.
#[derive(Clone, PartialEq, Message)]
pub struct TensorShapeProto {
    /// The dimensions.
    #[prost(message, repeated, tag = "1")]
    pub dim: Vec<DimensionProto>,
}

/// `TensorShapeProto.Dimension`: a size, a name, or neither.
#[derive(Clone, PartialEq, Message)]
pub struct DimensionProto {
    /// The size.
    #[prost(int64, optional, tag = "1")]
    pub dim_value: Option<i64>,
    /// The name of a size that is known only when the graph runs.
    #[prost(string, optional, tag = "2")]
    pub dim_param: Option<String>,
}
