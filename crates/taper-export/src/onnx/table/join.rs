//! Values put together, taken apart, repeated and padded.

use super::super::fact::{Fact, MOST_KNOWN, shape};
use super::super::infer::{Axes, Call, broadcast};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, MANY, Op, any, is_index, is_int64, numbers};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("Concat", &[11, 13], concat)
        .inputs(1, MANY)
        .with(&[Attribute::required("axis", AttributeType::Int)]),
    Op::new("Expand", &[8, 13], expand).inputs(2, 2),
    Op::new("Pad", &[11, 13, 18, 19, 21], pad)
        .inputs(2, 4)
        .taking(|kind, set| if set < 13 { numbers::<13>(kind, set) } else { any::<13>(kind, set) })
        .with(&[Attribute::choice("mode", &["constant", "reflect", "edge", "wrap"])]),
    Op::new("Split", &[11, 13, 18], split).inputs(1, 2).outputs(MANY).with(&[
        AXIS,
        Attribute::new("split", AttributeType::Ints).only(12, 12),
        Attribute::new("num_outputs", AttributeType::Int).only(18, 22),
    ]),
    Op::new("Tile", &[6, 13], tile).inputs(2, 2),
];

fn concat(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    let first = call.input(0)?;
    let axis = call.axis(call.int("axis").unwrap_or(0), first.rank())?;
    let mut sizes = first.sizes.clone();
    for fact in call.inputs.iter().flatten().skip(1) {
        let fits = |place: usize| place == axis || !fact.sizes[place].differs(&sizes[place]);
        if fact.rank() != sizes.len() || !(0..sizes.len()).all(fits) {
            return Err(format!(
                "its inputs {} and {} do not fit along axis {axis}",
                shape(&first.sizes),
                shape(&fact.sizes)
            ));
        }
        sizes[axis] = sizes[axis].plus(&fact.sizes[axis]);
    }
    let mut known = Some(Vec::new());
    for fact in call.inputs.iter().flatten() {
        known = known.zip(fact.known.as_ref()).map(|(known, more)| [&known[..], more].concat());
        known = known.filter(|known| known.len() <= MOST_KNOWN);
    }
    Ok(vec![Fact::new(data_type, sizes).with_known(known)])
}

fn expand(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let (x, target) = (call.input(0)?, call.ranked(1, 1)?);
    let sizes = match &target.known {
        Some(wanted) => broadcast(&x.sizes, wanted)?,
        None => (0..x.rank().max(call.count(1)?)).map(|place| call.unknown(place)).collect(),
    };
    Ok(vec![Fact::new(x.data_type, sizes)])
}

fn tile(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let (x, repeats) = (call.input(0)?, call.ranked(1, 1)?);
    let sizes = match &repeats.known {
        Some(known) if known.len() != x.rank() => {
            return Err(format!(
                "it has {} repeats for {}; give one for each dimension",
                known.len(),
                shape(&x.sizes)
            ));
        }
        Some(known) => x.sizes.iter().zip(known).map(|(size, count)| size.times(count)).collect(),
        None => (0..x.rank()).map(|place| call.unknown(place)).collect(),
    };
    Ok(vec![Fact::new(x.data_type, sizes)])
}

fn pad(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    if call.opset < 19 && call.text("mode") == Some("wrap") {
        return Err(
            "its attribute `mode` is `wrap`, which came with operator set 19; use 19 or newer".to_owned()
        );
    }
    call.check_type(1, is_int64)?;
    call.check_alike([0, 2])?;
    call.check_type(3, is_index)?;
    let rank = x.rank();
    let axes = match call.axes(3, 18)? {
        None => Some((0..rank).collect()),
        Some(Axes::Listed(axes)) => Some(call.places(&axes, rank)?),
        Some(Axes::Counted(_)) => None,
    };
    let (Some(axes), Some(pads)) = (axes, &call.ranked(1, 1)?.known) else {
        return Ok(vec![Fact::new(x.data_type, (0..rank).map(|place| call.unknown(place)).collect())]);
    };
    if pads.len() != 2 * axes.len() {
        return Err(format!("it has {} pads for {} dimensions; give two for each", pads.len(), axes.len()));
    }
    let mut sizes = x.sizes.clone();
    for (place, &axis) in axes.iter().enumerate() {
        sizes[axis] = sizes[axis].plus(&pads[place]).plus(&pads[place + axes.len()]);
    }
    Ok(vec![Fact::new(x.data_type, sizes)])
}

fn split(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let axis = call.axis(call.int("axis").unwrap_or(0), x.rank())?;
    call.check_type(1, is_int64)?;
    let count = call.node.output.len();
    let wanted = call.int("num_outputs");
    if call.opset >= 18 && wanted.is_some() == call.optional(1).is_some() {
        return Err("it needs the sizes of its parts or `num_outputs`, and not both".to_owned());
    }
    if wanted.is_some_and(|wanted| wanted != count as i64) {
        return Err(format!("it has {count} outputs; set `num_outputs` to that"));
    }
    let parts: Option<Vec<Size>> = match (call.optional(1), call.ints("split")) {
        (Some(parts), _) => parts.known.clone(),
        (None, Some(parts)) => Some(parts.iter().map(|&part| Size::from(part)).collect()),
        (None, None) => even_parts(&x.sizes[axis], count as i64),
    };
    let parts = parts.unwrap_or_else(|| (0..count).map(|place| call.unknown(place)).collect());
    let sum = parts.iter().fold(Size::from(0), |sum, part| sum.plus(part));
    if parts.len() != count || sum.differs(&x.sizes[axis]) {
        return Err(format!("it splits {} into {} for {count} outputs", x.sizes[axis], shape(&parts)));
    }
    let part = |part: Size| {
        let mut sizes = x.sizes.clone();
        sizes[axis] = part;
        Fact::new(x.data_type, sizes)
    };
    Ok(parts.into_iter().map(part).collect())
}

/// As even as can be: the last part may be smaller.
fn even_parts(size: &Size, count: i64) -> Option<Vec<Size>> {
    if let Some(part) = size.exactly_over(&Size::from(count)) {
        return Some(vec![part; usize::try_from(count).ok()?]);
    }
    let part = size.over_up(count);
    let last = size.minus(&part.times(&Size::from(count - 1)));
    let even = vec![part; usize::try_from(count - 1).ok()?];
    size.fixed().map(|_| [even, vec![last]].concat())
}
