//! Many elements to one.

use super::super::fact::Fact;
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, Op, is_number, is_wide};

const AXES: Attribute = Attribute::new("axes", AttributeType::Ints);
const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);
const KEEPDIMS: Attribute = Attribute::new("keepdims", AttributeType::Int);
const NOOP: Attribute = Attribute::new("noop_with_empty_axes", AttributeType::Int);
const LAST: Attribute = Attribute::new("select_last_index", AttributeType::Int);

/// `axes` became an input with operator set 18 …
const ATTRIBUTES: &[Attribute] = &[AXES.only(12, 17), KEEPDIMS, NOOP.only(18, 22)];

pub(super) const OPS: &[Op] = &[
    Op::new("ArgMax", &[12, 13], arg).taking(is_number).with(&[AXIS, KEEPDIMS, LAST]),
    Op::new("ArgMin", &[12, 13], arg).taking(is_number).with(&[AXIS, KEEPDIMS, LAST]),
    reduction("ReduceLogSumExp", &[11, 13, 18]),
    reduction("ReduceMax", &[12, 13, 18, 20]).taking(is_number),
    reduction("ReduceMean", &[11, 13, 18]),
    reduction("ReduceMin", &[12, 13, 18, 20]).taking(is_number),
    reduction("ReduceProd", &[11, 13, 18]),
    // … of this one with 13.
    reduction("ReduceSum", &[11, 13]).with(&[AXES.only(12, 12), KEEPDIMS, NOOP.only(13, 22)]),
];

const fn reduction(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, reduce).inputs(1, 2).taking(is_wide).with(ATTRIBUTES)
}

fn reduce(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let first = if call.op.name == "ReduceSum" { 13 } else { 18 };
    if call.opset < first && call.inputs.len() > 1 {
        return Err(format!(
            "it reads its axes as an input, which came with operator set {first}; write `axes`"
        ));
    }
    let axes = match call.optional(1) {
        Some(_) => call.numbers(1).ok_or("its axes are not constant; give a constant")?,
        None => call.ints("axes").unwrap_or_default().to_vec(),
    };
    if axes.is_empty() && call.int("noop_with_empty_axes") == Some(1) {
        return Ok(vec![Fact::new(x.data_type, x.sizes.clone())]);
    }
    let mut reduced = vec![axes.is_empty(); x.rank()];
    for axis in axes {
        let axis = call.axis(axis, x.rank())?;
        if std::mem::replace(&mut reduced[axis], true) {
            return Err(format!("its axis {axis} is listed twice; list it once"));
        }
    }
    Ok(vec![Fact::new(x.data_type, without(&x.sizes, &reduced, call.int("keepdims").unwrap_or(1) != 0))])
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
