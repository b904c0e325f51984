//! What is known of a value before the graph runs.

use std::fmt;

use super::data::bytes;
use super::proto::{TensorProto, ValueInfoProto};
use super::size::{Size, product};
use super::tensor::{DataType, Dim};

/// Values with more elements are data: no shape is computed from them.
pub(super) const MOST_KNOWN: usize = 64;

/// What is known of a value before the graph runs: its type, and its elements if shapes may depend on them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Fact {
    pub(crate) data_type: DataType,
    pub(crate) sizes: Vec<Size>,
    /// The elements, if they are whole numbers that follow from constants and shapes.
    pub(crate) known: Option<Vec<Size>>,
    /// The elements, if they are the few f32 of a constant.
    pub(crate) floats: Option<Vec<f32>>,
}

impl Fact {
    pub(crate) fn new(data_type: DataType, sizes: Vec<Size>) -> Self {
        Self { data_type, sizes, known: None, floats: None }
    }

    /// Whole numbers in a list.
    pub(crate) fn list(known: Vec<Size>) -> Self {
        Self::new(DataType::Int64, vec![Size::from(known.len())]).with_known(Some(known))
    }

    /// With elements that are known, unless they are so many that no shape will be computed from them.
    pub(crate) fn with_known(self, known: Option<Vec<Size>>) -> Self {
        Self { known: known.filter(|known| known.len() <= MOST_KNOWN), ..self }
    }

    /// The type alone, without elements.
    pub(super) fn plain(&self) -> Self {
        Self::new(self.data_type, self.sizes.clone())
    }

    pub(crate) fn rank(&self) -> usize {
        self.sizes.len()
    }

    pub(crate) fn elements(&self) -> Size {
        product(&self.sizes)
    }

    /// What is known of a constant; its data must have been checked.
    pub(super) fn of_constant(tensor: &TensorProto, data_type: DataType) -> Self {
        let sizes: Vec<Size> = tensor.dims.iter().map(|&size| Size::from(size)).collect();
        let mut fact = Self::new(data_type, sizes);
        if fact.rank() > 1 || fact.elements().fixed().is_none_or(|count| count > MOST_KNOWN as i64) {
            return fact;
        }
        let Some(bytes) = bytes(tensor, data_type) else { return fact };
        match data_type {
            DataType::Int64 => {
                let numbers = bytes.as_chunks().0.iter().map(|raw| i64::from_le_bytes(*raw));
                fact.known = Some(numbers.map(Size::from).collect());
            }
            DataType::Int32 => {
                let numbers = bytes.as_chunks().0.iter().map(|raw| i32::from_le_bytes(*raw));
                fact.known = Some(numbers.map(Size::from).collect());
            }
            DataType::Float32 => {
                let numbers = bytes.as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw));
                fact.floats = Some(numbers.collect());
            }
            _ => {}
        }
        fact
    }

    /// What a file declares of an input or output; `None` if it is no tensor, or one of unknown shape. Sizes
    /// without a name get one of their own.
    pub(super) fn of_declaration(value: &ValueInfoProto) -> Option<Self> {
        let tensor = value.r#type.as_ref()?.tensor_type.as_ref()?;
        let data_type = DataType::from_code(tensor.elem_type)?;
        let size =
            |(place, dim): (usize, &super::proto::DimensionProto)| match (dim.dim_value, &dim.dim_param) {
                (Some(size), _) => Size::from(size),
                (None, Some(name)) => Size::named(name),
                (None, None) => Size::named(format!("{}.{place}", value.name)),
            };
        let sizes = tensor.shape.as_ref()?.dim.iter().enumerate().map(size).collect();
        Some(Self::new(data_type, sizes))
    }
}

impl fmt::Display for Fact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.data_type, shape(&self.sizes))
    }
}

/// `[N, 3, 32, 32]`.
pub(crate) fn shape(sizes: &[Size]) -> String {
    let sizes: Vec<String> = sizes.iter().map(Size::to_string).collect();
    format!("[{}]", sizes.join(", "))
}

/// The sizes as a file declares them.
pub(crate) fn dims(sizes: &[Size]) -> Vec<Dim> {
    sizes.iter().map(Size::to_dim).collect()
}
