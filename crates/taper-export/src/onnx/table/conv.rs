//! Convolution.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::window::{AUTO_PAD, DILATIONS, KERNEL, PADS, STRIDES, Windows, image, list};
use super::{Attribute, Op, floats};

const GROUP: Attribute = Attribute::new("group", AttributeType::Int);
pub(super) const ATTRIBUTES: &[Attribute] = &[AUTO_PAD, DILATIONS, GROUP, KERNEL, PADS, STRIDES];

pub(super) const OPS: &[Op] = &[
    Op::new("Conv", &[11, 22], conv).inputs(2, 3).taking(floats::<22>).with(ATTRIBUTES),
    Op::new("ConvTranspose", &[11, 22], conv_transpose).inputs(2, 3).taking(floats::<22>).with(&[
        AUTO_PAD,
        DILATIONS,
        GROUP,
        KERNEL,
        Attribute::new("output_padding", AttributeType::Ints),
        Attribute::new("output_shape", AttributeType::Ints),
        PADS,
        STRIDES,
    ]),
];

/// The weight's sizes, which must be known and fit the attribute `kernel_shape`.
fn weight_sizes(call: &Call<'_>, x: &Fact, place: usize) -> Result<Vec<i64>, String> {
    let weight = call.ranked(place, x.rank())?;
    let sizes: Option<Vec<i64>> = weight.sizes.iter().map(Size::fixed).collect();
    let sizes =
        sizes.ok_or_else(|| format!("its weight is {}; its sizes must be fixed", shape(&weight.sizes)))?;
    match call.ints("kernel_shape") {
        Some(kernel) if kernel != &sizes[2..] => Err(format!(
            "its weight has windows {:?}, its attribute `kernel_shape` is {kernel:?}",
            &sizes[2..]
        )),
        _ => Ok(sizes),
    }
}

fn check_channels(found: &Size, wanted: i64) -> Result<(), String> {
    match found.differs(&Size::from(wanted)) {
        true => Err(format!("its input has {found} channels and its weight is made for {wanted}")),
        false => Ok(()),
    }
}

/// That the bias at `place`, if there is one, has one number for each of `channels`.
fn check_bias(call: &Call<'_>, place: usize, channels: i64) -> Result<(), String> {
    if call.optional(place).is_none() {
        return Ok(());
    }
    let count = &call.ranked(place, 1)?.sizes[0];
    match count.differs(&Size::from(channels)) {
        true => Err(format!("its bias has {count} elements for {channels} output channels")),
        false => Ok(()),
    }
}

fn groups(call: &Call<'_>) -> Result<i64, String> {
    match call.int("group").unwrap_or(1) {
        groups @ 1.. => Ok(groups),
        other => Err(format!("its attribute `group` is {other}; give a number from 1")),
    }
}

fn conv(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    Ok(vec![Fact::new(call.same_types()?, conv_sizes(call, 1, 2)?)])
}

/// The output's sizes of a convolution whose weight and bias are the inputs at `weight` and `bias`.
pub(super) fn conv_sizes(call: &Call<'_>, weight: usize, bias: usize) -> Result<Vec<Size>, String> {
    let (x, groups) = (image(call)?, groups(call)?);
    let weight = weight_sizes(call, x, weight)?;
    check_channels(&x.sizes[1], weight[1].saturating_mul(groups))?;
    if weight[0] % groups != 0 {
        return Err(format!("its {} output channels are not divisible by {groups} groups", weight[0]));
    }
    check_bias(call, bias, weight[0])?;
    let outputs = Windows::of(call, &weight[2..])?.outputs(call, &x.sizes[2..])?;
    Ok([&[x.sizes[0].clone(), Size::from(weight[0])], &outputs[..]].concat())
}

fn conv_transpose(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let data_type = call.same_types()?;
    let (x, groups) = (image(call)?, groups(call)?);
    let weight = weight_sizes(call, x, 1)?;
    check_channels(&x.sizes[1], weight[0])?;
    if weight[0] % groups != 0 {
        return Err(format!("its {} input channels are not divisible by {groups} groups", weight[0]));
    }
    let channels = weight[1].saturating_mul(groups);
    check_bias(call, 2, channels)?;
    let windows = Windows::of(call, &weight[2..])?;
    let axes = windows.spans.len();
    let more = list(call, "output_padding", axes, 0, 0)?;
    let mut sizes = vec![x.sizes[0].clone(), Size::from(channels)];
    if call.ints("output_shape").is_some() {
        // The runtime pads such that this comes out.
        sizes.extend(list(call, "output_shape", axes, 1, 1)?.into_iter().map(Size::from));
        return Ok(vec![Fact::new(data_type, sizes)]);
    }
    for (axis, size) in x.sizes[2..].iter().enumerate() {
        let stride = Size::from(windows.strides[axis]);
        let [before, after] = windows.pads(axis);
        let rest = Size::from(windows.spans[axis]).plus(&Size::from(more[axis])).minus(&stride);
        let whole = size.times(&stride);
        sizes.push(if windows.is_same() { whole } else { whole.plus(&rest).minus(&before).minus(&after) });
    }
    Ok(vec![Fact::new(data_type, sizes)])
}
