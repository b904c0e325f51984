//! Which steps are needed, whether their shapes are right, and what is said where they are not.

use std::collections::BTreeMap;

use super::super::error::FlowError;
use super::super::merge::Step;
use super::super::wire::Source;
use super::Trouble;
use crate::onnx::Value;
use crate::onnx::parts::Size;

/// Which values the outputs depend on.
pub(super) fn used(steps: &[Step], outputs: &[Source], inputs: usize) -> Vec<bool> {
    let count = inputs + steps.iter().map(|step| step.count).sum::<usize>();
    let mut used = vec![false; count];
    let mark = |source: &Source, used: &mut [bool]| {
        if let Source::Made(place) = source {
            used[*place] = true;
        }
    };
    outputs.iter().for_each(|source| mark(source, &mut used));
    let mut end = count;
    for step in steps.iter().rev() {
        let first = end - step.count;
        if used[first..end].contains(&true) {
            step.inputs.iter().for_each(|source| mark(source, &mut used));
        }
        end = first;
    }
    used
}

pub(super) fn explain(step: &Step, trouble: Trouble) -> FlowError {
    match trouble {
        Trouble::Build(cause) => {
            FlowError::Node { method: step.call.method.to_owned(), at: step.at.to_string(), cause }
        }
        Trouble::Candle(cause) => {
            FlowError::refused(step.call.method, step.at, cause.to_string(), "see candle's message")
        }
        Trouble::Refuse(reason, remedy) => FlowError::refused(step.call.method, step.at, reason, remedy),
    }
}

/// That the graph's rules give the shape that candle computed, at every size that was recorded.
pub(super) fn check_shape(
    step: &Step,
    place: usize,
    value: &Value,
    points: &[BTreeMap<String, i64>],
) -> Result<(), FlowError> {
    for (point, shapes) in points.iter().zip(&step.shapes) {
        let sizes = &value.fact().sizes;
        let fits =
            |(size, &recorded): (&Size, &usize)| size.value(point).is_none_or(|size| size == recorded as i64);
        if sizes.len() != shapes[place].len() || !sizes.iter().zip(&shapes[place]).all(fits) {
            let reason =
                format!("its shape in the graph is {:?} where candle's is {:?}", value.dims(), shapes[place]);
            return Err(FlowError::refused(
                step.call.method,
                step.at,
                reason,
                "report it as a fault of Taper",
            ));
        }
    }
    Ok(())
}
