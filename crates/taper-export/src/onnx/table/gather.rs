//! Elements by their places, constants, and sizes as values.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::{DataType, check_data};
use super::{Attribute, Op};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("Constant", &[12, 13, 19, 21], constant).inputs(0, 0).with(&[
        Attribute::new("value", AttributeType::Tensor),
        Attribute::new("value_float", AttributeType::Float),
        Attribute::new("value_floats", AttributeType::Floats),
        Attribute::new("value_int", AttributeType::Int),
        Attribute::new("value_ints", AttributeType::Ints),
    ]),
    Op::new("ConstantOfShape", &[9, 20, 21], constant_of_shape)
        .with(&[Attribute::new("value", AttributeType::Tensor)]),
    Op::new("Gather", &[11, 13], gather).inputs(2, 2).with(&[AXIS]),
    Op::new("GatherElements", &[11, 13], gather_elements).inputs(2, 2).with(&[AXIS]),
    Op::new("Range", &[11], range).inputs(3, 3),
    Op::new("Shape", &[1, 13, 15, 19, 21], sizes_of).with(&[
        Attribute::new("start", AttributeType::Int).only(15, 22),
        Attribute::new("end", AttributeType::Int).only(15, 22),
    ]),
    Op::new("Slice", &[11, 13], slice).inputs(3, 5),
];

fn constant(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    if let Some(tensor) = call.tensor("value") {
        let data_type = check_data(tensor)?;
        return Ok(vec![Fact::of_constant(tensor, data_type)]);
    }
    let fact = match &call.node.attribute[..] {
        [only] => match only.name.as_str() {
            "value_int" => Fact { sizes: Vec::new(), ..Fact::list(vec![Size::from(only.i.unwrap_or(0))]) },
            "value_ints" => Fact::list(only.ints.iter().map(|&x| Size::from(x)).collect()),
            "value_float" => Fact::new(DataType::Float32, Vec::new()),
            _ => Fact::new(DataType::Float32, vec![Size::from(only.floats.len())]),
        },
        others => return Err(format!("it has {} values; give one", others.len())),
    };
    Ok(vec![fact])
}

fn constant_of_shape(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let target = call.ranked(0, 1)?;
    let data_type = call.tensor("value").map_or(Ok(DataType::Float32), check_data)?;
    let sizes = match (&target.known, target.sizes[0].fixed()) {
        (Some(known), _) => known.clone(),
        (None, Some(count)) => {
            (0..usize::try_from(count).unwrap_or(0)).map(|place| call.unknown(place)).collect()
        }
        (None, None) => return Err("nobody knows how many dimensions it makes".to_owned()),
    };
    Ok(vec![Fact::new(data_type, sizes)])
}

fn range(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    let ends =
        [0, 1, 2].map(|place| call.optional(place).and_then(|fact| fact.known.as_ref()?.first().cloned()));
    let size = match ends {
        [Some(start), Some(end), Some(step)] if step.is(1) => end.plus(&start.times(&Size::from(-1))),
        _ => call.unknown(0),
    };
    Ok(vec![Fact::new(data_type, vec![size])])
}

fn check_indices(call: &Call<'_>) -> Result<(), String> {
    let indices = call.input(1)?;
    match indices.data_type {
        DataType::Int32 | DataType::Int64 => Ok(()),
        other => Err(format!("its indices are {other} and should be int32 or int64; cast them")),
    }
}

fn gather(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    check_indices(call)?;
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    let (before, after) = (&x.sizes[..axis], &x.sizes[axis + 1..]);
    let sizes = [before, &indices.sizes, after].concat();
    let known = x.known.as_ref().filter(|_| x.rank() == 1).and_then(|elements| {
        let places = call.numbers(1)?;
        let count = elements.len() as i64;
        let place =
            |place: i64| elements.get(usize::try_from(if place < 0 { place + count } else { place }).ok()?);
        places.into_iter().map(|number| place(number).cloned()).collect()
    });
    Ok(vec![Fact { known, ..Fact::new(x.data_type, sizes) }])
}

