//! Images made larger or smaller.

use super::super::fact::{Fact, shape};
use super::super::infer::Call;
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::{Attribute, Op, is_number};

pub(super) const OPS: &[Op] =
    &[Op::new("Resize", &[11, 13, 18, 19], resize).inputs(1, 4).taking(is_number).with(&[
        Attribute::new("antialias", AttributeType::Int).only(18, 22),
        Attribute::new("axes", AttributeType::Ints).only(18, 22),
        Attribute::new("coordinate_transformation_mode", AttributeType::String),
        Attribute::new("cubic_coeff_a", AttributeType::Float),
        Attribute::new("exclude_outside", AttributeType::Int),
        Attribute::new("extrapolation_value", AttributeType::Float),
        Attribute::new("keep_aspect_ratio_policy", AttributeType::String).only(18, 22),
        Attribute::new("mode", AttributeType::String),
        Attribute::new("nearest_mode", AttributeType::String),
    ])];

/// Either scales (input 2) or sizes (input 3), one for each dimension.
fn resize(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    let x = call.input(0)?;
    if call.opset < 13 && (call.optional(1).is_none() || call.optional(2).is_none()) {
        return Err("it leaves out inputs that operator set 13 made optional; give empty ones".to_owned());
    }
    let is_empty = |place: usize| call.optional(place).is_none_or(|fact| fact.elements().is(0));
    let sizes = match (is_empty(2), is_empty(3)) {
        (false, true) => by_scales(call, x),
        (true, false) => call.optional(3).and_then(|sizes| sizes.known.clone()),
        _ => return Err("it needs scales or sizes, and not both".to_owned()),
    };
    let sizes = sizes.unwrap_or_else(|| (0..x.rank()).map(|place| call.unknown(place)).collect());
    if sizes.len() != x.rank() {
        return Err(format!(
            "it has {} sizes for {}; give one for each dimension",
            sizes.len(),
            shape(&x.sizes)
        ));
    }
    Ok(vec![Fact::new(x.data_type, sizes)])
}

/// Sizes times scales, rounded down; a named size only by whole scales.
fn by_scales(call: &Call<'_>, x: &Fact) -> Option<Vec<Size>> {
    let scales = call.optional(2)?.floats.as_ref().filter(|scales| scales.len() == x.rank())?;
    let scaled = |(place, (size, &scale)): (usize, (&Size, &f32))| match size.fixed() {
        Some(size) => Size::from((size as f64 * f64::from(scale)).floor() as i64),
        None if scale.fract() == 0.0 => size.times(&Size::from(scale as i64)),
        None => call.unknown(place),
    };
    Some(x.sizes.iter().zip(scales).enumerate().map(scaled).collect())
}
