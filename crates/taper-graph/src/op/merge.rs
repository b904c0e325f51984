//! Ops that join several values.

use super::wrong_count;
use crate::error::ShapeError;
use crate::shape::Shape;

/// Both inputs of an addition have one shape; there is no broadcasting.
pub(super) fn infer_add(inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let &[first, other] = inputs else { return Err(wrong_count("two inputs", inputs.len())) };
    if first == other {
        return Ok(first.clone());
    }
    Err(ShapeError::Disagree {
        first: first.clone(),
        other: other.clone(),
        remedy: "make their shapes equal, for instance by a 1×1 convolution on one of them",
    })
}

/// Inputs agree in all but dimension 1, along which they are joined.
pub(super) fn infer_concat(inputs: &[&Shape]) -> Result<Shape, ShapeError> {
    let [first, _, ..] = inputs else { return Err(wrong_count("two inputs or more", inputs.len())) };
    let mut item = first.item();
    for other in &inputs[1..] {
        let sizes = other.item();
        if sizes.len() != item.len() || sizes[1..] != item[1..] {
            return Err(ShapeError::Disagree {
                first: (*first).clone(),
                other: (*other).clone(),
                remedy: "all sizes but the channels must be equal",
            });
        }
        item[0] = item[0].checked_add(sizes[0]).ok_or(ShapeError::TooLarge { sizes })?;
    }
    Shape::batch_of(&item)
}
