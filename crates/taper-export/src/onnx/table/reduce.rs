//! Many elements to one.

use super::super::fact::{Fact, shape};
use super::super::infer::{Axes, Call};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, Op, is_bool, is_byte, is_int64, numbers, wide};

const AXES: Attribute = Attribute::new("axes", AttributeType::Ints);
const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);
const KEEPDIMS: Attribute = Attribute::new("keepdims", AttributeType::Int);
const NOOP: Attribute = Attribute::new("noop_with_empty_axes", AttributeType::Int);
const LAST: Attribute = Attribute::new("select_last_index", AttributeType::Int);

/// `axes` became an input with operator set 18 …
const ATTRIBUTES: &[Attribute] = &[AXES.only(12, 17), KEEPDIMS, NOOP.only(18, 22)];

pub(super) const OPS: &[Op] = &[
    Op::new("ArgMax", &[12, 13], arg).taking(numbers::<13>).with(&[AXIS, KEEPDIMS, LAST]),
    Op::new("ArgMin", &[12, 13], arg).taking(numbers::<13>).with(&[AXIS, KEEPDIMS, LAST]),
    reduction("ReduceL1", &[11, 13, 18]),
    reduction("ReduceL2", &[11, 13, 18]),
    reduction("ReduceLogSum", &[11, 13, 18]),
    reduction("ReduceLogSumExp", &[11, 13, 18]),
    reduction("ReduceMax", &[12, 13, 18, 20]).taking(is_ordered),
    reduction("ReduceMean", &[11, 13, 18]),
    reduction("ReduceMin", &[12, 13, 18, 20]).taking(is_ordered),
    reduction("ReduceProd", &[11, 13, 18]),
    // … of this one with 13.
    reduction("ReduceSum", &[11, 13]).with(&[AXES.only(12, 12), KEEPDIMS, NOOP.only(13, 22)]),
    reduction("ReduceSumSquare", &[11, 13, 18]),
];

const fn reduction(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, reduce).inputs(1, 2).taking(wide::<13>).with(ATTRIBUTES)
}

/// What has a greatest and a smallest element.
fn is_ordered(kind: DataType, set: i64) -> bool {
    wide::<13>(kind, set) || is_byte(kind, set) || (set >= 20 && is_bool(kind, set))
}

fn reduce(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let x = call.input(0)?;
    let keeps = call.int("keepdims").unwrap_or(1) != 0;
    let axes = match call.axes(1, if call.op.name == "ReduceSum" { 13 } else { 18 })? {
        None => Vec::new(),
        Some(Axes::Listed(axes)) => axes,
        Some(Axes::Counted(count)) => {
            let left = x.rank().checked_sub(count).ok_or_else(|| {
                format!("it reduces {count} axes of {}; give as many as there are", shape(&x.sizes))
            })?;
            let sizes = (0..if keeps { x.rank() } else { left }).map(|place| call.unknown(place)).collect();
            return Ok(vec![Fact::new(x.data_type, sizes)]);
        }
    };
    if axes.is_empty() && call.int("noop_with_empty_axes") == Some(1) {
        return Ok(vec![x.plain()]);
    }
    let mut reduced = vec![axes.is_empty(); x.rank()];
    for place in call.places(&axes, x.rank())? {
        reduced[place] = true;
    }
    Ok(vec![Fact::new(x.data_type, without(&x.sizes, &reduced, keeps))])
}

fn arg(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let axis = call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    let reduced: Vec<bool> = (0..x.rank()).map(|place| place == axis).collect();
    let sizes = without(&x.sizes, &reduced, call.int("keepdims").unwrap_or(1) != 0);
    Ok(vec![Fact::new(DataType::Int64, sizes)])
}

/// The sizes with those reduced set to 1, or left out.
fn without(sizes: &[Size], reduced: &[bool], keep: bool) -> Vec<Size> {
    let size = |(size, &reduced): (&Size, &bool)| match (reduced, keep) {
        (false, _) => Some(size.clone()),
        (true, true) => Some(Size::from(1)),
        (true, false) => None,
    };
    sizes.iter().zip(reduced).filter_map(size).collect()
}
