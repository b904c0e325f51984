//! From one element type to another.

use super::super::fact::Fact;
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, Op, any};

const SATURATE: Attribute = Attribute::new("saturate", AttributeType::Int).only(19, 22);

pub(super) const OPS: &[Op] = &[
    Op::new("Cast", &[9, 13, 19, 21], cast).with(&[Attribute::required("to", AttributeType::Int), SATURATE]),
    Op::new("CastLike", &[15, 19, 21], cast_like).inputs(2, 2).with(&[SATURATE]),
];

fn cast(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let fact = call.input(0)?;
    let code = call.int("to").unwrap_or(0);
    let to = i32::try_from(code).ok().and_then(DataType::from_code);
    let to = to.filter(|&to| any::<13>(to, call.opset));
    let data_type = to.ok_or_else(|| {
        format!("its attribute `to` is {code}, which is no element type that operator set {} has", call.opset)
    })?;
    Ok(vec![as_type(fact, data_type)])
}

fn cast_like(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![as_type(call.input(0)?, call.input(1)?.data_type)])
}

/// Whole numbers that fit the new type stay known.
fn as_type(fact: &Fact, data_type: DataType) -> Fact {
    let fits = |size: &Size| match data_type {
        DataType::Int64 => true,
        DataType::Int32 => size.fixed().is_none_or(|number| i32::try_from(number).is_ok()),
        _ => false,
    };
    let known = fact.known.clone().filter(|known| known.iter().all(fits));
    Fact::new(data_type, fact.sizes.clone()).with_known(known)
}
