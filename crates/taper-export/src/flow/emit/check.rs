//! Which steps are needed, whether their shapes are right, and what is said where they are not.

use super::super::call::Kind;
use super::super::error::FlowError;
use super::super::merge::Step;
use super::super::trace::{Sizes, listed};
use super::super::wire::Source;
use super::{Trouble, data_type};
use crate::onnx::parts::Size;
use crate::onnx::{DataType, Value};

/// Which values the outputs depend on.
pub(super) fn used(steps: &[Step], outputs: &[Source], inputs: usize) -> Vec<bool> {
    let count = inputs + steps.iter().map(Step::count).sum::<usize>();
    let mut used = vec![false; count];
    let mark = |source: &Source, used: &mut [bool]| {
        if let Source::Made(place) = source {
            used[*place] = true;
        }
    };
    outputs.iter().for_each(|source| mark(source, &mut used));
    let mut end = count;
    for step in steps.iter().rev() {
        let first = end - step.count();
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
            let reason = format!("one of its constants cannot be read: {cause}");
            FlowError::refused(
                step.call.method,
                step.at,
                reason,
                "give it one that lies in memory as candle computes",
            )
        }
        Trouble::Refuse(reason, remedy) => FlowError::refused(step.call.method, step.at, reason, remedy),
    }
}

pub(super) fn explain_output(name: &str, trouble: Trouble) -> FlowError {
    match trouble {
        Trouble::Build(error) => FlowError::Build(error),
        Trouble::Candle(cause) => FlowError::Setup {
            reason: format!(
                "output `{name}` is a constant that cannot be read: {cause}; compute it from the inputs"
            ),
        },
        Trouble::Refuse(reason, remedy) => {
            FlowError::Setup { reason: format!("output `{name}`: {reason}; {remedy}") }
        }
    }
}

/// That the graph's rules give the type and the shape that candle computed, at every size that was recorded.
pub(super) fn check_made(
    step: &Step,
    place: usize,
    value: &Value,
    points: &[Sizes],
) -> Result<(), FlowError> {
    let refuse = |reason: String| {
        let remedy = match step.call.kind {
            Kind::Custom(_) => "write nodes that make what candle makes",
            _ => "report it as a fault of Taper",
        };
        FlowError::refused(step.call.method, step.at, reason, remedy)
    };
    let (found, wanted) = (value.data_type(), data_type(step.dtypes[place]));
    // A mask is numbers only where they are needed.
    if Some(found) != wanted && (found, wanted) != (DataType::Bool, Some(DataType::UInt8)) {
        let dtype = step.dtypes[place];
        return Err(match wanted {
            Some(_) => refuse(format!("its type in the graph is {found} where candle's is {dtype:?}")),
            None => {
                let reason = format!("it makes {dtype:?}, which few runtimes have");
                FlowError::refused(step.call.method, step.at, reason, "use f16 or f32")
            }
        });
    }
    for (point, shapes) in points.iter().zip(&step.shapes) {
        let sizes = &value.fact().sizes;
        let fits =
            |(size, &recorded): (&Size, &usize)| size.value(point).is_none_or(|size| size == recorded as i64);
        if sizes.len() != shapes[place].len() || !sizes.iter().zip(&shapes[place]).all(fits) {
            let (found, wanted, at) = (value.dims(), &shapes[place], listed(std::slice::from_ref(point)));
            return Err(refuse(format!(
                "its shape in the graph is {found:?} where candle's is {wanted:?} ({at})"
            )));
        }
    }
    Ok(())
}
