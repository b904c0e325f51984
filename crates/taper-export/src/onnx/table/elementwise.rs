//! Operators on one element at a time.

use super::super::fact::Fact;
use super::super::infer::{Call, broadcast};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{
    Attribute, MANY, NEVER, Op, any, floats, is_arithmetic, is_bool, is_index, is_int64, is_signed,
    is_unsigned, is_whole, numbers, wide,
};

const ALPHA: Attribute = Attribute::new("alpha", AttributeType::Float);

pub(super) const OPS: &[Op] = &[
    unary("Abs", &[6, 13]).taking(numbers::<13>),
    late("Acos", &[7, 22]),
    late("Acosh", &[9, 22]),
    late("Asin", &[7, 22]),
    late("Asinh", &[9, 22]),
    late("Atan", &[7, 22]),
    late("Atanh", &[9, 22]),
    unary("BitwiseNot", &[18]).taking(is_whole),
    unary("Ceil", &[6, 13]),
    unary("Celu", &[12]).taking(|kind, _| kind == DataType::Float32).with(&[ALPHA]),
    late("Cos", &[7, 22]),
    late("Cosh", &[9, 22]),
    late("Elu", &[6, 22]).with(&[ALPHA]),
    unary("Erf", &[9, 13])
        .taking(|kind, set| if set < 13 { numbers::<13>(kind, set) } else { floats::<13>(kind, set) }),
    unary("Exp", &[6, 13]),
    unary("Floor", &[6, 13]),
    unary("Gelu", &[20]).with(&[Attribute::choice("approximate", &["none", "tanh"])]),
    late("HardSigmoid", &[6, 22]).with(&[ALPHA, Attribute::new("beta", AttributeType::Float)]),
    late("HardSwish", &[14, 22]),
    Op::new("Identity", &[1, 13, 14, 16, 19, 21], identity),
    Op::new("IsInf", &[10, 20], predicate)
        .taking(|kind, set| floats::<20>(kind, set) && (set >= 20 || kind != DataType::Float16))
        .with(&[
            Attribute::new("detect_negative", AttributeType::Int),
            Attribute::new("detect_positive", AttributeType::Int),
        ]),
    Op::new("IsNaN", &[9, 13, 20], predicate).taking(floats::<13>),
    unary("LeakyRelu", &[6, 16]).taking(floats::<16>).with(&[ALPHA]),
    unary("Log", &[6, 13]),
    late("Mish", &[18, 22]),
    Op::new("Neg", &[6, 13], negate).taking(is_signed),
    unary("Not", &[1]).taking(is_bool),
    unary("Reciprocal", &[6, 13]),
    unary("Relu", &[6, 13, 14])
        .taking(|kind, set| if set < 14 { floats::<13>(kind, set) } else { is_signed(kind, set) }),
    late("Round", &[11, 22]),
    late("Selu", &[6, 22]).with(&[ALPHA, Attribute::new("gamma", AttributeType::Float)]),
    unary("Shrink", &[9])
        .taking(numbers::<NEVER>)
        .with(&[Attribute::new("bias", AttributeType::Float), Attribute::new("lambd", AttributeType::Float)]),
    unary("Sigmoid", &[6, 13]),
    unary("Sign", &[9, 13]).taking(numbers::<13>),
    late("Sin", &[7, 22]),
    late("Sinh", &[9, 22]),
    late("Softplus", &[1, 22]),
    late("Softsign", &[1, 22]),
    unary("Sqrt", &[6, 13]),
    late("Tan", &[7, 22]),
    unary("Tanh", &[6, 13]),
    late("ThresholdedRelu", &[10, 22]).with(&[ALPHA]),
    binary("Add", &[7, 13, 14]),
    binary("BitShift", &[11])
        .taking(is_unsigned)
        .with(&[Attribute { required: true, ..Attribute::choice("direction", &["LEFT", "RIGHT"]) }]),
    binary("BitwiseAnd", &[18]).taking(is_whole),
    binary("BitwiseOr", &[18]).taking(is_whole),
    binary("BitwiseXor", &[18]).taking(is_whole),
    binary("Div", &[7, 13, 14]),
    binary("Mod", &[10, 13]).taking(numbers::<13>).with(&[Attribute::new("fmod", AttributeType::Int)]),
    binary("Mul", &[7, 13, 14]),
    Op::new("Pow", &[12, 13, 15], pow).inputs(2, 2).taking(is_base),
    Op::new("PRelu", &[9, 16], prelu).inputs(2, 2).taking(wide::<16>),
    binary("Sub", &[7, 13, 14]),
    binary("Max", &[12, 13]).inputs(1, MANY).taking(numbers::<13>),
    binary("Mean", &[8, 13]).inputs(1, MANY).taking(floats::<13>),
    binary("Min", &[12, 13]).inputs(1, MANY).taking(numbers::<13>),
    binary("Sum", &[8, 13]).inputs(1, MANY).taking(floats::<13>),
    comparison("And", &[7]).taking(is_bool),
    comparison("Or", &[7]).taking(is_bool),
    comparison("Xor", &[7]).taking(is_bool),
    comparison("Equal", &[11, 13, 19])
        .taking(|kind, set| any::<13>(kind, set) && (set >= 19 || kind != DataType::Text)),
    comparison("Greater", &[9, 13]),
    comparison("GreaterOrEqual", &[12, 16]).taking(numbers::<16>),
    comparison("Less", &[9, 13]),
    comparison("LessOrEqual", &[12, 16]).taking(numbers::<16>),
    Op::new("Where", &[9, 16], choose).inputs(3, 3).taking(is_bool),
    Op::new("Clip", &[12, 13], clip).inputs(1, 3).taking(numbers::<13>),
    Op::new("Dropout", &[12, 13, 22], dropout)
        .inputs(1, 3)
        .outputs(2)
        .taking(floats::<13>)
        .with(&[Attribute::new("seed", AttributeType::Int)]),
    Op::new("CumSum", &[11, 14], cumsum)
        .inputs(2, 2)
        .taking(|kind, set| wide::<14>(kind, set) && (set >= 14 || kind != DataType::Float16))
        .with(&[
            Attribute::new("exclusive", AttributeType::Int),
            Attribute::new("reverse", AttributeType::Int),
        ]),
    Op::new("Trilu", &[14], trilu).inputs(1, 2).with(&[Attribute::new("upper", AttributeType::Int)]),
];

