//! Recordings at several sizes, made one: what varies with the sizes becomes a formula over them.

use std::collections::BTreeMap;
use std::panic::Location;
use std::rc::Rc;

use candle_core::{DType, Tensor};

use super::call::{Call, Kind};
use super::error::FlowError;
use super::trace::{Axis, Sizes, fit, listed};
use super::wire::{Event, Source};
use crate::onnx::parts::Size;

/// One operation of the model, at every size.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) call: Call,
    /// The call's sizes as formulas.
    pub(super) sizes: Vec<Size>,
    /// The one of `sizes` that follows from what is reshaped.
    pub(super) open: Option<Open>,
    pub(super) inputs: Vec<Source>,
    /// The types of the values that it makes.
    pub(super) dtypes: Vec<DType>,
    /// The shapes of what it makes, at each of the points.
    pub(super) shapes: Vec<Vec<Vec<usize>>>,
    pub(super) at: &'static Location<'static>,
}

impl Step {
    /// How many values it makes.
    pub(super) fn count(&self) -> usize {
        self.dtypes.len()
    }
}

/// A size that no sum of products of different sizes gives: a square, say.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) place: usize,
    /// What it was at each of the points.
    pub(super) values: Vec<i64>,
}

/// What one forward did, and what it returned.
pub(super) struct Recording {
    pub(super) events: Vec<Event>,
    pub(super) outputs: Vec<Source>,
}

/// The operations of all recordings, and what the model returns.
pub(super) struct Merged {
    pub(super) steps: Vec<Step>,
    pub(super) outputs: Vec<Source>,
}

/// Makes one of recordings at `points`, of a model with `inputs` inputs.
pub(super) fn merge(
    recordings: &[Recording],
    inputs: usize,
    axes: &[Axis],
    points: &[Sizes],
) -> Result<Merged, FlowError> {
    let mut merger = Merger {
        axes,
        points,
        steps: Vec::new(),
        places: (0..inputs).collect(),
        made: inputs,
        derived: BTreeMap::new(),
    };
    let lengths = || recordings.iter().map(|recording| recording.events.len());
    let shortest = lengths().min().unwrap_or(0);
    for place in 0..shortest {
        let events: Vec<&Event> = recordings.iter().map(|recording| &recording.events[place]).collect();
        let first = merger.event(&events)?;
        merger.places.extend((first..).take(events[0].outputs.len()));
    }
    if let Some(longer) = recordings.iter().find(|recording| recording.events.len() > shortest) {
        return Err(other_path(&longer.events[shortest]));
    }
    let count = recordings.first().map_or(0, |recording| recording.outputs.len());
    if recordings.iter().any(|recording| recording.outputs.len() != count) {
        let reason =
            "the model returns another number of values for inputs of another size; return as many for \
                      every size, or keep the size fixed"
                .to_owned();
        return Err(FlowError::Setup { reason });
    }
    let output = |place: usize| {
        let sources: Vec<&Source> = recordings.iter().map(|recording| &recording.outputs[place]).collect();
        merger.source(&sources).map_err(|trouble| match trouble {
            Trouble::Flow(error) => error,
            Trouble::Varies(reason) => varying_output(place, sources[0], &reason),
        })
    };
    let outputs = (0..count).map(output).collect::<Result<_, _>>()?;
    Ok(Merged { steps: merger.steps, outputs })
}

/// What to do about a size that is no formula.
pub(super) const WITHOUT_FORMULA: &str = "use sums of sizes and products of different ones, say what the size is a \
     multiple of (`Export::multiple`) or which sizes occur (`Export::between`), or keep it fixed";

/// Why a size is refused.
pub(super) fn no_formula(values: &[i64], points: &[Sizes]) -> String {
    format!("one of its sizes is {values:?} for inputs of sizes {}", listed(points))
}

/// An output that varies without being computed from the inputs.
fn varying_output(place: usize, source: &Source, reason: &str) -> FlowError {
    let remedy = "make it of the inputs, or keep the size fixed";
    match source {
        Source::Constant(_, Some((event, _))) => {
            let reason = format!("output {place} is made here, and {reason}");
            FlowError::refused(event.call.method, event.at, reason, remedy)
        }
        _ => FlowError::Setup { reason: format!("output {place} of the model varies: {reason}; {remedy}") },
    }
}

/// Why sources are not one.
enum Trouble {
    Flow(FlowError),
    Varies(String),
}

impl From<FlowError> for Trouble {
    fn from(error: FlowError) -> Self {
        Self::Flow(error)
    }
}

struct Merger<'a> {
    axes: &'a [Axis],
    points: &'a [Sizes],
    steps: Vec<Step>,
    /// The number of every value of the recordings among those of the steps.
    places: Vec<usize>,
    /// How many values there are: inputs and what the steps make.
    made: usize,
    /// The first value of what was made of constants, by its event in the first recording.
    derived: BTreeMap<*const Event, usize>,
}

