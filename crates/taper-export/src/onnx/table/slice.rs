//! Parts of a tensor, by their first and last places.

use super::super::fact::{Fact, shape};
use super::super::infer::{Axes, Call};
use super::super::size::Size;
use super::{Op, is_index};

pub(super) const OPS: &[Op] = &[Op::new("Slice", &[11, 13], slice).inputs(3, 5)];

/// Beyond this, a place stands for an end, however large the tensor: exporters write 2³¹-1 as well as 2⁶³-1.
const FAR: i64 = i32::MAX as i64 - 1;

/// Starts, ends, axes and steps are inputs; what is cut is known only if they are.
fn slice(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let count = call.count(1)?;
    for place in 1..5 {
        call.check_type(place, is_index)?;
        if call.optional(place).is_some() && call.count(place)? != count {
            return Err(format!(
                "it has {count} starts, and its input {place} has {} numbers; give one for each axis",
                call.count(place)?
            ));
        }
    }
    call.check_alike(1..5)?;
    let mut sizes = x.sizes.clone();
    let axes = match call.axes(3, 0)? {
        None => (0..count as i64).collect(),
        Some(Axes::Listed(axes)) => axes,
        Some(Axes::Counted(_)) => {
            let sizes = (0..x.rank()).map(|place| call.unknown(place)).collect();
            return Ok(vec![Fact::new(x.data_type, sizes)]);
        }
    };
    if count > x.rank() {
        return Err(format!("it cuts {count} axes of {}; give at most one cut for each", shape(&x.sizes)));
    }
    let steps = if call.optional(4).is_some() { call.numbers(4) } else { Some(vec![1; count]) };
    if steps.as_ref().is_some_and(|steps| steps.contains(&0)) {
        return Err("one of its steps is 0; give another".to_owned());
    }
    for (place, axis) in call.places(&axes, x.rank())?.into_iter().enumerate() {
        let at =
            |input| call.optional(input).and_then(|fact: &Fact| fact.known.as_ref()?.get(place).cloned());
        let step = steps.as_ref().and_then(|steps| steps.get(place).copied());
        let cut = match (at(1), at(2), step) {
            (Some(start), Some(end), Some(step)) => cut(&x.sizes[axis], &start, &end, step),
            _ => None,
        };
        sizes[axis] = cut.unwrap_or_else(|| call.unknown(axis));
    }
    Ok(vec![Fact::new(x.data_type, sizes).with_known(kept(call, x, steps.as_deref()))])
}

/// The number of elements from `start` to `end` of `size`.
fn cut(size: &Size, start: &Size, end: &Size, step: i64) -> Option<Size> {
    if let (Some(size), Some(start), Some(end)) = (size.fixed(), start.fixed(), end.fixed()) {
        return Some(Size::from(cut_numbers(size, start, end, step)));
    }
    match (start.fixed(), end.fixed(), step) {
        (_, _, 1..) => {
            let length = place_in(size, end).minus(&place_in(size, start));
            let is_empty = length.fixed().is_some_and(|length| length < 0);
            Some(if is_empty { Size::from(0) } else { length.over_up(step) })
        }
        // Backwards over the whole.
        (Some(start), Some(end), -1) if (start == -1 || start > FAR) && end < -FAR => Some(size.clone()),
        _ => None,
    }
}

/// As ONNX cuts: a start beyond an end of the tensor is that end.
fn cut_numbers(size: i64, start: i64, end: i64, step: i64) -> i64 {
    let from_start = |place: i64| if place < 0 { place.saturating_add(size) } else { place };
    let (start, end) = (from_start(start), from_start(end));
    let way = match step {
        _ if size == 0 => 0,
        1.. => end.clamp(0, size) - start.clamp(0, size),
        _ => start.clamp(0, size - 1) - end.clamp(-1, size - 1),
    };
    let stride = step.unsigned_abs();
    i64::try_from(way.max(0).unsigned_abs().div_ceil(stride)).unwrap_or(0)
}

/// A place of a size that is known by name, counted from the start; it is taken to be there.
fn place_in(size: &Size, place: &Size) -> Size {
    match (place.fixed(), size.fixed()) {
        (Some(place), _) if place < -FAR => Size::from(0),
        (Some(place), _) if place > FAR => size.clone(),
        (Some(number), _) if number < 0 => size.plus(place),
        (Some(number), Some(size)) => Size::from(number.min(size)),
        _ => place.clone(),
    }
}

/// The elements of a cut list, if all numbers are known.
fn kept(call: &Call<'_>, x: &Fact, steps: Option<&[i64]>) -> Option<Vec<Size>> {
    let elements = x.known.as_ref().filter(|_| x.rank() == 1 && steps == Some(&[1]))?;
    let count = elements.len() as i64;
    let place = |input| {
        let place = *call.numbers(input)?.first()?;
        Some((if place < 0 { place.saturating_add(count) } else { place }).clamp(0, count) as usize)
    };
    let (start, end) = (place(1)?, place(2)?);
    Some(elements[start.min(end)..end].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, place by place.
    fn by_counting(size: i64, start: i64, end: i64, step: i64) -> i64 {
        let from_start = |place: i64| if place < 0 { place + size } else { place };
        let last = if step > 0 { size } else { size - 1 };
        let (mut place, end, mut count) = (from_start(start).min(last).max(0), from_start(end), 0);
        while (0..size).contains(&place) && (if step > 0 { place < end } else { place > end }) {
            (place, count) = (place + step, count + 1);
        }
        count
    }

    #[test]
    fn fixed_cuts_are_those_of_the_definition() {
        for size in 0..5 {
            for (start, end) in (-7..8).flat_map(|start| (-7..8).map(move |end| (start, end))) {
                for step in [-3, -2, -1, 1, 2, 3] {
                    let found = cut_numbers(size, start, end, step);
                    let wanted = by_counting(size, start, end, step);
                    assert_eq!(found, wanted, "{size}[{start}:{end}:{step}]");
                }
            }
        }
        for far in [i64::MIN, i64::MIN + 1, i64::MAX] {
            assert_eq!(cut_numbers(4, 0, far, i64::MAX), i64::from(far > 0));
            assert_eq!(cut_numbers(4, -1, far, i64::MIN), i64::from(far < 0));
        }
    }

    #[test]
    fn named_sizes_are_cut_by_formula() {
        let n = Size::named("N");
        let cases = [
            (0, i64::MAX, 1, Some("N")),
            (1, -1, 1, Some("N - 2")),
            (-3, i64::from(i32::MAX), 1, Some("3")),
            (0, i64::MAX, 2, Some("floor((N + 1)/2)")),
            (-1, i64::MIN, -1, Some("N")),
            (i64::from(i32::MAX), -i64::from(i32::MAX), -1, Some("N")),
            (-1, 2, -1, None),
            (3, i64::MIN, -1, None),
        ];
        for (start, end, step, wanted) in cases {
            let found = cut(&n, &Size::from(start), &Size::from(end), step).map(|size| size.to_string());
            assert_eq!(found.as_deref(), wanted, "[{start}:{end}:{step}]");
        }
    }
}
