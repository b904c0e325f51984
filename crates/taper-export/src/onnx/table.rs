//! The one table of operators: for each, its versions, its settings and how the types of its outputs follow.
//!
//! It is taken from the [operator reference](https://onnx.ai/onnx/operators/) for the operator sets that Taper
//! writes and reads, 12 to 22. What is not in it is refused, when a graph is built and when one is validated.

mod elementwise;
mod gather;
mod join;
mod linear;
mod normalise;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod window;

use super::fact::Fact;
use super::infer::Call;
use super::proto::AttributeType;
use super::tensor::DataType;

/// The oldest operator set.
pub(super) const OLDEST: i64 = 12;
/// The newest operator set.
pub(super) const NEWEST: i64 = 22;

/// Works out the types of the outputs; the text says what is wrong.
type Infer = fn(&Call<'_>) -> Result<Vec<Fact>, String>;

/// An operator of the standard operator sets 12 to 22 that Taper knows.
#[derive(Debug)]
pub struct Op {
    pub(super) name: &'static str,
    /// The operator sets, up to the newest, in which its definition changed; the first may be before the oldest.
    pub(super) versions: &'static [i64],
    /// The least and the greatest number of inputs.
    pub(super) inputs: (usize, usize),
    /// The greatest number of outputs.
    pub(super) outputs: usize,
    /// Whether the first input may be of a type in an operator set.
    pub(super) takes: fn(DataType, i64) -> bool,
    pub(super) attributes: &'static [Attribute],
    pub(super) infer: Infer,
}

/// A setting of an operator.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attribute {
    pub(super) name: &'static str,
    pub(super) kind: AttributeType,
    pub(super) required: bool,
    /// The operator sets that have it, first and last.
    pub(super) opsets: (i64, i64),
}

impl Op {
    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The operator sets, in order, in which it came or its definition changed; the first may be before 12, and is
    /// then the last change before that.
    pub fn versions(&self) -> &'static [i64] {
        self.versions
    }

    /// The names of its settings, in any operator set from 12 to 22.
    pub fn attributes(&self) -> impl Iterator<Item = &'static str> {
        self.attributes.iter().map(|attribute| attribute.name)
    }

    /// Whether its first input may be of type `data_type` in operator set `opset`.
    pub fn takes(&self, data_type: DataType, opset: i64) -> bool {
        (self.takes)(data_type, opset)
    }
}

impl Attribute {
    const fn new(name: &'static str, kind: AttributeType) -> Self {
        Self { name, kind, required: false, opsets: (OLDEST, NEWEST) }
    }

    const fn required(name: &'static str, kind: AttributeType) -> Self {
        Self { required: true, ..Self::new(name, kind) }
    }

    /// In operator sets from `first` to `last` only.
    const fn only(self, first: i64, last: i64) -> Self {
        Self { opsets: (first, last), ..self }
    }
}

impl Op {
    /// One input and one output of any type.
    const fn new(name: &'static str, versions: &'static [i64], infer: Infer) -> Self {
        Self { name, versions, inputs: (1, 1), outputs: 1, takes: any, attributes: &[], infer }
    }

    const fn inputs(self, least: usize, most: usize) -> Self {
        Self { inputs: (least, most), ..self }
    }

    const fn outputs(self, most: usize) -> Self {
        Self { outputs: most, ..self }
    }

    const fn taking(self, takes: fn(DataType, i64) -> bool) -> Self {
        Self { takes, ..self }
    }

    const fn with(self, attributes: &'static [Attribute]) -> Self {
        Self { attributes, ..self }
    }
}

/// No bound on the number of inputs or outputs.
const MANY: usize = usize::MAX;

/// Every operator that Taper knows, in families: what a graph may consist of.
///
/// ```
/// use taper_export::onnx::operators;
/// let gelu = operators().find(|op| op.name() == "Gelu").unwrap();
/// assert_eq!(gelu.versions(), [20]);
/// ```
pub fn operators() -> impl Iterator<Item = &'static Op> {
    let families = [
        elementwise::OPS,
        window::OPS,
        linear::OPS,
        normalise::OPS,
        reduce::OPS,
        reshape::OPS,
        join::OPS,
        gather::OPS,
        resize::OPS,
        recurrent::OPS,
    ];
    families.into_iter().flatten()
}

/// The operator called `name`.
pub(super) fn find(name: &str) -> Option<&'static Op> {
    operators().find(|op| op.name == name)
}

fn any(_: DataType, _: i64) -> bool {
    true
}

fn is_float(data_type: DataType, _: i64) -> bool {
    matches!(data_type, DataType::Float16 | DataType::Float32 | DataType::Float64)
}

fn is_whole(data_type: DataType) -> bool {
    use DataType::{Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64};
    matches!(data_type, Int8 | Int16 | Int32 | Int64 | UInt8 | UInt16 | UInt32 | UInt64)
}

fn is_number(data_type: DataType, opset: i64) -> bool {
    is_float(data_type, opset) || is_whole(data_type)
}

/// Arithmetic on 8 and 16 bits came with operator set 14.
fn is_arithmetic(data_type: DataType, opset: i64) -> bool {
    use DataType::{Int8, Int16, UInt8, UInt16};
    is_number(data_type, opset) && (opset >= 14 || !matches!(data_type, Int8 | Int16 | UInt8 | UInt16))
}

fn is_signed(data_type: DataType, opset: i64) -> bool {
    use DataType::{UInt8, UInt16, UInt32, UInt64};
    is_number(data_type, opset) && !matches!(data_type, UInt8 | UInt16 | UInt32 | UInt64)
}

/// Floating point, and whole numbers of 32 and 64 bits.
fn is_wide(data_type: DataType, opset: i64) -> bool {
    use DataType::{Int32, Int64, UInt32, UInt64};
    is_float(data_type, opset) || matches!(data_type, Int32 | Int64 | UInt32 | UInt64)
}

fn is_bool(data_type: DataType, _: i64) -> bool {
    data_type == DataType::Bool
}