impl Merger<'_> {
    /// Adds the step that these events are; the number of the first value that it makes.
    fn event(&mut self, events: &[&Event]) -> Result<usize, FlowError> {
        let first = events[0];
        let refuse =
            |reason: String, remedy: &str| FlowError::refused(first.call.method, first.at, reason, remedy);
        let is_other = |event: &&Event| {
            event.at != first.at
                || event.call.method != first.call.method
                || event.inputs.len() != first.inputs.len()
                || event.call.sizes.len() != first.call.sizes.len()
                || event.outputs.len() != first.outputs.len()
        };
        if events.iter().any(is_other) {
            return Err(other_path(first));
        }
        if let Some(other) = events.iter().find(|event| event.call.kind != first.call.kind) {
            let reason =
                format!("it is {:?} for one size and {:?} for another", first.call.kind, other.call.kind);
            return Err(refuse(reason, "use numbers that do not depend on a dynamic size"));
        }
        let mut inputs = Vec::with_capacity(first.inputs.len());
        for place in 0..first.inputs.len() {
            let sources: Vec<&Source> = events.iter().map(|event| &event.inputs[place]).collect();
            inputs.push(self.source(&sources).map_err(|trouble| match trouble {
                Trouble::Flow(error) => error,
                Trouble::Varies(reason) => refuse(
                    reason,
                    "make it once, for the largest size, `narrow` it as a flow (`F::from(it).narrow(…)`), or keep the size fixed",
                ),
            })?);
        }
        let (sizes, open) = self.sizes(events)?;
        let shapes =
            events.iter().map(|event| event.outputs.iter().map(|made| made.dims.clone()).collect()).collect();
        let dtypes: Vec<DType> = first.outputs.iter().map(|made| made.dtype).collect();
        self.made += dtypes.len();
        let made = self.made - dtypes.len();
        self.steps.push(Step { call: first.call.clone(), sizes, open, inputs, dtypes, shapes, at: first.at });
        Ok(made)
    }

    /// The sizes of a call as formulas; one of a reshape may stay open.
    fn sizes(&self, events: &[&Event]) -> Result<(Vec<Size>, Option<Open>), FlowError> {
        let first = events[0];
        let (mut sizes, mut open) = (Vec::with_capacity(first.call.sizes.len()), None);
        for place in 0..first.call.sizes.len() {
            let values: Vec<i64> = events.iter().map(|event| event.call.sizes[place] as i64).collect();
            match fit(&values, self.axes, self.points) {
                Some(size) => sizes.push(size),
                None if first.call.kind == Kind::Reshape && open.is_none() => {
                    // Known when the value that is reshaped is.
                    sizes.push(Size::from(-1));
                    open = Some(Open { place, values });
                }
                None => {
                    let reason = no_formula(&values, self.points);
                    return Err(FlowError::refused(first.call.method, first.at, reason, WITHOUT_FORMULA));
                }
            }
        }
        Ok((sizes, open))
    }

    /// Where a value comes from: the same in all recordings, or made of the same constants.
    fn source(&mut self, sources: &[&Source]) -> Result<Source, Trouble> {
        let other = || Trouble::Varies("it reads another value for another size".to_owned());
        if let Source::Made(place) = sources[0] {
            let is_same =
                sources.iter().all(|source| matches!(source, Source::Made(other) if other == place));
            return is_same.then(|| Source::Made(self.places[*place])).ok_or_else(other);
        }
        let constants: Option<Vec<_>> = sources
            .iter()
            .map(|source| match source {
                Source::Constant(tensor, origin) => Some((tensor, origin)),
                Source::Made(_) => None,
            })
            .collect();
        let constants = constants.ok_or_else(other)?;
        let first = constants[0].0;
        if constants.iter().all(|(tensor, _)| is_same(first, tensor)) {
            return Ok(sources[0].clone());
        }
        // What varies is computed after all, if it was made of constants that do not.
        let origins: Option<Vec<(&Rc<Event>, usize)>> = constants
            .iter()
            .map(|(_, origin)| origin.as_ref().map(|(event, place)| (event, *place)))
            .collect();
        match origins {
            Some(origins) if origins.iter().all(|origin| origin.1 == origins[0].1) => {
                let events: Vec<&Event> = origins.iter().map(|(event, _)| &***event).collect();
                let known = self.derived.get(&Rc::as_ptr(origins[0].0)).copied();
                let made = known.map_or_else(|| self.event(&events), Ok)?;
                self.derived.insert(Rc::as_ptr(origins[0].0), made);
                Ok(Source::Made(made + origins[0].1))
            }
            _ => {
                Err(Trouble::Varies(varies(&constants.iter().map(|(tensor, _)| *tensor).collect::<Vec<_>>())))
            }
        }
    }
}

fn varies(tensors: &[&Tensor]) -> String {
    match tensors.iter().find(|tensor| tensor.dims() != tensors[0].dims()) {
        Some(other) => {
            format!(
                "it reads a constant of shape {:?} for one size and {:?} for another",
                tensors[0].dims(),
                other.dims()
            )
        }
        None => "it reads a constant that varies with the size".to_owned(),
    }
}

fn other_path(event: &Event) -> FlowError {
    FlowError::refused(
        event.call.method,
        event.at,
        "the model takes another path for inputs of another size",
        "write it without loops or conditions on a dynamic size, keep that size fixed, or say which sizes occur \
         (`Export::between`)",
    )
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
