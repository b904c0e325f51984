//! Images made larger or smaller.

use super::super::fact::{Fact, shape};
use super::super::infer::{Axes, Call};
use super::super::proto::AttributeType;
use super::super::size::Size;
use super::super::tensor::DataType;
use super::{Attribute, Op, floats, is_int64};

const ROI_MODE: &str = "tf_crop_and_resize";

pub(super) const OPS: &[Op] = &[Op::new("Resize", &[11, 13, 18, 19], resize).inputs(1, 4).with(&[
    Attribute::new("antialias", AttributeType::Int).only(18, 22),
    Attribute::new("axes", AttributeType::Ints).only(18, 22),
    Attribute::choice(
        "coordinate_transformation_mode",
        &[
            "half_pixel",
            "half_pixel_symmetric",
            "pytorch_half_pixel",
            "align_corners",
            "asymmetric",
            "tf_half_pixel_for_nn",
            ROI_MODE,
        ],
    ),
    Attribute::new("cubic_coeff_a", AttributeType::Float),
    Attribute::new("exclude_outside", AttributeType::Int),
    Attribute::new("extrapolation_value", AttributeType::Float),
    Attribute::choice("keep_aspect_ratio_policy", &["stretch", "not_larger", "not_smaller"]).only(18, 22),
    Attribute::choice("mode", &["nearest", "linear", "cubic"]),
    Attribute::choice("nearest_mode", &["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]),
])];

/// Either scales (input 2) or sizes (input 3), one for each dimension or each of `axes`.
fn resize(call: &Call<'_>) -> Result<Vec<Fact>, String> {
    call.check_type(1, floats::<13>)?;
    call.check_type(2, |kind, _| kind == DataType::Float32)?;
    call.check_type(3, is_int64)?;
    let x = call.input(0)?;
    if call.opset < 13 && (call.optional(1).is_none() || call.optional(2).is_none()) {
        return Err("it leaves out inputs that operator set 13 made optional; give empty ones".to_owned());
    }
    let axes = match call.axes(usize::MAX, 0)? {
        Some(Axes::Listed(axes)) => call.places(&axes, x.rank())?,
        _ => (0..x.rank()).collect(),
    };
    let is_empty = |place: usize| call.optional(place).is_none_or(|fact| fact.elements().is(0));
    let target = match (is_empty(2), is_empty(3)) {
        (false, true) => 2,
        (true, false) => 3,
        _ => return Err("it needs scales or sizes, and not both".to_owned()),
    };
    let count = call.count(target)?;
    if count != axes.len() {
        let sizes = shape(&x.sizes);
        return Err(format!(
            "it has {count} scales or sizes for {} axes of {sizes}; give one for each",
            axes.len()
        ));
    }
    let found = if target == 2 { by_scales(call, x, &axes)? } else { to_sizes(call, x, &axes)? };
    let found = found.unwrap_or_else(|| axes.iter().map(|&place| call.unknown(place)).collect());
    let mut sizes = x.sizes.clone();
    for (place, size) in axes.into_iter().zip(found) {
        sizes[place] = size;
    }
    Ok(vec![Fact::new(x.data_type, sizes)])
}

/// Sizes times scales, rounded down; a named size only by whole scales.
fn by_scales(call: &Call<'_>, x: &Fact, axes: &[usize]) -> Result<Option<Vec<Size>>, String> {
    let Some(scales) = call.optional(2).and_then(|scales| scales.floats.as_ref()) else { return Ok(None) };
    if let Some(scale) = scales.iter().find(|&&scale| !(scale.is_finite() && scale > 0.0)) {
        return Err(format!("one of its scales is {scale}; give numbers above 0"));
    }
    if call.text("coordinate_transformation_mode") == Some(ROI_MODE) {
        return Ok(None);
    }
    let scaled = |(&place, &scale): (&usize, &f32)| match x.sizes[place].fixed() {
        // Runtimes compute it in f32, and onnx in f64.
        Some(size) => {
            let (short, long) = ((size as f32 * scale).floor(), (size as f64 * f64::from(scale)).floor());
            if f64::from(short) == long { Size::from(long as i64) } else { call.unknown(place) }
        }
        None if scale.fract() == 0.0 => x.sizes[place].times(&Size::from(scale as i64)),
        None => call.unknown(place),
    };
    Ok(Some(axes.iter().zip(scales).map(scaled).collect()))
}

/// The sizes that are given, or the largest or smallest that keep the proportions.
fn to_sizes(call: &Call<'_>, x: &Fact, axes: &[usize]) -> Result<Option<Vec<Size>>, String> {
    let wanted = call.optional(3).and_then(|sizes| sizes.known.clone());
    let larger = match call.text("keep_aspect_ratio_policy").unwrap_or("stretch") {
        "stretch" => return Ok(wanted),
        policy => policy == "not_smaller",
    };
    let fixed = |sizes: Option<Vec<Size>>| sizes?.iter().map(Size::fixed).collect::<Option<Vec<i64>>>();
    let own = fixed(Some(axes.iter().map(|&place| x.sizes[place].clone()).collect()));
    let (Some(wanted), Some(own)) = (fixed(wanted), own) else { return Ok(None) };
    let scales = wanted.iter().zip(&own).map(|(&wanted, &own)| wanted as f32 / own as f32);
    let scale = scales.reduce(if larger { f32::max } else { f32::min }).unwrap_or(1.0);
    // Halves are rounded up.
    Ok(Some(own.iter().map(|&own| Size::from((own as f32 * scale + 0.5).floor() as i64)).collect()))
}
