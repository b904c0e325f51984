//! Elements by their places along one axis.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::{Attribute, Op, is_index};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("Gather", &[11, 13], gather).inputs(2, 2).with(&[AXIS]),
    Op::new("GatherElements", &[11, 13], gather_elements).inputs(2, 2).with(&[AXIS]),
];

fn gather(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_index)?;
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    check_places(call, x, axis)?;
    let (before, after) = (&x.sizes[..axis], &x.sizes[axis + 1..]);
    let sizes = [before, &indices.sizes, after].concat();
    let known = x.known.as_ref().filter(|_| x.rank() == 1).and_then(|elements| {
        let places = call.numbers(1)?;
        let count = elements.len() as i64;
        let place =
            |place: i64| elements.get(usize::try_from(if place < 0 { place + count } else { place }).ok()?);
        places.into_iter().map(|number| place(number).cloned()).collect()
    });
    Ok(vec![Fact::new(x.data_type, sizes).with_known(known)])
}

/// That all places of input 1 that are known are there along `axis`.
pub(super) fn check_places(call: &Call<'_>, x: &Fact, axis: usize) -> Result<(), String> {
    let (Some(places), Some(count)) = (call.numbers(1), x.sizes[axis].fixed()) else { return Ok(()) };
    match places.into_iter().find(|place| !(-count..count).contains(place)) {
        Some(place) => {
            Err(format!("it takes place {place} of {count} along axis {axis}; give one that is there"))
        }
        None => Ok(()),
    }
}

fn gather_elements(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_index)?;
    let (x, indices) = (call.input(0)?, call.input(1)?);
    let axis = call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    check_within(x, indices, axis)?;
    check_places(call, x, axis)?;
    Ok(vec![Fact::new(x.data_type, indices.sizes.clone())])
}

/// That there are no more places than elements of `x`, except along `axis`.
pub(super) fn check_within(x: &Fact, indices: &Fact, axis: usize) -> Result<(), String> {
    let is_more = |place: usize| {
        let more = indices.sizes[place].minus(&x.sizes[place]);
        place != axis && more.fixed().is_some_and(|more| more > 0)
    };
    if indices.rank() == x.rank() && !(0..x.rank()).any(is_more) {
        return Ok(());
    }
    let (places, sizes) = (shape(&indices.sizes), shape(&x.sizes));
    Err(format!(
        "its indices {places} do not fit {sizes}; give no more than it has, except along axis {axis}"
    ))
}
