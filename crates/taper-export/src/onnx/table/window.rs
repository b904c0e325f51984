//! Convolution and pooling.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, Op, is_float};

const AUTO_PAD: Attribute = Attribute::new("auto_pad", AttributeType::String);
const DILATIONS: Attribute = Attribute::new("dilations", AttributeType::Ints);
const GROUP: Attribute = Attribute::new("group", AttributeType::Int);
const KERNEL: Attribute = Attribute::new("kernel_shape", AttributeType::Ints);
const NEEDED_KERNEL: Attribute = Attribute::required("kernel_shape", AttributeType::Ints);
const PADS: Attribute = Attribute::new("pads", AttributeType::Ints);
const STRIDES: Attribute = Attribute::new("strides", AttributeType::Ints);
const CEIL: Attribute = Attribute::new("ceil_mode", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("Conv", &[11, 22], conv)
        .inputs(2, 3)
        .taking(is_float)
        .with(&[AUTO_PAD, DILATIONS, GROUP, KERNEL, PADS, STRIDES]),
    Op::new("ConvTranspose", &[11, 22], conv_transpose).inputs(2, 3).taking(is_float).with(&[
        AUTO_PAD,
        DILATIONS,
        GROUP,
        KERNEL,
        Attribute::new("output_padding", AttributeType::Ints),
        Attribute::new("output_shape", AttributeType::Ints),
        PADS,
        STRIDES,
    ]),
    Op::new("MaxPool", &[12, 22], max_pool)
        .outputs(2)
        .taking(|kind, set| is_float(kind, set) || matches!(kind, DataType::Int8 | DataType::UInt8))
        .with(&[
            AUTO_PAD,
            CEIL,
            DILATIONS,
            NEEDED_KERNEL,
            PADS,
            Attribute::new("storage_order", AttributeType::Int),
            STRIDES,
        ]),
    Op::new("AveragePool", &[11, 19, 22], |call| Ok(vec![pool(call)?])).taking(is_float).with(&[
        AUTO_PAD,
        CEIL,
        Attribute::new("count_include_pad", AttributeType::Int),
        Attribute { opsets: (19, 22), ..DILATIONS },
        NEEDED_KERNEL,
        PADS,
        STRIDES,
    ]),
    Op::new("GlobalAveragePool", &[1, 22], global_pool).taking(is_float),
    Op::new("GlobalMaxPool", &[1, 22], global_pool).taking(is_float),
];

/// The settings that windows along all axes share, with their defaults filled in.
struct Windows {
    kernel: Vec<i64>,
    strides: Vec<i64>,
    dilations: Vec<i64>,
    pads: Vec<i64>,
}

impl Windows {
    fn of(call: &Call<'_>, kernel: Vec<i64>) -> Result<Self, String> {
        let axes = kernel.len();
        let list = |name: &str, count: usize, default: i64, least: i64| {
            let values = call.ints(name).map_or_else(|| vec![default; count], <[i64]>::to_vec);
            if values.len() != count || values.iter().any(|&value| value < least) {
                return Err(format!(
                    "its attribute `{name}` is {values:?}; give {count} numbers from {least}"
                ));
            }
            Ok(values)
        };
        if kernel.iter().any(|&size| size < 1) {
            return Err(format!("its window is {kernel:?}; give sizes from 1"));
        }
        Ok(Self {
            strides: list("strides", axes, 1, 1)?,
            dilations: list("dilations", axes, 1, 1)?,
            pads: list("pads", 2 * axes, 0, 0)?,
            kernel,
        })
    }

    /// The number of windows along `axis` of an input of `size`.
    fn positions(&self, call: &Call<'_>, axis: usize, size: &Size) -> Result<Size, String> {
        let stride = self.strides[axis];
        let rounding = |ceil: bool| if ceil { stride - 1 } else { 0 };
        let span = self.dilations[axis] * (self.kernel[axis] - 1) + 1;
        let positions = match call.text("auto_pad").unwrap_or("NOTSET") {
            "SAME_UPPER" | "SAME_LOWER" => size.plus(&Size::from(stride - 1)).over(stride),
            mode @ ("NOTSET" | "VALID") => {
                let pads =
                    if mode == "VALID" { 0 } else { self.pads[axis] + self.pads[axis + self.kernel.len()] };
                let room = size.plus(&Size::from(pads - span + rounding(call.int("ceil_mode") == Some(1))));
                room.over(stride).plus(&Size::from(1))
            }
            other => return Err(format!("its attribute `auto_pad` is `{other}`, which is none of ONNX's")),
        };
        match positions.fixed() {
            Some(count) if count < 1 => {
                Err(format!("a window of {span} does not fit into its input of {size} along axis {axis}"))
            }
            _ => Ok(positions),
        }
    }
}

