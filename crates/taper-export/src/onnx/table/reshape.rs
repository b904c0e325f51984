//! The same elements in another shape or order.

use super::super::fact::{Fact, shape};
use super::super::infer::{Axes, Call};
use super::super::proto::AttributeType;
use super::super::size::{Size, product};
use super::{Attribute, Op, is_int64};

pub(super) const OPS: &[Op] = &[
    Op::new("Flatten", &[11, 13, 21], flatten).with(&[Attribute::new("axis", AttributeType::Int)]),
    Op::new("Reshape", &[5, 13, 14, 19, 21], reshape).inputs(2, 2).with(&[Attribute::new(
        "allowzero",
        AttributeType::Int,
    )
    .only(14, 22)]),
    Op::new("Squeeze", &[11, 13, 21], squeeze).inputs(1, 2).with(&[Attribute::new(
        "axes",
        AttributeType::Ints,
    )
    .only(12, 12)]),
    Op::new("Transpose", &[1, 13, 21], transpose).with(&[Attribute::new("perm", AttributeType::Ints)]),
    Op::new("Unsqueeze", &[11, 13, 21], unsqueeze).inputs(1, 2).with(&[Attribute::required(
        "axes",
        AttributeType::Ints,
    )
    .only(12, 12)]),
];

fn flatten(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let axis = match call.int("axis").unwrap_or(1) {
        axis if axis == x.rank() as i64 => x.rank(),
        axis => call.axis(axis, x.rank())?,
    };
    let (rows, columns) = x.sizes.split_at(axis);
    Ok(vec![Fact::new(x.data_type, vec![product(rows), product(columns)])])
}

fn reshape(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (x, target) = (call.input(0)?, call.ranked(1, 1)?);
    call.check_type(1, is_int64)?;
    let Some(wanted) = &target.known else {
        let sizes = (0..call.count(1)?).map(|place| call.unknown(place)).collect();
        return Ok(vec![Fact::new(x.data_type, sizes)]);
    };
    let copies_zero = call.int("allowzero").unwrap_or(0) == 0;
    let mut sizes = Vec::with_capacity(wanted.len());
    for (place, size) in wanted.iter().enumerate() {
        sizes.push(match size.fixed() {
            Some(0) if copies_zero => Some(
                x.sizes
                    .get(place)
                    .ok_or_else(|| format!("it copies dimension {place}, which is not there; give its size"))?
                    .clone(),
            ),
            Some(-1) => None,
            _ => Some(size.clone()),
        });
    }
    let rest = product(sizes.iter().flatten());
    match sizes.iter().filter(|size| size.is_none()).count() {
        0 if rest.differs(&x.elements()) || rest.differs_by_factor(&x.elements()) => Err(mismatch(x, wanted)),
        0 | 1 => {
            let inferred = match (x.elements().exactly_over(&rest), x.elements().fixed(), rest.fixed()) {
                (Some(size), _, _) => size,
                (None, Some(_), Some(_)) if sizes.contains(&None) => return Err(mismatch(x, wanted)),
                _ => call.unknown(sizes.iter().position(Option::is_none).unwrap_or(0)),
            };
            let sizes = sizes.into_iter().map(|size| size.unwrap_or_else(|| inferred.clone())).collect();
            Ok(vec![Fact::new(x.data_type, sizes).with_known(kept(x))])
        }
        _ => Err(format!("its shape {} leaves more than one dimension open; give the others", shape(wanted))),
    }
}

fn mismatch(x: &Fact, wanted: &[Size]) -> String {
    let (found, wanted) = (shape(&x.sizes), shape(wanted));
    format!("its input {found} does not have the elements of {wanted}; give a shape with as many")
}

/// The elements, in the same order.
fn kept(x: &Fact) -> Option<Vec<Size>> {
    x.known.clone()
}

fn transpose(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let rank = x.rank();
    let order = call.ints("perm").map_or_else(|| (0..rank as i64).rev().collect(), <[i64]>::to_vec);
    let mut sorted = order.clone();
    sorted.sort_unstable();
    if !sorted.into_iter().eq(0..rank as i64) {
        return Err(format!("its attribute `perm` is {order:?}, no order of {rank} dimensions"));
    }
    let sizes = order.iter().map(|&axis| x.sizes[axis as usize].clone()).collect();
    Ok(vec![Fact::new(x.data_type, sizes)])
}

fn squeeze(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let x = call.input(0)?;
    let gone: Vec<bool> = match call.axes(1, 13)? {
        None => x.sizes.iter().map(|size| size.is(1)).collect(),
        Some(Axes::Listed(axes)) => {
            let places = call.places(&axes, x.rank())?;
            if let Some(&place) = places.iter().find(|&&place| x.sizes[place].differs(&Size::from(1))) {
                return Err(format!("it removes dimension {place}, which is {}, not 1", x.sizes[place]));
            }
            (0..x.rank()).map(|place| places.contains(&place)).collect()
        }
        Some(Axes::Counted(count)) => {
            let left = x.rank().checked_sub(count).ok_or_else(|| {
                format!("it removes {count} dimensions of {}; give as many as there are", shape(&x.sizes))
            })?;
            let sizes = (0..left).map(|place| call.unknown(place)).collect();
            return Ok(vec![Fact::new(x.data_type, sizes).with_known(kept(x))]);
        }
    };
    let sizes = x.sizes.iter().zip(gone).filter(|(_, gone)| !gone).map(|(size, _)| size.clone()).collect();
    Ok(vec![Fact::new(x.data_type, sizes).with_known(kept(x))])
}

fn unsqueeze(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let x = call.input(0)?;
    let sizes = match call.axes(1, 13)?.ok_or("it has no axes; give them")? {
        Axes::Counted(count) => (0..x.rank() + count).map(|place| call.unknown(place)).collect(),
        Axes::Listed(axes) => {
            let rank = x.rank() + axes.len();
            let new = call.places(&axes, rank)?;
            let mut old = x.sizes.iter().cloned();
            let size = |place| if new.contains(&place) { Some(Size::from(1)) } else { old.next() };
            (0..rank).filter_map(size).collect()
        }
    };
    Ok(vec![Fact::new(x.data_type, sizes).with_known(kept(x))])
}