fn gather_elements(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    check_indices(call)?;
    let (x, indices) = (call.input(0)?, call.input(1)?);
    call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    if indices.rank() != x.rank() {
        return Err(format!(
            "its indices {} have another number of dimensions than {}",
            shape(&indices.sizes),
            shape(&x.sizes)
        ));
    }
    Ok(vec![Fact::new(x.data_type, indices.sizes.clone())])
}

fn sizes_of(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let sizes = &call.input(0)?.sizes;
    let rank = sizes.len() as i64;
    let end = |name, default: i64| {
        let place = call.int(name).unwrap_or(default);
        (if place < 0 { place + rank } else { place }).clamp(0, rank) as usize
    };
    let (start, end) = (end("start", 0), end("end", rank));
    Ok(vec![Fact::list(sizes[start.min(end)..end].to_vec())])
}

/// Starts, ends, axes and steps are inputs; what is cut is known only if they are.
fn slice(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let (starts, ends) = (call.ranked(1, 1)?, call.ranked(2, 1)?);
    let count = starts.sizes[0]
        .fixed()
        .or_else(|| ends.sizes[0].fixed())
        .ok_or("nobody knows how many axes it cuts")?;
    let axes = match call.optional(3) {
        Some(_) => call.numbers(3).ok_or("its axes are not constant; give a constant")?,
        None => (0..count).collect(),
    };
    if axes.len() as i64 != count {
        return Err(format!("it has {count} starts for {} axes; give one for each", axes.len()));
    }
    let steps = if call.optional(4).is_some() { call.numbers(4) } else { Some(vec![1; axes.len()]) };
    let mut sizes = x.sizes.clone();
    for (place, axis) in axes.into_iter().enumerate() {
        let axis = call.axis(axis, x.rank())?;
        let at = |fact: &Fact| fact.known.as_ref().and_then(|known| known.get(place).cloned());
        let step = steps.as_ref().and_then(|steps| steps.get(place).copied());
        let cut = match (at(starts), at(ends), step) {
            (Some(start), Some(end), Some(step)) => cut(&x.sizes[axis], &start, &end, step),
            _ => None,
        };
        sizes[axis] = cut.unwrap_or_else(|| call.unknown(axis));
    }
    let known = kept(call, x, &steps);
    Ok(vec![Fact { known, ..Fact::new(x.data_type, sizes) }])
}

/// The number of elements from `start` to `end` of `size`.
fn cut(size: &Size, start: &Size, end: &Size, step: i64) -> Option<Size> {
    let zero = Size::from(0);
    let from_end = |place: &Size| match place.fixed() {
        Some(number) if number < 0 => size.plus(place),
        _ => place.clone(),
    };
    let (start, end) = (from_end(start), from_end(end));
    let clamped = |place: Size| match (place.fixed(), size.fixed()) {
        (Some(place), Some(size)) => Size::from(place.clamp(0, size)),
        // As far as it goes, whatever it is.
        (Some(place), None) if place > i64::from(i32::MAX) => size.clone(),
        _ => place,
    };
    match step {
        1 => {
            let length = clamped(end).plus(&clamped(start).times(&Size::from(-1)));
            Some(if length.fixed().is_some_and(|length| length < 0) { zero } else { length })
        }
        step if step > 1 => {
            let length = clamped(end).plus(&clamped(start).times(&Size::from(-1)));
            Some(length.plus(&Size::from(step - 1)).over(step))
        }
        // Backwards over the whole.
        -1 if start.fixed().is_some_and(|start| start == -1 || start > i64::from(i32::MAX)) => {
            Some(size.clone())
        }
        _ => None,
    }
}

/// The elements of a cut list, if all numbers are known.
fn kept(call: &Call<'_>, x: &Fact, steps: &Option<Vec<i64>>) -> Option<Vec<Size>> {
    let elements = x.known.as_ref().filter(|_| x.rank() == 1 && steps.as_deref() == Some(&[1]))?;
    let count = elements.len() as i64;
    let place = |input| {
        let place = *call.numbers(input)?.first()?;
        Some((if place < 0 { place + count } else { place }).clamp(0, count) as usize)
    };
    let (start, end) = (place(1)?, place(2)?);
    Some(elements[start.min(end)..end].to_vec())
}
