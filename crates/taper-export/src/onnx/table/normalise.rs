//! Normalisation and softmax.

use super::super::fact::{Fact, shape};
use super::super::infer::{Call, broadcast};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, Op, is_float};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);
const EPSILON: Attribute = Attribute::new("epsilon", AttributeType::Float);

pub(super) const OPS: &[Op] = &[
    Op::new("BatchNormalization", &[9, 14, 15], batch_norm).inputs(5, 5).taking(is_float).with(&[
        EPSILON,
        Attribute::new("momentum", AttributeType::Float),
        Attribute::new("training_mode", AttributeType::Int).only(14, 22),
    ]),
    Op::new("InstanceNormalization", &[6, 22], instance_norm).inputs(3, 3).taking(is_float).with(&[EPSILON]),
    Op::new("LayerNormalization", &[17], layer_norm).inputs(2, 3).outputs(3).taking(is_float).with(&[
        AXIS,
        EPSILON,
        Attribute::new("stash_type", AttributeType::Int),
    ]),
    Op::new("LogSoftmax", &[11, 13], softmax).taking(is_float).with(&[AXIS]),
    Op::new("Softmax", &[11, 13], softmax).taking(is_float).with(&[AXIS]),
];

/// That the inputs from the second on are lists with one number for each channel.
fn check_channels(call: &Call<'_>) -> Result<Fact, String> {
    call.same_types()?;
    let x = call.input(0)?;
    let channels = x.sizes.get(1).ok_or("its input has no channels; give [N, C, …]")?;
    for place in 1..call.inputs.len() {
        let found = &call.ranked(place, 1)?.sizes[0];
        if found.differs(channels) {
            return Err(format!("its input {place} has {found} elements for {channels} channels"));
        }
    }
    Ok(Fact::new(x.data_type, x.sizes.clone()))
}

fn batch_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    if call.int("training_mode").unwrap_or(0) != 0 {
        return Err("it is in training mode; export the model for inference".to_owned());
    }
    Ok(vec![check_channels(call)?])
}

fn instance_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.input(0).and_then(|x| match x.rank() >= 3 {
        true => Ok(vec![check_channels(call)?]),
        false => Err(format!("its input is {} and should be [N, C, …]", shape(&x.sizes))),
    })
}

fn layer_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    let x = call.input(0)?;
    let axis = call.axis(call.int("axis").unwrap_or(-1), x.rank())?;
    for parameter in call.inputs[1..].iter().flatten() {
        let both = broadcast(&x.sizes[axis..], &parameter.sizes)?;
        if both.len() + axis != x.rank()
            || both.iter().zip(&x.sizes[axis..]).any(|(both, own)| both.differs(own))
        {
            return Err(format!(
                "its scale or bias {} does not fit {}",
                shape(&parameter.sizes),
                shape(&x.sizes)
            ));
        }
    }
    let mut reduced = x.sizes.clone();
    reduced[axis..].fill(Size::from(1));
    let statistic = Fact::new(super::super::tensor::DataType::Float32, reduced);
    Ok(vec![Fact::new(x.data_type, x.sizes.clone()), statistic.clone(), statistic])
}

fn softmax(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    let default = if call.opset < 13 { 1 } else { -1 };
    call.axis(call.int("axis").unwrap_or(default), x.rank())?;
    Ok(vec![Fact::new(x.data_type, x.sizes.clone())])
}