/// `[N, C, …]` with at least one axis for windows.
fn image<'a>(call: &Call<'a>) -> Result<&'a Fact, String> {
    let x = call.input(0)?;
    if x.rank() >= 3 {
        return Ok(x);
    }
    Err(format!("its input is {} and should be [N, C, …]", shape(&x.sizes)))
}

/// The weight's sizes, which must be known and fit the attribute `kernel_shape`.
fn weight_sizes(call: &Call<'_>, rank: usize) -> Result<Vec<i64>, String> {
    call.same_types()?;
    let weight = call.ranked(1, rank)?;
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

fn check_channels(call: &Call<'_>, found: &Size, wanted: i64) -> Result<(), String> {
    match found.differs(&Size::from(wanted)) {
        true => Err(format!("its input has {found} channels and its weight is made for {wanted}")),
        false => check_bias(call),
    }
}

fn check_bias(call: &Call<'_>) -> Result<(), String> {
    if call.optional(2).is_some() { call.ranked(2, 1).map(|_| ()) } else { Ok(()) }
}

fn conv(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = image(call)?;
    let weight = weight_sizes(call, x.rank())?;
    let groups = call.int("group").unwrap_or(1);
    check_channels(call, &x.sizes[1], weight[1].saturating_mul(groups))?;
    if groups < 1 || weight[0] % groups != 0 {
        return Err(format!("its {} output channels are not divisible by {groups} groups", weight[0]));
    }
    check_bias_count(call, weight[0])?;
    let windows = Windows::of(call, weight[2..].to_vec())?;
    let mut sizes = vec![x.sizes[0].clone(), Size::from(weight[0])];
    for (axis, size) in x.sizes[2..].iter().enumerate() {
        sizes.push(windows.positions(call, axis, size)?);
    }
    Ok(vec![Fact::new(x.data_type, sizes)])
}

fn check_bias_count(call: &Call<'_>, channels: i64) -> Result<(), String> {
    match call.optional(2).filter(|bias| bias.sizes[0].differs(&Size::from(channels))) {
        Some(bias) => Err(format!("its bias has {} elements for {channels} output channels", bias.sizes[0])),
        None => Ok(()),
    }
}

fn conv_transpose(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = image(call)?;
    let weight = weight_sizes(call, x.rank())?;
    let groups = call.int("group").unwrap_or(1);
    check_channels(call, &x.sizes[1], weight[0])?;
    let channels = weight[1].saturating_mul(groups);
    check_bias_count(call, channels)?;
    if call.text("auto_pad").is_some_and(|mode| mode != "NOTSET") || call.ints("output_shape").is_some() {
        return Err("its padding is to be worked out by the runtime; write `pads` instead".to_owned());
    }
    let windows = Windows::of(call, weight[2..].to_vec())?;
    let axes = windows.kernel.len();
    let more = call.ints("output_padding").map_or_else(|| vec![0; axes], <[i64]>::to_vec);
    if more.len() != axes {
        return Err(format!("its attribute `output_padding` is {more:?}; give {axes} numbers"));
    }
    let mut sizes = vec![x.sizes[0].clone(), Size::from(channels)];
    for (axis, size) in x.sizes[2..].iter().enumerate() {
        let span = windows.dilations[axis] * (windows.kernel[axis] - 1) + 1;
        let rest = span + more[axis] - windows.pads[axis] - windows.pads[axis + axes] - windows.strides[axis];
        sizes.push(size.times(&Size::from(windows.strides[axis])).plus(&Size::from(rest)));
    }
    Ok(vec![Fact::new(x.data_type, sizes)])
}

fn pool(call: &Call<'_>) -> Result<Fact, String> {
    let x = image(call)?;
    let kernel = call.ints("kernel_shape").unwrap_or_default().to_vec();
    if kernel.len() + 2 != x.rank() {
        return Err(format!("its window {kernel:?} does not fit its input {}", shape(&x.sizes)));
    }
    let windows = Windows::of(call, kernel)?;
    let mut sizes = x.sizes[..2].to_vec();
    for (axis, size) in x.sizes[2..].iter().enumerate() {
        sizes.push(windows.positions(call, axis, size)?);
    }
    Ok(Fact::new(x.data_type, sizes))
}

fn max_pool(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let values = pool(call)?;
    let places = Fact::new(DataType::Int64, values.sizes.clone());
    Ok(vec![values, places])
}

fn global_pool(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = image(call)?;
    let ones = x.sizes[2..].iter().map(|_| Size::from(1));
    Ok(vec![Fact::new(x.data_type, x.sizes[..2].iter().cloned().chain(ones).collect())])
}
