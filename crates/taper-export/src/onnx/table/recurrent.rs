//! Recurrent layers.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, Op, is_float};

const ALPHA: Attribute = Attribute::new("activation_alpha", AttributeType::Floats);
const BETA: Attribute = Attribute::new("activation_beta", AttributeType::Floats);
const ACTIVATIONS: Attribute = Attribute::new("activations", AttributeType::Strings);
const CLIP: Attribute = Attribute::new("clip", AttributeType::Float);
const DIRECTION: Attribute = Attribute::new("direction", AttributeType::String);
const HIDDEN: Attribute = Attribute::required("hidden_size", AttributeType::Int);
const LAYOUT: Attribute = Attribute::new("layout", AttributeType::Int).only(14, 22);

pub(super) const OPS: &[Op] = &[
    Op::new("GRU", &[7, 14, 22], |call| recurrent(call, 3)).inputs(3, 6).outputs(2).taking(is_float).with(&[
        ALPHA,
        BETA,
        ACTIVATIONS,
        CLIP,
        DIRECTION,
        HIDDEN,
        LAYOUT,
        Attribute::new("linear_before_reset", AttributeType::Int),
    ]),
    Op::new("LSTM", &[7, 14, 22], |call| recurrent(call, 4)).inputs(3, 8).outputs(3).taking(is_float).with(
        &[
            ALPHA,
            BETA,
            ACTIVATIONS,
            CLIP,
            DIRECTION,
            HIDDEN,
            Attribute::new("input_forget", AttributeType::Int),
            LAYOUT,
        ],
    ),
];

/// `[T, N, I]` to `[T, D, N, H]` and the last states `[D, N, H]`, for `D` directions and `gates` gates.
fn recurrent(call: &Call<'_>, gates: i64) -> Result<Vec<Fact>, String> {
    let (x, weight, recurrence) = (call.ranked(0, 3)?, call.ranked(1, 3)?, call.ranked(2, 3)?);
    if call.int("layout").unwrap_or(0) != 0 {
        return Err(
            "its attribute `layout` is not 0, which few runtimes know; transpose its input".to_owned()
        );
    }
    let hidden = Size::from(call.int("hidden_size").unwrap_or(0));
    let directions = Size::from(if call.text("direction") == Some("bidirectional") { 2i64 } else { 1 });
    let rows = hidden.times(&Size::from(gates));
    let wanted = |fact: &Fact, last: &Size, name: &str| {
        let wanted = [directions.clone(), rows.clone(), last.clone()];
        match fact.sizes.iter().zip(&wanted).any(|(found, wanted)| found.differs(wanted)) {
            true => Err(format!("its {name} is {} and should be {}", shape(&fact.sizes), shape(&wanted))),
            false => Ok(()),
        }
    };
    wanted(weight, &x.sizes[2], "weight")?;
    wanted(recurrence, &hidden, "recurrent weight")?;
    let (steps, count) = (x.sizes[0].clone(), x.sizes[1].clone());
    let state = Fact::new(x.data_type, vec![directions.clone(), count.clone(), hidden.clone()]);
    let all = Fact::new(x.data_type, vec![steps, directions, count, hidden]);
    Ok(vec![all, state.clone(), state])
}
