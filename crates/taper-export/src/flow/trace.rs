//! Recordings at several sizes, made one: what varies with the sizes becomes a formula over them.

use std::collections::BTreeMap;
use std::panic::Location;

use candle_core::Tensor;

use super::call::Call;
use super::error::FlowError;
use super::wire::{Event, Source};
use crate::onnx::parts::Size;

/// A size that is known only when the graph runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Axis {
    pub(super) name: String,
    /// The size of the sample.
    pub(super) size: i64,
    /// What sizes are multiples of.
    pub(super) step: i64,
}

/// The sizes to record at: every combination of the sample's sizes and those one step smaller, and one where all
/// are two steps smaller, to see whether what was found holds.
pub(super) fn points(axes: &[Axis]) -> Vec<BTreeMap<String, i64>> {
    let at = |steps: &dyn Fn(usize) -> i64| {
        let size = |(place, axis): (usize, &Axis)| (axis.name.clone(), axis.size - steps(place) * axis.step);
        axes.iter().enumerate().map(size).collect()
    };
    let corners = 1usize << axes.len();
    let mut points: Vec<_> = (0..corners).map(|corner| at(&|place| i64::from((corner >> place) & 1 == 1))).collect();
    if !axes.is_empty() {
        points.push(at(&|_| 2));
    }
    points
}

/// The formula that takes these values at [`points`]: a sum of products of sizes, if there is one.
fn fit(values: &[i64], axes: &[Axis], points: &[BTreeMap<String, i64>]) -> Option<Size> {
    let (&check, corners) = values.split_last().filter(|_| !axes.is_empty()).unwrap_or((values.first()?, values));
    let formula = through(corners, axes)?;
    (formula.value(points.last()?) == Some(check)).then_some(formula)
}

/// Through the corners, one axis after the other: a line through what was found at its two ends.
fn through(corners: &[i64], axes: &[Axis]) -> Option<Size> {
    let Some((axis, rest)) = axes.split_last() else { return corners.first().copied().map(Size::from) };
    let (high, low) = corners.split_at(corners.len() / 2);
    let (high, low) = (through(high, rest)?, through(low, rest)?);
    let minus = |a: &Size, b: &Size| a.plus(&b.times(&Size::from(-1)));
    let (rise, run) = (minus(&high, &low), Size::from(axis.step));
    let above = minus(&Size::named(&axis.name), &Size::from(axis.size - axis.step));
    Some(low.times(&run).plus(&rise.times(&above)).over(axis.step))
}

/// One operation of the model, at every size.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) call: Call,
    /// The call's sizes as formulas.
    pub(super) sizes: Vec<Size>,
    pub(super) inputs: Vec<Source>,
    /// What it made of the sample.
    pub(super) outputs: Vec<Tensor>,
    /// The shapes of the outputs, at each of the points.
    pub(super) shapes: Vec<Vec<Vec<usize>>>,
    pub(super) at: &'static Location<'static>,
}

/// The recordings made one.
pub(super) fn merge(
    tapes: Vec<Vec<Event>>,
    axes: &[Axis],
    points: &[BTreeMap<String, i64>],
) -> Result<Vec<Step>, FlowError> {
    let lengths: Vec<usize> = tapes.iter().map(Vec::len).collect();
    let shortest = lengths.iter().min().copied().unwrap_or(0);
    let mut steps = Vec::with_capacity(shortest);
    for place in 0..shortest {
        let events: Vec<&Event> = tapes.iter().map(|tape| &tape[place]).collect();
        steps.push(merge_events(&events, axes, points)?);
    }
    match tapes.iter().max_by_key(|tape| tape.len()).and_then(|tape| tape.get(shortest)) {
        Some(event) => Err(other_path(event)),
        None => Ok(steps),
    }
}

fn other_path(event: &Event) -> FlowError {
    FlowError::refused(
        event.call.method,
        event.at,
        "the model takes another path for inputs of another size",
        "write it without loops or conditions on a dynamic size, or keep that size fixed",
    )
}

