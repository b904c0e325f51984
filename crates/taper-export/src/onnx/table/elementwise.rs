//! Operators on one element at a time.

use super::super::fact::Fact;
use super::super::infer::{Call, broadcast};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, MANY, Op, is_arithmetic, is_bool, is_float, is_number, is_signed, is_wide};

const ALPHA: Attribute = Attribute::new("alpha", AttributeType::Float);

pub(super) const OPS: &[Op] = &[
    unary("Abs", &[6, 13]).taking(is_number),
    unary("Ceil", &[6, 13]),
    unary("Cos", &[7, 22]),
    unary("Elu", &[6, 22]).with(&[ALPHA]),
    unary("Erf", &[9, 13]).taking(is_number),
    unary("Exp", &[6, 13]),
    unary("Floor", &[6, 13]),
    unary("Gelu", &[20]).with(&[Attribute::new("approximate", AttributeType::String)]),
    unary("HardSigmoid", &[6, 22]).with(&[ALPHA, Attribute::new("beta", AttributeType::Float)]),
    unary("HardSwish", &[14, 22]),
    Op::new("Identity", &[1, 13, 14, 16, 19, 21], identity),
    unary("LeakyRelu", &[6, 16]).with(&[ALPHA]),
    unary("Log", &[6, 13]),
    unary("Mish", &[18, 22]),
    unary("Neg", &[6, 13]).taking(is_signed),
    unary("Not", &[1]).taking(is_bool),
    unary("Reciprocal", &[6, 13]),
    unary("Relu", &[6, 13, 14])
        .taking(|kind, set| if set < 14 { is_float(kind, set) } else { is_signed(kind, set) }),
    unary("Round", &[11, 22]),
    unary("Selu", &[6, 22]).with(&[ALPHA, Attribute::new("gamma", AttributeType::Float)]),
    unary("Sigmoid", &[6, 13]),
    unary("Sign", &[9, 13]).taking(is_number),
    unary("Sin", &[7, 22]),
    unary("Softplus", &[1, 22]),
    unary("Sqrt", &[6, 13]),
    unary("Tanh", &[6, 13]),
    binary("Add", &[7, 13, 14]),
    binary("Div", &[7, 13, 14]),
    binary("Mod", &[10, 13]).taking(is_number).with(&[Attribute::new("fmod", AttributeType::Int)]),
    binary("Mul", &[7, 13, 14]),
    Op::new("Pow", &[12, 13, 15], pow).inputs(2, 2).taking(is_wide),
    Op::new("PRelu", &[9, 16], prelu).inputs(2, 2).taking(is_wide),
    binary("Sub", &[7, 13, 14]),
    binary("Max", &[12, 13]).inputs(1, MANY).taking(is_number),
    binary("Min", &[12, 13]).inputs(1, MANY).taking(is_number),
    Op::new("And", &[7], compare).inputs(2, 2).taking(is_bool),
    Op::new("Or", &[7], compare).inputs(2, 2).taking(is_bool),
    Op::new("Xor", &[7], compare).inputs(2, 2).taking(is_bool),
    Op::new("Equal", &[11, 13, 19], compare).inputs(2, 2),
    Op::new("Greater", &[9, 13], compare).inputs(2, 2).taking(is_number),
    Op::new("GreaterOrEqual", &[12, 16], compare).inputs(2, 2).taking(is_number),
    Op::new("Less", &[9, 13], compare).inputs(2, 2).taking(is_number),
    Op::new("LessOrEqual", &[12, 16], compare).inputs(2, 2).taking(is_number),
    Op::new("Where", &[9, 16], choose).inputs(3, 3).taking(is_bool),
    Op::new("Clip", &[12, 13], clip).inputs(1, 3).taking(is_number),
    Op::new("Cast", &[9, 13, 19, 21], cast).with(&[
        Attribute::required("to", AttributeType::Int),
        Attribute::new("saturate", AttributeType::Int).only(19, 22),
    ]),
    Op::new("Dropout", &[12, 13, 22], dropout)
        .inputs(1, 3)
        .outputs(2)
        .taking(is_float)
        .with(&[Attribute::new("seed", AttributeType::Int)]),
    Op::new("CumSum", &[11, 14], cumsum).inputs(2, 2).taking(is_wide).with(&[
        Attribute::new("exclusive", AttributeType::Int),
        Attribute::new("reverse", AttributeType::Int),
    ]),
    Op::new("Trilu", &[14], |call| Ok(vec![plain(call.input(0)?)]))
        .inputs(1, 2)
        .with(&[Attribute::new("upper", AttributeType::Int)]),
    Op::new("QuantizeLinear", &[10, 13, 19, 21], quantize).inputs(2, 3).with(&[
        Attribute::new("axis", AttributeType::Int).only(13, 22),
        Attribute::new("saturate", AttributeType::Int).only(19, 22),
        Attribute::new("block_size", AttributeType::Int).only(21, 22),
        Attribute::new("output_dtype", AttributeType::Int).only(21, 22),
    ]),
    Op::new("DequantizeLinear", &[10, 13, 19, 21], dequantize).inputs(2, 3).with(&[
        Attribute::new("axis", AttributeType::Int).only(13, 22),
        Attribute::new("block_size", AttributeType::Int).only(21, 22),
    ]),
];

