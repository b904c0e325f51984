//! Numbers in 8 and 16 bits, with their scales and zero points.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::conv::{ATTRIBUTES, conv_sizes};
use super::linear::matrix_product;
use super::{Attribute, Op, floats, is_byte};

const AXIS: Attribute = Attribute::new("axis", AttributeType::Int).only(13, 22);
const BLOCK: Attribute = Attribute::new("block_size", AttributeType::Int).only(21, 22);

pub(super) const OPS: &[Op] = &[
    Op::new("ConvInteger", &[10], conv_integer).inputs(2, 4).taking(is_byte).with(ATTRIBUTES),
    Op::new("DequantizeLinear", &[10, 13, 19, 21], dequantize)
        .inputs(2, 3)
        .taking(is_dequantizable)
        .with(&[AXIS, BLOCK]),
    Op::new("DynamicQuantizeLinear", &[11], dynamic).outputs(3).taking(is_float32),
    Op::new("MatMulInteger", &[10], matmul_integer).inputs(2, 4).taking(is_byte),
    Op::new("QLinearConv", &[10], quantized_conv).inputs(8, 9).taking(is_byte).with(ATTRIBUTES),
    Op::new("QLinearMatMul", &[10, 21], quantized_matmul).inputs(8, 8).taking(is_byte),
    Op::new("QuantizeLinear", &[10, 13, 19, 21], quantize).inputs(2, 3).taking(is_quantizable).with(&[
        AXIS,
        BLOCK,
        Attribute::new("output_dtype", AttributeType::Int).only(21, 22),
        Attribute::new("saturate", AttributeType::Int).only(19, 22),
    ]),
];

fn is_float32(kind: DataType, _: i64) -> bool {
    kind == DataType::Float32
}

/// What a scale may be: float32, and the shorter types since operator set 19.
fn is_scale(kind: DataType, set: i64) -> bool {
    is_float32(kind, set) || (set >= 19 && floats::<19>(kind, set) && kind != DataType::Float64)
}

fn is_quantizable(kind: DataType, set: i64) -> bool {
    is_scale(kind, set) || kind == DataType::Int32
}

fn is_quantized(kind: DataType, set: i64) -> bool {
    is_byte(kind, set) || (set >= 21 && matches!(kind, DataType::Int16 | DataType::UInt16))
}

fn is_dequantizable(kind: DataType, set: i64) -> bool {
    is_quantized(kind, set) || kind == DataType::Int32
}

/// The quantised type is that of the zero point, or said by an attribute.
fn quantize(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, if call.opset < 19 { is_float32 } else { is_quantizable })?;
    call.check_type(2, is_quantized)?;
    if call.opset >= 19 {
        call.check_alike([0, 1])?;
    }
    check_scale(call)?;
    let zero = call.optional(2).map(|zero| zero.data_type);
    let said = match call.int("output_dtype").unwrap_or(0) {
        0 => None,
        code => Some(
            i32::try_from(code)
                .ok()
                .and_then(DataType::from_code)
                .filter(|&kind| is_quantized(kind, call.opset))
                .ok_or_else(|| format!("its attribute `output_dtype` is {code}, which it cannot make"))?,
        ),
    };
    if let (Some(zero), Some(said)) = (zero, said)
        && zero != said
    {
        return Err(format!("its zero point is {zero} and its attribute `output_dtype` says {said}"));
    }
    let data_type = zero.or(said).unwrap_or(DataType::UInt8);
    Ok(vec![Fact::new(data_type, call.input(0)?.sizes.clone())])
}

fn dequantize(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_scale)?;
    call.check_alike([0, 2])?;
    check_scale(call)?;
    Ok(vec![Fact::new(call.input(1)?.data_type, call.input(0)?.sizes.clone())])
}

/// One scale for all, one for each place along the axis, or one for each block of them; zero points alike.
fn check_scale(call: &Call<'_>) -> Result<(), String> {
    let (x, scale) = (call.input(0)?, call.input(1)?);
    let differs = |(own, other): (&Size, &Size)| own.differs(other);
    if let Some(zero) = call.optional(2)
        && (zero.rank() != scale.rank() || zero.sizes.iter().zip(&scale.sizes).any(differs))
    {
        let (zero, scale) = (shape(&zero.sizes), shape(&scale.sizes));
        return Err(format!("its zero points are {zero} and its scales {scale}; give one for each"));
    }
    let block = call.int("block_size").unwrap_or(0);
    if block < 0 {
        return Err(format!("its attribute `block_size` is {block}; give a number from 0"));
    }
    match &scale.sizes[..] {
        [] => return Ok(()),
        [count] if block == 0 && count.is(1) => return Ok(()),
        _ => {}
    }
    let axis = call.axis(call.int("axis").unwrap_or(1), x.rank())?;
    let wanted = match block {
        0 if call.opset < 13 => Vec::new(),
        0 => vec![x.sizes[axis].clone()],
        block => {
            let mut blocks = x.sizes.clone();
            blocks[axis] = blocks[axis].over_up(block);
            blocks
        }
    };
    if scale.rank() == wanted.len() && !scale.sizes.iter().zip(&wanted).any(differs) {
        return Ok(());
    }
    Err(format!(
        "its scales are {} and should be {} along axis {axis} of {}",
        shape(&scale.sizes),
        shape(&wanted),
        shape(&x.sizes)
    ))
}

fn dynamic(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let scalar = |data_type| Fact::new(data_type, Vec::new());
    let y = Fact::new(DataType::UInt8, call.input(0)?.sizes.clone());
    Ok(vec![y, scalar(DataType::Float32), scalar(DataType::UInt8)])
}

fn matmul_integer(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_byte)?;
    call.check_alike([0, 2])?;
    call.check_alike([1, 3])?;
    Ok(vec![Fact::new(DataType::Int32, matrix_product(call.input(0)?, call.input(1)?)?)])
}

fn conv_integer(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, is_byte)?;
    call.check_alike([0, 2])?;
    call.check_alike([1, 3])?;
    Ok(vec![Fact::new(DataType::Int32, conv_sizes(call, 1, usize::MAX)?)])
}

/// Values, scales and zero points of both inputs, then scale and zero point of the output, whose type they give.
fn check_quantized(call: &Call<'_>) -> Result<DataType, String> {
    for place in [1, 4, 6] {
        call.check_type(place, if call.opset < 21 { is_float32 } else { is_scale })?;
    }
    for place in [3, 7] {
        call.check_type(place, is_byte)?;
    }
    call.check_alike([0, 2])?;
    call.check_alike([3, 5])?;
    Ok(call.input(7)?.data_type)
}

fn quantized_matmul(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = check_quantized(call)?;
    Ok(vec![Fact::new(data_type, matrix_product(call.input(0)?, call.input(3)?)?)])
}

fn quantized_conv(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = check_quantized(call)?;
    call.check_type(8, |kind, _| kind == DataType::Int32)?;
    Ok(vec![Fact::new(data_type, conv_sizes(call, 3, 8)?)])
}
