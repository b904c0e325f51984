//! The same elements in another shape or order.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::{Size, product};
use super::super::tensor::DataType;
use super::{Attribute, Op};

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
    Op::new("Unsqueeze", &[11, 13, 21], unsqueeze).inputs(1, 2).with(&[Attribute::new(
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
    if target.data_type != DataType::Int64 {
        return Err(format!("its shape is {} and should be int64", target.data_type));
    }
    let Some(wanted) = &target.known else {
        let count = target.sizes[0].fixed().ok_or("nobody knows how many dimensions it makes")?;
        let sizes = (0..usize::try_from(count).unwrap_or(0)).map(|place| call.unknown(place)).collect();
        return Ok(vec![Fact::new(x.data_type, sizes)]);
    };
    let copies_zero = call.int("allowzero").unwrap_or(0) == 0;
    let mut sizes = Vec::with_capacity(wanted.len());
    for (place, size) in wanted.iter().enumerate() {
        sizes.push(match size.fixed() {
            Some(0) if copies_zero => Some(
                x.sizes
                    .get(place)
                    .ok_or_else(|| format!("it copies dimension {place}, which is not there"))?
                    .clone(),
            ),
            Some(-1) => None,
            _ => Some(size.clone()),
        });
    }
    let rest = product(sizes.iter().flatten());
    match sizes.iter().filter(|size| size.is_none()).count() {
        0 if rest.differs(&x.elements()) => Err(mismatch(x, wanted)),
        0 | 1 => {
            let inferred = match (x.elements().exactly_over(&rest), x.elements().fixed(), rest.fixed()) {
                (Some(size), _, _) => size,
                (None, Some(_), Some(_)) if sizes.contains(&None) => return Err(mismatch(x, wanted)),
                _ => call.unknown(sizes.iter().position(Option::is_none).unwrap_or(0)),
            };
            let sizes = sizes.into_iter().map(|size| size.unwrap_or_else(|| inferred.clone())).collect();
            Ok(vec![Fact { known: kept(x), ..Fact::new(x.data_type, sizes) }])
        }
        _ => Err(format!("its shape {} leaves more than one dimension open", shape(wanted))),
    }
}

fn mismatch(x: &Fact, wanted: &[Size]) -> String {
    format!("its input {} does not have the elements of {}", shape(&x.sizes), shape(wanted))
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

/// The axes, an input since operator set 13.
fn axes(call: &Call<'_>) -> Result<Option<Vec<i64>>, String> {
    match (call.optional(1), call.opset) {
        (Some(_), 13..) => Ok(Some(call.numbers(1).ok_or("its axes are not constant; give a constant")?)),
        (Some(_), _) => {
            Err("it reads its axes as an input, which came with operator set 13; write `axes`".to_owned())
        }
        (None, _) => Ok(call.ints("axes").map(<[i64]>::to_vec)),
    }
}

fn squeeze(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let mut gone: Vec<bool> = x.sizes.iter().map(|size| size.is(1)).collect();
    if let Some(axes) = axes(call)? {
        gone.fill(false);
        for axis in axes {
            let axis = call.axis(axis, x.rank())?;
            if x.sizes[axis].differs(&Size::from(1)) {
                return Err(format!("it removes dimension {axis}, which is {}, not 1", x.sizes[axis]));
            }
            gone[axis] = true;
        }
    }
    let sizes = x.sizes.iter().zip(gone).filter(|(_, gone)| !gone).map(|(size, _)| size.clone()).collect();
    Ok(vec![Fact { known: kept(x), ..Fact::new(x.data_type, sizes) }])
}

fn unsqueeze(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let axes = axes(call)?.ok_or("it has no axes; give them")?;
    let rank = x.rank() + axes.len();
    let mut new = vec![false; rank];
    for axis in axes {
        let axis = call.axis(axis, rank)?;
        if std::mem::replace(&mut new[axis], true) {
            return Err(format!("its axis {axis} is listed twice; list it once"));
        }
    }
    let mut old = x.sizes.iter().cloned();
    let sizes: Vec<Size> =
        new.iter().filter_map(|&new| if new { Some(Size::from(1)) } else { old.next() }).collect();
    let known = kept(x).filter(|_| rank <= 1);
    Ok(vec![Fact { known, ..Fact::new(x.data_type, sizes) }])
}
