//! Constants, sizes as values, and what is made from them.

use super::super::data::check_data;
use super::super::fact::{Fact, MOST_KNOWN, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, Op, any, is_int64, numbers};

pub(super) const OPS: &[Op] = &[
    Op::new("Constant", &[12, 13, 19, 21], constant).inputs(0, 0).with(&[
        Attribute::new("value", AttributeType::Tensor),
        Attribute::new("value_float", AttributeType::Float),
        Attribute::new("value_floats", AttributeType::Floats),
        Attribute::new("value_int", AttributeType::Int),
        Attribute::new("value_ints", AttributeType::Ints),
        Attribute::new("value_string", AttributeType::String),
        Attribute::new("value_strings", AttributeType::Strings),
    ]),
    Op::new("ConstantOfShape", &[9, 20, 21], constant_of_shape)
        .taking(is_int64)
        .with(&[Attribute::new("value", AttributeType::Tensor)]),
    Op::new("EyeLike", &[9, 22], eye_like)
        .taking(|kind, set| numbers::<22>(kind, set) || kind == DataType::Bool)
        .with(&[Attribute::new("dtype", AttributeType::Int), Attribute::new("k", AttributeType::Int)]),
    Op::new("Range", &[11], range).inputs(3, 3).taking(|kind, _| {
        use DataType::{Float32, Float64, Int16, Int32, Int64};
        matches!(kind, Float32 | Float64 | Int16 | Int32 | Int64)
    }),
    Op::new("Shape", &[1, 13, 15, 19, 21], sizes_of).with(&[
        Attribute::new("start", AttributeType::Int).only(15, 22),
        Attribute::new("end", AttributeType::Int).only(15, 22),
    ]),
    Op::new("Size", &[1, 13, 19, 21], size_of),
];

fn scalar(data_type: DataType) -> Fact {
    Fact::new(data_type, Vec::new())
}

fn constant(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let [only] = &call.node.attribute[..] else {
        return Err(format!("it has {} values; give one", call.node.attribute.len()));
    };
    let list = |data_type, count: usize| Fact::new(data_type, vec![Size::from(count)]);
    let fact = match (only.name.as_str(), &only.t) {
        ("value", Some(tensor)) => Fact::of_constant(tensor, check_data(tensor)?),
        ("value", None) => return Err("its attribute `value` holds no tensor; give one".to_owned()),
        ("value_int", _) => scalar(DataType::Int64).with_known(Some(vec![Size::from(only.i.unwrap_or(0))])),
        ("value_ints", _) => {
            let known = only.ints.iter().map(|&x| Size::from(x)).collect();
            list(DataType::Int64, only.ints.len()).with_known(Some(known))
        }
        ("value_float", _) => scalar(DataType::Float32),
        ("value_floats", _) => list(DataType::Float32, only.floats.len()),
        ("value_string", _) => scalar(DataType::Text),
        _ => list(DataType::Text, only.strings.len()),
    };
    Ok(vec![fact])
}

fn constant_of_shape(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let count = call.count(0)?;
    let value = match call.tensor("value") {
        None => scalar(DataType::Float32),
        Some(value) if value.dims.iter().all(|&size| size == 1) => {
            Fact::of_constant(value, check_data(value)?)
        }
        Some(value) => {
            return Err(format!("its attribute `value` has sizes {:?}; give one number", value.dims));
        }
    };
    let sizes = match &call.input(0)?.known {
        Some(known) => known.clone(),
        None => (0..count).map(|place| call.unknown(place)).collect(),
    };
    let fact = Fact::new(value.data_type, sizes);
    let elements = fact.elements().fixed().and_then(|count| usize::try_from(count).ok());
    let known = match (value.known.as_deref(), elements) {
        (Some([number]), Some(count @ 0..=MOST_KNOWN)) => Some(vec![number.clone(); count]),
        _ => None,
    };
    Ok(vec![fact.with_known(known)])
}

fn eye_like(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.ranked(0, 2)?;
    let data_type = match call.int("dtype") {
        None => x.data_type,
        Some(code) => i32::try_from(code)
            .ok()
            .and_then(DataType::from_code)
            .filter(|&kind| any::<22>(kind, call.opset))
            .ok_or_else(|| format!("its attribute `dtype` is {code}, which is no element type of numbers"))?,
    };
    Ok(vec![Fact::new(data_type, x.sizes.clone())])
}

fn range(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    if let Some(fact) = call.inputs.iter().flatten().find(|fact| fact.rank() > 0) {
        return Err(format!(
            "it goes by single numbers, but one is {}; give it no dimensions",
            shape(&fact.sizes)
        ));
    }
    let [start, end, step] =
        [0, 1, 2].map(|place| call.optional(place).and_then(|fact| fact.known.as_ref()?.first().cloned()));
    let size = match (start, end, step.and_then(|step| step.fixed())) {
        (_, _, Some(0)) => return Err("its step is 0; give another".to_owned()),
        (Some(start), Some(end), Some(step)) => steps(&start, &end, step),
        _ => None,
    };
    Ok(vec![Fact::new(data_type, vec![size.unwrap_or_else(|| call.unknown(0))])])
}

/// How many steps lead from `start` up to `end`; `None` where that depends on which of them is larger.
fn steps(start: &Size, end: &Size, step: i64) -> Option<Size> {
    let way = if step > 0 { end.minus(start) } else { start.minus(end) };
    let count = way.over_up(step.checked_abs()?);
    match way.fixed() {
        Some(way) if way <= 0 => Some(Size::from(0)),
        Some(_) => Some(count),
        None => (step == 1).then_some(count),
    }
}

fn sizes_of(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let sizes = &call.input(0)?.sizes;
    let rank = sizes.len() as i64;
    let end = |name, default: i64| {
        let place = call.int(name).unwrap_or(default);
        (if place < 0 { place.saturating_add(rank) } else { place }).clamp(0, rank) as usize
    };
    let (start, end) = (end("start", 0), end("end", rank));
    Ok(vec![Fact::list(sizes[start.min(end)..end].to_vec())])
}

fn size_of(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![scalar(DataType::Int64).with_known(Some(vec![call.input(0)?.elements()]))])
}