const fn unary(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, |call| Ok(vec![plain(call.input(0)?)])).taking(is_float)
}

const fn binary(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, arithmetic).inputs(2, 2).taking(is_arithmetic)
}

/// The type alone.
fn plain(fact: &Fact) -> Fact {
    Fact::new(fact.data_type, fact.sizes.clone())
}

fn identity(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![call.input(0)?.clone()])
}

/// All inputs laid over each other; whole numbers that are known stay known.
fn arithmetic(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    let mut sizes = call.input(0)?.sizes.clone();
    for fact in call.inputs.iter().flatten().skip(1) {
        sizes = broadcast(&sizes, &fact.sizes)?;
    }
    Ok(vec![Fact { known: known_result(call), ..Fact::new(data_type, sizes) }])
}

fn known_result(call: &Call<'_>) -> Option<Vec<Size>> {
    let (left, right) = (call.optional(0)?.known.as_ref()?, call.optional(1)?.known.as_ref()?);
    let count = left.len().max(right.len());
    let at = |sizes: &[Size], place: usize| {
        (sizes.len() == count || sizes.len() == 1).then(|| sizes[place.min(sizes.len() - 1)].clone())
    };
    let element = |place| {
        let (a, b) = (at(left, place)?, at(right, place)?);
        match call.op.name {
            "Add" => Some(a.plus(&b)),
            "Sub" => Some(a.plus(&b.times(&Size::from(-1)))),
            "Mul" => Some(a.times(&b)),
            "Div" => b.fixed().filter(|&divisor| divisor > 0).map(|divisor| a.over(divisor)),
            _ => None,
        }
    };
    (0..count).map(element).collect()
}

fn pow(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (base, exponent) = (call.input(0)?, call.input(1)?);
    Ok(vec![Fact::new(base.data_type, broadcast(&base.sizes, &exponent.sizes)?)])
}

/// The slope must not be larger than the input.
fn prelu(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    let (x, slope) = (call.input(0)?, call.input(1)?);
    let sizes = broadcast(&x.sizes, &slope.sizes)?;
    if sizes.len() != x.rank() || sizes.iter().zip(&x.sizes).any(|(result, own)| result.differs(own)) {
        return Err("its slope has more elements than its input; make it fit".to_owned());
    }
    Ok(vec![plain(x)])
}

fn compare(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    let sizes = broadcast(&call.input(0)?.sizes, &call.input(1)?.sizes)?;
    Ok(vec![Fact::new(DataType::Bool, sizes)])
}

fn choose(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (condition, yes, no) = (call.input(0)?, call.input(1)?, call.input(2)?);
    if yes.data_type != no.data_type {
        return Err(format!("it chooses between {} and {}; cast one of them", yes.data_type, no.data_type));
    }
    let sizes = broadcast(&condition.sizes, &broadcast(&yes.sizes, &no.sizes)?)?;
    Ok(vec![Fact::new(yes.data_type, sizes)])
}

fn clip(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    match call.inputs.iter().flatten().skip(1).find(|bound| bound.rank() > 0) {
        Some(bound) => Err(format!("its bounds are single numbers, but one is {bound}")),
        None => Ok(vec![plain(call.input(0)?)]),
    }
}

fn cast(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let fact = call.input(0)?;
    let code = call.int("to").unwrap_or(0);
    let to = i32::try_from(code).ok().and_then(DataType::from_code);
    let data_type = to.ok_or_else(|| format!("its attribute `to` is {code}, which is no element type"))?;
    let known = fact.known.clone().filter(|_| matches!(data_type, DataType::Int64 | DataType::Int32));
    Ok(vec![Fact { known, ..Fact::new(data_type, fact.sizes.clone()) }])
}

fn dropout(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = plain(call.input(0)?);
    let mask = Fact::new(DataType::Bool, x.sizes.clone());
    Ok(vec![x, mask])
}

fn cumsum(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (x, axis) = (call.input(0)?, call.input(1)?);
    if !matches!(axis.data_type, DataType::Int32 | DataType::Int64) {
        return Err(format!("its axis is {axis} and should be a whole number"));
    }
    if let Some(axis) = call.numbers(1).and_then(|axes| axes.first().copied()) {
        call.axis(axis, x.rank())?;
    }
    Ok(vec![plain(x)])
}

fn quantize(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    check_scale(call, scale)?;
    Ok(vec![Fact::new(call.optional(2).map_or(DataType::UInt8, |zero| zero.data_type), x.sizes.clone())])
}

fn dequantize(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    check_scale(call, scale)?;
    if let Some(zero) = call.optional(2).filter(|zero| zero.data_type != x.data_type) {
        return Err(format!("its zero point is {} and its input {}", zero.data_type, x.data_type));
    }
    Ok(vec![Fact::new(scale.data_type, x.sizes.clone())])
}

/// One scale for all, or one for each place along the axis.
fn check_scale(call: &Call<'_>, scale: &Fact) -> Result<(), String> {
    let x = call.input(0)?;
    let [count] = &scale.sizes[..] else { return Ok(()) };
    if count.is(1) {
        return Ok(());
    }
    let axis = call.axis(call.int("axis").unwrap_or(1), x.rank())?;
    match x.sizes[axis].differs(count) {
        true => Err(format!("it has {count} scales for {} places of axis {axis}", x.sizes[axis])),
        false => Ok(()),
    }
}