fn merge_events(
    events: &[&Event],
    axes: &[Axis],
    points: &[BTreeMap<String, i64>],
) -> Result<Step, FlowError> {
    let first = events[0];
    let refuse = |reason: String, remedy: &str| FlowError::refused(first.call.method, first.at, reason, remedy);
    for event in &events[1..] {
        if event.at != first.at || event.call.method != first.call.method || event.inputs.len() != first.inputs.len() {
            return Err(other_path(first));
        }
        if event.call.kind != first.call.kind {
            let reason = format!("it is {:?} for one size and {:?} for another", first.call.kind, event.call.kind);
            return Err(refuse(reason, "use numbers that do not depend on a dynamic size"));
        }
        for (ours, theirs) in first.inputs.iter().zip(&event.inputs) {
            check_source(ours, theirs).map_err(|reason| {
                refuse(reason, "make it once, for the largest size, and `narrow` it, or keep the size fixed")
            })?;
        }
    }
    let sizes = (0..first.call.sizes.len()).map(|place| {
        let values: Vec<i64> = events.iter().map(|event| event.call.sizes[place] as i64).collect();
        fit(&values, axes, points).ok_or_else(|| {
            let reason = format!("one of its sizes is {values:?} for inputs of sizes {}", listed(points));
            refuse(reason, "use sums and products of sizes, say what the size is a multiple of, or keep it fixed")
        })
    });
    Ok(Step {
        sizes: sizes.collect::<Result<_, _>>()?,
        call: first.call.clone(),
        inputs: first.inputs.clone(),
        outputs: first.outputs.clone(),
        shapes: events.iter().map(|event| event.outputs.iter().map(|x| x.dims().to_vec()).collect()).collect(),
        at: first.at,
    })
}

/// `N = 4 T = 6, N = 3 T = 6, …`
pub(super) fn listed(points: &[BTreeMap<String, i64>]) -> String {
    let point = |point: &BTreeMap<String, i64>| {
        point.iter().map(|(name, size)| format!("{name} = {size}")).collect::<Vec<_>>().join(" ")
    };
    points.iter().map(point).collect::<Vec<_>>().join(", ")
}

/// That two recordings read the same.
fn check_source(ours: &Source, theirs: &Source) -> Result<(), String> {
    match (ours, theirs) {
        (Source::Made(ours), Source::Made(theirs)) if ours == theirs => Ok(()),
        (Source::Constant(ours), Source::Constant(theirs)) if is_same(ours, theirs) => Ok(()),
        (Source::Constant(ours), Source::Constant(theirs)) if ours.dims() != theirs.dims() => {
            Err(format!("it reads a constant of shape {:?} for one size and {:?} for another", ours.dims(), theirs.dims()))
        }
        (Source::Constant(_), Source::Constant(_)) => Err("it reads a constant that varies with the size".to_owned()),
        _ => Err("it reads another value for another size".to_owned()),
    }
}

fn is_same(ours: &Tensor, theirs: &Tensor) -> bool {
    let bytes = |tensor: &Tensor| {
        let mut bytes = Vec::new();
        tensor.write_bytes(&mut bytes).map(|()| bytes)
    };
    ours.id() == theirs.id()
        || (ours.dims() == theirs.dims()
            && ours.dtype() == theirs.dtype()
            && matches!((bytes(ours), bytes(theirs)), (Ok(ours), Ok(theirs)) if ours == theirs))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axes() -> Vec<Axis> {
        let axis = |name: &str, size, step| Axis { name: name.to_owned(), size, step };
        vec![axis("N", 5, 1), axis("T", 12, 4)]
    }

    #[test]
    fn formulas_are_found_through_their_values() {
        let (axes, mut texts) = (axes(), Vec::new());
        let points = points(&axes);
        assert_eq!(points.len(), 5);
        let formulas: [fn(i64, i64) -> i64; 6] =
            [|_, _| 7, |n, _| n, |n, t| n * t, |n, t| 2 * n * t + t - 3, |_, t| t / 2, |_, t| t / 8];
        for formula in formulas {
            let values: Vec<i64> = points.iter().map(|point| formula(point["N"], point["T"])).collect();
            texts.push(fit(&values, &axes, &points).map(|size| size.to_string()));
        }
        let found: Vec<Option<&str>> = texts.iter().map(Option::as_deref).collect();
        // An eighth of a multiple of 4 is no line.
        assert_eq!(
            found,
            [Some("7"), Some("N"), Some("N*T"), Some("2*N*T + T - 3"), Some("floor(T/2)"), None]
        );
    }
}
