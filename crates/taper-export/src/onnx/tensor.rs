//! Element types, shapes and constant tensors.

use std::fmt;

use serde::Serialize;

use super::data::{bytes, check_data};
use super::error::BuildError;
use super::proto::{
    DimensionProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};

/// The element type of a tensor; the number is ONNX's own code (`TensorProto.DataType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
#[repr(i32)]
pub enum DataType {
    /// 32-bit floating point.
    Float32 = 1,
    /// Unsigned 8-bit whole number.
    UInt8 = 2,
    /// Signed 8-bit whole number.
    Int8 = 3,
    /// Unsigned 16-bit whole number.
    UInt16 = 4,
    /// Signed 16-bit whole number.
    Int16 = 5,
    /// Signed 32-bit whole number.
    Int32 = 6,
    /// Signed 64-bit whole number.
    Int64 = 7,
    /// Text.
    Text = 8,
    /// True or false.
    Bool = 9,
    /// 16-bit floating point.
    Float16 = 10,
    /// 64-bit floating point.
    Float64 = 11,
    /// Unsigned 32-bit whole number.
    UInt32 = 12,
    /// Unsigned 64-bit whole number.
    UInt64 = 13,
    /// bfloat16.
    BFloat16 = 16,
}

impl DataType {
    const ALL: [DataType; 14] = [
        DataType::Float32,
        DataType::UInt8,
        DataType::Int8,
        DataType::UInt16,
        DataType::Int16,
        DataType::Int32,
        DataType::Int64,
        DataType::Text,
        DataType::Bool,
        DataType::Float16,
        DataType::Float64,
        DataType::UInt32,
        DataType::UInt64,
        DataType::BFloat16,
    ];

    /// The type with ONNX's code `code`, if it is one of these.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }

    /// ONNX's code.
    pub fn code(self) -> i32 {
        self as i32
    }

    /// The bytes of one element; `None` for text.
    pub(super) fn bytes(self) -> Option<usize> {
        match self {
            DataType::UInt8 | DataType::Int8 | DataType::Bool => Some(1),
            DataType::UInt16 | DataType::Int16 | DataType::Float16 | DataType::BFloat16 => Some(2),
            DataType::Float32 | DataType::Int32 | DataType::UInt32 => Some(4),
            DataType::Float64 | DataType::Int64 | DataType::UInt64 => Some(8),
            DataType::Text => None,
        }
    }
}

impl fmt::Display for DataType {
    /// As NumPy calls it: `float32`, `int64`, ….
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DataType::Float32 => "float32",
            DataType::UInt8 => "uint8",
            DataType::Int8 => "int8",
            DataType::UInt16 => "uint16",
            DataType::Int16 => "int16",
            DataType::Int32 => "int32",
            DataType::Int64 => "int64",
            DataType::Text => "string",
            DataType::Bool => "bool",
            DataType::Float16 => "float16",
            DataType::Float64 => "float64",
            DataType::UInt32 => "uint32",
            DataType::UInt64 => "uint64",
            DataType::BFloat16 => "bfloat16",
        })
    }
}

/// One dimension of a declared shape.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(untagged)]
pub enum Dim {
    /// A size known when the file is written.
    Fixed(usize),
    /// A size known only when the graph runs, by its name.
    Symbolic(String),
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(size) => write!(f, "{size}"),
            Dim::Symbolic(name) => f.write_str(name),
        }
    }
}

/// The declared shape of a Taper graph's value: the batch becomes the symbolic dimension `N`.
pub(super) fn dims_of(shape: &taper_graph::Shape) -> Vec<Dim> {
    let dim = |dim: &taper_graph::Dim| match *dim {
        taper_graph::Dim::Batch => Dim::Symbolic("N".to_owned()),
        taper_graph::Dim::Fixed(size) => Dim::Fixed(size),
    };
    shape.dims().iter().map(dim).collect()
}

/// The declaration of a tensor value.
pub(super) fn value_info(name: &str, data_type: DataType, dims: &[Dim]) -> ValueInfoProto {
    let dim = |dim: &Dim| match dim {
        Dim::Fixed(size) => DimensionProto { dim_value: Some(*size as i64), dim_param: None },
        Dim::Symbolic(name) => DimensionProto { dim_value: None, dim_param: Some(name.clone()) },
    };
    let shape = TensorShapeProto { dim: dims.iter().map(dim).collect() };
    let tensor = TensorTypeProto { elem_type: data_type.code(), shape: Some(shape) };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(tensor) }),
        doc_string: String::new(),
    }
}

/// A constant tensor: element type, sizes and elements in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct Tensor {
    data_type: DataType,
    dims: Vec<usize>,
    elements: usize,
    raw: Vec<u8>,
}

impl Tensor {
    /// A tensor of f32 with sizes `dims`; a scalar has none.
    pub fn f32(dims: &[usize], data: &[f32]) -> Self {
        let raw = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { data_type: DataType::Float32, dims: dims.to_vec(), elements: data.len(), raw }
    }

    /// A list of whole numbers, as ONNX takes sizes, pads and indices.
    pub fn i64(data: &[i64]) -> Self {
        let raw = data.iter().flat_map(|x| x.to_le_bytes()).collect();
        Self { data_type: DataType::Int64, dims: vec![data.len()], elements: data.len(), raw }
    }

    /// A tensor of any type but text, with the bytes of its elements, little endian.
    pub fn raw(data_type: DataType, dims: &[usize], raw: Vec<u8>) -> Self {
        let elements = data_type.bytes().map_or(0, |bytes| raw.len() / bytes);
        Self { data_type, dims: dims.to_vec(), elements, raw }
    }

    /// The constant of a file.
    ///
    /// # Errors
    /// [`BuildError::Constant`] if its data is not what its type and sizes say, or lies in another file, or is text.
    pub fn from_proto(tensor: &TensorProto) -> Result<Self, BuildError> {
        let fail = |reason: String| {
            let (graph, name) = (String::new(), tensor.name.clone());
            BuildError::Constant { graph, name, reason }
        };
        let data_type = check_data(tensor).map_err(fail)?;
        let raw = bytes(tensor, data_type)
            .ok_or_else(|| fail("its data is not in the file, or text".to_owned()))?;
        let dims: Vec<usize> = tensor.dims.iter().filter_map(|&size| usize::try_from(size).ok()).collect();
        Ok(Self::raw(data_type, &dims, raw.into_owned()))
    }

    /// The sizes.
    pub fn dims(&self) -> &[usize] {
        &self.dims
    }

    /// The number of elements given, which should be the product of the sizes.
    pub fn elements(&self) -> usize {
        self.elements
    }

    /// Whether there are as many elements as the sizes say.
    pub(super) fn is_consistent(&self) -> bool {
        let product = self.dims.iter().try_fold(1usize, |product, &size| product.checked_mul(size));
        product == Some(self.elements)
            && self.data_type.bytes().map(|bytes| bytes * self.elements) == Some(self.raw.len())
    }

    pub(super) fn into_proto(self, name: &str) -> TensorProto {
        TensorProto {
            dims: self.dims.iter().map(|&size| size as i64).collect(),
            data_type: self.data_type.code(),
            name: name.to_owned(),
            raw_data: self.raw,
            ..TensorProto::default()
        }
    }
}
