//! The one table of operators: for each, its versions, its settings and how the types of its outputs follow.
//!
//! It is taken from the [operator reference](https://onnx.ai/onnx/operators/) for the operator sets that Taper
//! writes and reads, 12 to 22. What is not in it is refused, when a graph is built and when one is validated.

mod conv;
mod elementwise;
mod gather;
mod images;
mod join;
mod linear;
mod normalise;
mod pool;
mod quantise;
mod recurrent;
mod reduce;
mod reshape;
mod resize;
mod scatter;
mod slice;
mod types;
mod values;
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
    /// The texts that it may be; none if any.
    pub(super) values: &'static [&'static str],
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

    /// The names and types of its settings in operator set `opset`, and whether each must be set.
    pub fn attributes_in(&self, opset: i64) -> impl Iterator<Item = (&'static str, AttributeType, bool)> {
        let in_force = move |known: &&Attribute| (known.opsets.0..=known.opsets.1).contains(&opset);
        self.attributes.iter().filter(in_force).map(|known| (known.name, known.kind, known.required))
    }

    /// The least and the greatest number of inputs, in any operator set from 12 to 22; `usize::MAX` is no bound.
    pub fn inputs_range(&self) -> (usize, usize) {
        self.inputs
    }

    /// Whether its first input may be of type `data_type` in operator set `opset`.
    pub fn takes(&self, data_type: DataType, opset: i64) -> bool {
        (self.takes)(data_type, opset)
    }
}

impl Attribute {
    const fn new(name: &'static str, kind: AttributeType) -> Self {
        Self { name, kind, required: false, opsets: (OLDEST, NEWEST), values: &[] }
    }

    const fn required(name: &'static str, kind: AttributeType) -> Self {
        Self { required: true, ..Self::new(name, kind) }
    }

    /// One of these texts.
    const fn choice(name: &'static str, values: &'static [&'static str]) -> Self {
        Self { values, ..Self::new(name, AttributeType::String) }
    }

    /// In operator sets from `first` to `last` only.
    const fn only(self, first: i64, last: i64) -> Self {
        Self { opsets: (first, last), ..self }
    }
}

impl Op {
    /// One input and one output of any type.
    const fn new(name: &'static str, versions: &'static [i64], infer: Infer) -> Self {
        Self { name, versions, inputs: (1, 1), outputs: 1, takes: any::<13>, attributes: &[], infer }
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
        types::OPS,
        conv::OPS,
        pool::OPS,
        linear::OPS,
        normalise::OPS,
        reduce::OPS,
        reshape::OPS,
        join::OPS,
        values::OPS,
        gather::OPS,
        scatter::OPS,
        slice::OPS,
        resize::OPS,
        images::OPS,
        recurrent::OPS,
        quantise::OPS,
    ];
    families.into_iter().flatten()
}

/// The operator called `name`.
pub(super) fn find(name: &str) -> Option<&'static Op> {
    operators().find(|op| op.name == name)
}

/// Not in any operator set up to the newest.
const NEVER: i64 = i64::MAX;

/// Any type; bfloat16, which came later, since operator set `SINCE`.
fn any<const SINCE: i64>(data_type: DataType, opset: i64) -> bool {
    data_type != DataType::BFloat16 || opset >= SINCE
}

/// Floating point; bfloat16 since operator set `SINCE`.
fn floats<const SINCE: i64>(data_type: DataType, opset: i64) -> bool {
    use DataType::{BFloat16, Float16, Float32, Float64};
    matches!(data_type, Float16 | Float32 | Float64) || (data_type == BFloat16 && opset >= SINCE)
}

fn is_unsigned(data_type: DataType, _: i64) -> bool {
    matches!(data_type, DataType::UInt8 | DataType::UInt16 | DataType::UInt32 | DataType::UInt64)
}

fn is_whole(data_type: DataType, opset: i64) -> bool {
    use DataType::{Int8, Int16, Int32, Int64};
    is_unsigned(data_type, opset) || matches!(data_type, Int8 | Int16 | Int32 | Int64)
}

/// All numbers; bfloat16 since operator set `SINCE`.
fn numbers<const SINCE: i64>(data_type: DataType, opset: i64) -> bool {
    floats::<SINCE>(data_type, opset) || is_whole(data_type, opset)
}

/// All numbers that can be negative.
fn is_signed(data_type: DataType, opset: i64) -> bool {
    numbers::<13>(data_type, opset) && !is_unsigned(data_type, opset)
}

/// Floating point, and whole numbers of 32 and 64 bits; bfloat16 since operator set `SINCE`.
fn wide<const SINCE: i64>(data_type: DataType, opset: i64) -> bool {
    use DataType::{Int32, Int64, UInt32, UInt64};
    floats::<SINCE>(data_type, opset) || matches!(data_type, Int32 | Int64 | UInt32 | UInt64)
}

/// Arithmetic on 8 and 16 bits came with operator set 14.
fn is_arithmetic(data_type: DataType, opset: i64) -> bool {
    if opset < 14 { wide::<13>(data_type, opset) } else { numbers::<13>(data_type, opset) }
}

fn is_bool(data_type: DataType, _: i64) -> bool {
    data_type == DataType::Bool
}

fn is_byte(data_type: DataType, _: i64) -> bool {
    matches!(data_type, DataType::Int8 | DataType::UInt8)
}

/// As axes, places and counts are given.
fn is_index(data_type: DataType, _: i64) -> bool {
    matches!(data_type, DataType::Int32 | DataType::Int64)
}

fn is_int64(data_type: DataType, _: i64) -> bool {
    data_type == DataType::Int64
}