const fn unary(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, |call| Ok(vec![call.input(0)?.plain()])).taking(floats::<13>)
}

/// Takes bfloat16 since operator set 22 only.
const fn late(name: &'static str, versions: &'static [i64]) -> Op {
    unary(name, versions).taking(floats::<22>)
}

const fn binary(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, arithmetic).inputs(2, 2).taking(is_arithmetic)
}

const fn comparison(name: &'static str, versions: &'static [i64]) -> Op {
    Op::new(name, versions, compare).inputs(2, 2).taking(numbers::<13>)
}

fn is_base(kind: DataType, set: i64) -> bool {
    floats::<13>(kind, set) || is_index(kind, set)
}

fn identity(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![call.input(0)?.clone()])
}

/// Whole numbers that are known stay known.
fn negate(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let (x, zero) = (call.input(0)?, Size::from(0));
    let known = x.known.as_ref().map(|known| known.iter().map(|size| zero.minus(size)).collect());
    Ok(vec![x.plain().with_known(known)])
}

fn predicate(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![Fact::new(DataType::Bool, call.input(0)?.sizes.clone())])
}

/// All inputs laid over each other; whole numbers that are known stay known.
fn arithmetic(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    let mut sizes = call.input(0)?.sizes.clone();
    for fact in call.inputs.iter().flatten().skip(1) {
        sizes = broadcast(&sizes, &fact.sizes)?;
    }
    let known = if sizes.len() < 2 { known_result(call) } else { None };
    Ok(vec![Fact::new(data_type, sizes).with_known(known)])
}

fn known_result(call: &Call<'_>) -> Option<Vec<Size>> {
    let (left, right) = (call.optional(0)?.known.as_ref()?, call.optional(1)?.known.as_ref()?);
    let count = left.len().max(right.len());
    let at = |sizes: &[Size], place: usize| match sizes {
        [only] => Some(only.clone()),
        _ => sizes.get(place).filter(|_| sizes.len() == count).cloned(),
    };
    let element = |place| {
        let (a, b) = (at(left, place)?, at(right, place)?);
        match call.op.name {
            "Add" => Some(a.plus(&b)),
            "Sub" => Some(a.minus(&b)),
            "Mul" => Some(a.times(&b)),
            "Div" => quotient(&a, b.fixed()?),
            _ => None,
        }
    };
    (0..count).map(element).collect()
}

/// Whole numbers are cut off towards 0; a size, which is not negative, is rounded down.
fn quotient(size: &Size, divisor: i64) -> Option<Size> {
    match size.fixed() {
        Some(number) => number.checked_div(divisor).map(Size::from),
        None => (divisor > 0).then(|| size.over(divisor)),
    }
}

fn pow(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, numbers::<15>)?;
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
    Ok(vec![x.plain()])
}

fn compare(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    let sizes = broadcast(&call.input(0)?.sizes, &call.input(1)?.sizes)?;
    Ok(vec![Fact::new(DataType::Bool, sizes)])
}

fn choose(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, any::<16>)?;
    let (condition, yes, no) = (call.input(0)?, call.input(1)?, call.input(2)?);
    call.check_alike([1, 2])?;
    let sizes = broadcast(&condition.sizes, &broadcast(&yes.sizes, &no.sizes)?)?;
    Ok(vec![Fact::new(yes.data_type, sizes)])
}

fn clip(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.same_types()?;
    match call.inputs.iter().flatten().skip(1).find(|bound| bound.rank() > 0) {
        Some(bound) => {
            Err(format!("its bounds are single numbers, but one is {bound}; give it no dimensions"))
        }
        None => Ok(vec![call.input(0)?.plain()]),
    }
}

fn dropout(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, floats::<13>)?;
    call.check_type(2, is_bool)?;
    let x = call.input(0)?.plain();
    let mask = Fact::new(DataType::Bool, x.sizes.clone());
    Ok(vec![x, mask])
}

fn cumsum(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_index)?;
    let x = call.input(0)?;
    if let Some(axis) = call.numbers(1).and_then(|axes| axes.first().copied()) {
        call.axis(axis, x.rank())?;
    }
    Ok(vec![x.plain()])
}

fn trilu(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_int64)?;
    let x = call.input(0)?;
    if x.rank() < 2 {
        return Err(format!("its input is {x} and should be one or more matrices"));
    }
    Ok(vec![x.plain()])
}
