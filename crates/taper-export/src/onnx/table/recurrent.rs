//! Recurrent layers.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, NEVER, Op, any, floats};

const ALPHA: Attribute = Attribute::new("activation_alpha", AttributeType::Floats);
const BETA: Attribute = Attribute::new("activation_beta", AttributeType::Floats);
const ACTIVATIONS: Attribute = Attribute::new("activations", AttributeType::Strings);
const CLIP: Attribute = Attribute::new("clip", AttributeType::Float);
const DIRECTION: Attribute = Attribute::choice("direction", &["forward", "reverse", "bidirectional"]);
const HIDDEN: Attribute = Attribute::new("hidden_size", AttributeType::Int);
const LAYOUT: Attribute = Attribute::new("layout", AttributeType::Int).only(14, 22);
const RESET: Attribute = Attribute::new("linear_before_reset", AttributeType::Int);
const FORGET: Attribute = Attribute::new("input_forget", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    layer("GRU", |call| recurrent(call, 3)).with(&[
        ALPHA,
        BETA,
        ACTIVATIONS,
        CLIP,
        DIRECTION,
        HIDDEN,
        LAYOUT,
        RESET,
    ]),
    layer("LSTM", |call| recurrent(call, 4)).inputs(3, 8).outputs(3).with(&[
        ALPHA,
        BETA,
        ACTIVATIONS,
        CLIP,
        DIRECTION,
        HIDDEN,
        FORGET,
        LAYOUT,
    ]),
    layer("RNN", |call| recurrent(call, 1)).with(&[
        ALPHA,
        BETA,
        ACTIVATIONS,
        CLIP,
        DIRECTION,
        HIDDEN,
        LAYOUT,
    ]),
    Op::new("ReverseSequence", &[10], reverse).inputs(2, 2).taking(any::<NEVER>).with(&[
        Attribute::new("batch_axis", AttributeType::Int),
        Attribute::new("time_axis", AttributeType::Int),
    ]),
];

const fn layer(name: &'static str, infer: super::Infer) -> Op {
    Op::new(name, &[7, 14, 22], infer).inputs(3, 6).outputs(2).taking(floats::<22>)
}

/// `[T, N, I]` to `[T, D, N, H]` and the last states `[D, N, H]`, for `D` directions and `gates` gates; with layout 1,
/// `[N, T, I]` to `[N, T, D, H]` and `[N, D, H]`.
fn recurrent(call: &Call<'_>, gates: i64) -> Result<Vec<Fact>, String> {
    let x = call.ranked(0, 3)?;
    call.check_alike([0, 1, 2, 3, 5, 6, 7])?;
    call.check_type(4, |kind, _| kind == DataType::Int32)?;
    let directions = Size::from(if call.text("direction") == Some("bidirectional") { 2 } else { 1 });
    let hidden = match call.int("hidden_size") {
        Some(hidden @ 1..) => Size::from(hidden),
        Some(other) => return Err(format!("its attribute `hidden_size` is {other}; give a number from 1")),
        None => call.ranked(2, 3)?.sizes[2].clone(),
    };
    let is_batch_first = match call.int("layout").unwrap_or(0) {
        0 => false,
        1 => true,
        other => return Err(format!("its attribute `layout` is {other}; give 0 or 1")),
    };
    let (steps, count) = if is_batch_first { (1, 0) } else { (0, 1) };
    let (steps, count) = (x.sizes[steps].clone(), x.sizes[count].clone());
    let state = match is_batch_first {
        true => vec![count.clone(), directions.clone(), hidden.clone()],
        false => vec![directions.clone(), count.clone(), hidden.clone()],
    };
    let (d, h, rows) = (&directions, &hidden, |times: i64| hidden.times(&Size::from(times)));
    let input = x.sizes[2].clone();
    check(call, 1, "weight", &[d.clone(), rows(gates), input])?;
    check(call, 2, "recurrent weight", &[d.clone(), rows(gates), h.clone()])?;
    check(call, 3, "bias", &[d.clone(), rows(2 * gates)])?;
    check(call, 4, "list of lengths", std::slice::from_ref(&count))?;
    check(call, 5, "first state", &state)?;
    check(call, 6, "first state of the cell", &state)?;
    check(call, 7, "peephole weight", &[d.clone(), rows(3)])?;
    let all = match is_batch_first {
        true => vec![count, steps, directions, hidden],
        false => vec![steps, directions, count, hidden],
    };
    let state = Fact::new(x.data_type, state);
    Ok(vec![Fact::new(x.data_type, all), state.clone(), state])
}

/// That the input at `place`, if there is one, has the sizes `wanted`.
fn check(call: &Call<'_>, place: usize, name: &str, wanted: &[Size]) -> Result<(), String> {
    let Some(fact) = call.optional(place) else { return Ok(()) };
    let fits = fact.rank() == wanted.len()
        && !fact.sizes.iter().zip(wanted).any(|(found, wanted)| found.differs(wanted));
    match fits {
        true => Ok(()),
        false => Err(format!("its {name} is {} and should be {}", shape(&fact.sizes), shape(wanted))),
    }
}

fn reverse(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, super::is_int64)?;
    let x = call.input(0)?;
    let axis = |name, default| match call.int(name).unwrap_or(default) {
        axis @ 0..=1 if x.rank() >= 2 => Ok(axis as usize),
        other => Err(format!("its attribute `{name}` is {other} for {x}; give 0 or 1, the first two axes")),
    };
    let (batch, time) = (axis("batch_axis", 1)?, axis("time_axis", 0)?);
    if batch == time {
        return Err(format!("its batch and its time are both axis {batch}; give each its own"));
    }
    check(call, 1, "list of lengths", std::slice::from_ref(&x.sizes[batch]))?;
    Ok(vec![x.plain()])
}
