//! Elements by their places along several axes, or put into their places; places by what is there.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::gather::{check_places, check_within};
use super::{Attribute, NEVER, Op, any, is_bool, is_index, is_int64, numbers};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);
const REDUCTION: Attribute =
    Attribute::choice("reduction", &["none", "add", "mul", "min", "max"]).only(16, 22);

pub(super) const OPS: &[Op] = &[
    Op::new("Compress", &[11], compress).inputs(2, 2).taking(any::<NEVER>).with(&[AXIS]),
    Op::new("GatherND", &[12, 13], gather_nd)
        .inputs(2, 2)
        .with(&[Attribute::new("batch_dims", AttributeType::Int)]),
    Op::new("NonZero", &[9, 13], non_zero),
    Op::new("OneHot", &[11], one_hot).inputs(3, 3).taking(numbers::<NEVER>).with(&[AXIS]),
    Op::new("ScatterElements", &[11, 13, 16, 18], scatter_elements).inputs(3, 3).with(&[AXIS, REDUCTION]),
    Op::new("ScatterND", &[11, 13, 16, 18], scatter_nd).inputs(3, 3).with(&[REDUCTION]),
    Op::new("TopK", &[11], top_k).inputs(2, 2).outputs(2).taking(numbers::<NEVER>).with(&[
        AXIS,
        Attribute::new("largest", AttributeType::Int),
        Attribute::new("sorted", AttributeType::Int),
    ]),
];

fn compress(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_bool)?;
    call.ranked(1, 1)?;
    let x = call.input(0)?;
    let Some(axis) = call.int("axis") else {
        return Ok(vec![Fact::new(x.data_type, vec![call.unknown(0)])]);
    };
    let axis = call.axis(axis, x.rank())?;
    let mut sizes = x.sizes.clone();
    sizes[axis] = call.unknown(axis);
    Ok(vec![Fact::new(x.data_type, sizes)])
}

/// The number of leading axes that a row of `indices` goes through, its last size.
fn depth(call: &Call<'_>) -> Result<usize, String> {
    let indices = call.input(1)?;
    let last = indices.sizes.last().ok_or("its indices are a single number; give rows of them")?;
    let depth = last.fixed().and_then(|depth| usize::try_from(depth).ok());
    depth.ok_or_else(|| format!("its indices are {}; fix the last size", shape(&indices.sizes)))
}

/// `indices[..., k]` take what is there behind `k` axes.
fn gather_nd(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let (x, indices, depth) = (call.input(0)?, call.input(1)?, depth(call)?);
    let batch = usize::try_from(call.int("batch_dims").unwrap_or(0)).unwrap_or(usize::MAX);
    let fits = batch < x.rank().min(indices.rank())
        && depth >= 1
        && depth <= x.rank() - batch
        && !(0..batch).any(|place| x.sizes[place].differs(&indices.sizes[place]));
    if !fits {
        let (places, sizes) = (shape(&indices.sizes), shape(&x.sizes));
        return Err(format!("its indices {places} do not fit {sizes} behind {batch} batch dimensions"));
    }
    let rows = &indices.sizes[..indices.rank() - 1];
    Ok(vec![Fact::new(x.data_type, [rows, &x.sizes[batch + depth..]].concat())])
}

/// `[rank, count]`, where nobody knows the count.
fn non_zero(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let rank = call.input(0)?.rank();
    Ok(vec![Fact::new(DataType::Int64, vec![Size::from(rank), call.unknown(1)])])
}

fn one_hot(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, numbers::<NEVER>)?;
    let (indices, depth, values) = (call.input(0)?, call.input(1)?, call.ranked(2, 1)?);
    if values.sizes[0].differs(&Size::from(2)) {
        return Err(format!("it has {} values; give two, for off and on", values.sizes[0]));
    }
    let axis = call.axis(call.int("axis").unwrap_or(-1), indices.rank() + 1)?;
    let depth = depth.known.as_ref().and_then(|known| known.first().cloned());
    let mut sizes = indices.sizes.clone();
    sizes.insert(axis, depth.unwrap_or_else(|| call.unknown(axis)));
    Ok(vec![Fact::new(values.data_type, sizes)])
}

fn check_reduction(call: &Call<'_>) -> Result<(), String> {
    match call.text("reduction") {
        Some(new @ ("min" | "max")) if call.opset < 18 => Err(format!(
            "its attribute `reduction` is `{new}`, which came with operator set 18; use 18 or newer"
        )),
        _ => Ok(()),
    }
}

fn scatter_elements(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_index)?;
    call.check_alike([0, 2])?;
    check_reduction(call)?;
    let (x, indices, updates) = (call.input(0)?, call.input(1)?, call.input(2)?);
    let axis = call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    check_within(x, indices, axis)?;
    check_places(call, x, axis)?;
    let differs = |(own, other): (&Size, &Size)| own.differs(other);
    if updates.rank() != x.rank() || indices.sizes.iter().zip(&updates.sizes).any(differs) {
        let (places, updates) = (shape(&indices.sizes), shape(&updates.sizes));
        return Err(format!("its updates are {updates} for indices {places}; give one for each"));
    }
    Ok(vec![x.plain()])
}

fn scatter_nd(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    call.check_alike([0, 2])?;
    check_reduction(call)?;
    let (x, indices, updates, depth) = (call.input(0)?, call.input(1)?, call.input(2)?, depth(call)?);
    let rest = x.sizes.get(depth..).ok_or_else(|| format!("its indices go through {depth} axes of {x}"))?;
    let wanted = [&indices.sizes[..indices.rank() - 1], rest].concat();
    if updates.rank() != wanted.len() || wanted.iter().zip(&updates.sizes).any(|(a, b)| a.differs(b)) {
        return Err(format!("its updates are {} and should be {}", shape(&updates.sizes), shape(&wanted)));
    }
    Ok(vec![x.plain()])
}

fn top_k(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let x = call.input(0)?;
    let axis = call.axis(call.int("axis").unwrap_or(-1), x.rank())?;
    let count = match &call.ranked(1, 1)?.known.as_deref() {
        Some([count]) => count.clone(),
        Some(others) => return Err(format!("it has {} counts; give one", others.len())),
        None => call.unknown(axis),
    };
    if count.minus(&x.sizes[axis]).fixed().is_some_and(|more| more > 0) {
        return Err(format!("it takes {count} of {} along axis {axis}; take fewer", x.sizes[axis]));
    }
    let mut sizes = x.sizes.clone();
    sizes[axis] = count;
    Ok(vec![Fact::new(x.data_type, sizes.clone()), Fact::new(DataType::Int64, sizes)])
}
