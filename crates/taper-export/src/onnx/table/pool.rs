//! Pooling.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::window::{AUTO_PAD, CEIL, DILATIONS, PADS, STRIDES, Windows, image};
use super::{Attribute, Op, floats, is_byte};

const KERNEL: Attribute = Attribute::required("kernel_shape", AttributeType::Ints);
const P: Attribute = Attribute::new("p", AttributeType::Int);

pub(super) const OPS: &[Op] = &[
    Op::new("AveragePool", &[11, 19, 22], |call| Ok(vec![pool(call)?])).taking(floats::<22>).with(&[
        AUTO_PAD,
        CEIL,
        Attribute::new("count_include_pad", AttributeType::Int),
        DILATIONS.only(19, 22),
        KERNEL,
        PADS,
        STRIDES,
    ]),
    Op::new("GlobalAveragePool", &[1, 22], global_pool).taking(floats::<22>),
    Op::new("GlobalLpPool", &[2, 22], global_pool).taking(floats::<22>).with(&[P]),
    Op::new("GlobalMaxPool", &[1, 22], global_pool).taking(floats::<22>),
    Op::new("LpPool", &[11, 18, 22], |call| Ok(vec![pool(call)?])).taking(floats::<22>).with(&[
        AUTO_PAD,
        CEIL.only(18, 22),
        DILATIONS.only(18, 22),
        KERNEL,
        P,
        PADS,
        STRIDES,
    ]),
    Op::new("MaxPool", &[12, 22], max_pool)
        .outputs(2)
        .taking(|kind, set| floats::<22>(kind, set) || is_byte(kind, set))
        .with(&[
            AUTO_PAD,
            CEIL,
            DILATIONS,
            KERNEL,
            PADS,
            Attribute::new("storage_order", AttributeType::Int),
            STRIDES,
        ]),
];

fn pool(call: &Call<'_>) -> Result<Fact, String> {
    let x = image(call)?;
    let kernel = call.ints("kernel_shape").unwrap_or_default();
    if kernel.len() + 2 != x.rank() {
        return Err(format!("its window {kernel:?} does not fit its input {}", shape(&x.sizes)));
    }
    let outputs = Windows::of(call, kernel)?.outputs(call, &x.sizes[2..])?;
    Ok(Fact::new(x.data_type, [&x.sizes[..2], &outputs].concat()))
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
