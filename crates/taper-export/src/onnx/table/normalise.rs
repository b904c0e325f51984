//! Normalisation and softmax.

use super::super::fact::{Fact, shape};
use super::super::infer::{Call, broadcast};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, Op, floats};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int);
const EPSILON: Attribute = Attribute::new("epsilon", AttributeType::Float);

const P: Attribute = Attribute::new("p", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("BatchNormalization", &[9, 14, 15], batch_norm)
        .inputs(5, 5)
        .outputs(3)
        .taking(floats::<14>)
        .with(&[
            EPSILON,
            Attribute::new("momentum", AttributeType::Float),
            Attribute::new("training_mode", AttributeType::Int).only(14, 22),
        ]),
    Op::new("GroupNormalization", &[18, 21], group_norm).inputs(3, 3).taking(floats::<13>).with(&[
        EPSILON,
        Attribute::required("num_groups", AttributeType::Int),
        Attribute::new("stash_type", AttributeType::Int).only(21, 22),
    ]),
    Op::new("Hardmax", &[11, 13], softmax).taking(floats::<13>).with(&[AXIS]),
    Op::new("InstanceNormalization", &[6, 22], instance_norm)
        .inputs(3, 3)
        .taking(floats::<22>)
        .with(&[EPSILON]),
    Op::new("LayerNormalization", &[17], layer_norm).inputs(2, 3).outputs(3).taking(floats::<13>).with(&[
        AXIS,
        EPSILON,
        Attribute::new("stash_type", AttributeType::Int),
    ]),
    Op::new("LogSoftmax", &[11, 13], softmax).taking(floats::<13>).with(&[AXIS]),
    Op::new("LpNormalization", &[1, 22], lp_norm).taking(floats::<22>).with(&[AXIS, P]),
    Op::new("LRN", &[1, 13], local_norm).taking(floats::<13>).with(&[
        Attribute::new("alpha", AttributeType::Float),
        Attribute::new("beta", AttributeType::Float),
        Attribute::new("bias", AttributeType::Float),
        Attribute::required("size", AttributeType::Int),
    ]),
    Op::new("MeanVarianceNormalization", &[9, 13], mean_variance)
        .taking(floats::<13>)
        .with(&[Attribute::new("axes", AttributeType::Ints)]),
    Op::new("Softmax", &[11, 13], softmax).taking(floats::<13>).with(&[AXIS]),
];

/// That the inputs from the second on are lists with `count` numbers, one for each of `what`.
fn check_lists(call: &Call<'_>, count: &Size, what: &str) -> Result<(), String> {
    for place in 1..call.inputs.len() {
        let found = &call.ranked(place, 1)?.sizes[0];
        if found.differs(count) {
            return Err(format!(
                "its input {place} has {found} elements for {count} {what}; give one for each"
            ));
        }
    }
    Ok(())
}

fn channels<'a>(call: &Call<'a>) -> Result<&'a Size, String> {
    call.input(0)?.sizes.get(1).ok_or_else(|| "its input has no channels; give [N, C, …]".to_owned())
}

/// Scale and bias are of the input's type until operator set 14 and of one of their own since; so are mean and
/// variance, one operator set earlier.
fn batch_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    if call.int("training_mode").unwrap_or(0) != 0 {
        return Err("it is in training mode; export the model for inference".to_owned());
    }
    call.check_alike(if call.opset < 15 { 0..3 } else { 1..3 })?;
    call.check_alike(if call.opset < 14 { [0, 3, 4] } else { [3, 3, 4] })?;
    for place in 1..5 {
        call.check_type(place, floats::<14>)?;
    }
    check_lists(call, channels(call)?, "channels")?;
    Ok(vec![call.input(0)?.plain()])
}

/// Scale and bias are given for each group, and for each channel since operator set 21.
fn group_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    let (channels, groups) = (channels(call)?, call.int("num_groups").unwrap_or(0));
    if groups < 1 || channels.fixed().is_some_and(|channels| channels % groups != 0) {
        return Err(format!("its {channels} channels are not divisible by {groups} groups"));
    }
    match call.opset < 21 {
        true => check_lists(call, &Size::from(groups), "groups")?,
        false => check_lists(call, channels, "channels")?,
    }
    Ok(vec![call.input(0)?.plain()])
}

fn instance_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.input(0).and_then(|x| match x.rank() >= 3 {
        true => {
            call.same_types()?;
            check_lists(call, channels(call)?, "channels")?;
            Ok(vec![x.plain()])
        }
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

fn lp_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    call.axis(call.int("axis").unwrap_or(-1), x.rank())?;
    match call.int("p").unwrap_or(2) {
        1 | 2 => Ok(vec![x.plain()]),
        other => Err(format!("its attribute `p` is {other}; give 1 or 2")),
    }
}

fn local_norm(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    channels(call)?;
    match call.int("size").unwrap_or(0) {
        1.. => Ok(vec![call.input(0)?.plain()]),
        other => Err(format!("its attribute `size` is {other}; give a number of channels from 1")),
    }
}

fn mean_variance(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    call.places(call.ints("axes").unwrap_or(&[0, 2, 3]), x.rank())?;
    Ok(vec![x.plain()])
}
