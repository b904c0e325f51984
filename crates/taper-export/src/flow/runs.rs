//! The model run on its samples, at several sizes of their dynamic axes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::Tensor;

use super::Export;
use super::error::FlowError;
use super::merge::Recording;
use super::trace::{Axis, Points, Sizes, points};
use super::wire::Wire;

/// How many steps a dynamic axis has at least while recording, above the smallest that occurs: two below are recorded
/// as well.
const ABOVE_LEAST: i64 = 3;

/// A model for one kind of values, so that what is done with it is compiled once.
pub(super) type Forward<'a, F> = dyn Fn(&[F]) -> candle_core::Result<Vec<F>> + 'a;

/// An input of the model.
#[derive(Debug, Clone)]
pub(super) struct Input {
    pub(super) name: String,
    pub(super) sample: Tensor,
    /// The name of each dynamic axis.
    pub(super) axes: Vec<(usize, String)>,
}

/// What the forward did at each of the points.
pub(super) struct Runs {
    pub(super) axes: Vec<Axis>,
    pub(super) points: Vec<Sizes>,
    pub(super) recordings: Vec<Recording>,
}

impl Export {
    /// Records wherever the model works; it has to where formulas are made.
    pub(super) fn recordings(&self, forward: &Forward<'_, Wire>) -> Result<Runs, FlowError> {
        let axes = self.axes()?;
        let Points { needed: mut points, tried } = points(&axes);
        let mut recordings =
            points.iter().map(|point| self.run(forward, point)).collect::<Result<Vec<Recording>, _>>()?;
        for point in tried {
            match attempt(|| self.run(forward, &point)) {
                Some(Ok(recording)) => {
                    points.push(point);
                    recordings.push(recording);
                }
                // It is not made for this size: a window is larger, or a table is shorter.
                Some(Err(FlowError::Forward { .. })) | None => {}
                Some(Err(error)) => return Err(error),
            }
        }
        Ok(Runs { axes, points, recordings })
    }

    /// The dynamic sizes, in the order in which the inputs name them.
    pub(super) fn axes(&self) -> Result<Vec<Axis>, FlowError> {
        let mut axes: Vec<Axis> = Vec::new();
        for input in &self.inputs {
            for (axis, name) in &input.axes {
                let size = input.sample.dims().get(*axis).copied().ok_or_else(|| {
                    let (rank, input) = (input.sample.rank(), &input.name);
                    setup(format!("input `{input}` has {rank} dimensions and no axis {axis}; name another"))
                })?;
                let found = self.axis(name, size)?;
                match axes.iter_mut().find(|known| known.name == *name) {
                    Some(known) => known.size = known.size.max(found.size),
                    None => axes.push(found),
                }
            }
        }
        let mut said = self.multiples.keys().chain(self.bounds.keys());
        if let Some(unknown) = said.find(|said| !axes.iter().any(|axis| axis.name == **said)) {
            let names: Vec<&str> = axes.iter().map(|axis| axis.name.as_str()).collect();
            let reason = format!("no input has a size called `{unknown}`; the dynamic sizes are {names:?}");
            return Err(setup(reason));
        }
        match axes.len() {
            0..=4 => Ok(axes),
            count => Err(setup(format!("{count} dynamic sizes take too many recordings; name at most 4"))),
        }
    }

    /// The dynamic size called `name`, which is `size` in a sample.
    fn axis(&self, name: &str, size: usize) -> Result<Axis, FlowError> {
        let step = self.multiples.get(name).copied().unwrap_or(1);
        let [least, most] = self.bounds.get(name).copied().unwrap_or([1, i64::MAX]);
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let up = |size: i64| size / step + i64::from(size % step != 0);
        let (first, last) = (up(least).max(1), most / step);
        if last.saturating_sub(first) < 2 {
            let reason = format!(
                "fewer than three sizes of `{name}` occur; keep it fixed, and export one file for each"
            );
            return Err(setup(reason));
        }
        if !(least..=most).contains(&size) && self.bounds.contains_key(name) {
            let reason = format!(
                "a sample has size {size} of `{name}`, which is said to lie between {least} and {most}"
            );
            return Err(setup(format!("{reason}; give a sample within these bounds")));
        }
        let steps = up(size).max(first + ABOVE_LEAST).min(last);
        let size = steps.checked_mul(step).filter(|size| *size < i64::from(i32::MAX)).ok_or_else(|| {
            setup(format!("sizes of `{name}` that are multiples of {step} are too large; say a smaller step"))
        })?;
        let most = self.bounds.contains_key(name).then_some(last * step);
        Ok(Axis { name: name.to_owned(), size, step, least: first * step, most })
    }

    /// The samples with the dynamic sizes of `point`.
    pub(super) fn samples(&self, point: &Sizes) -> Result<Vec<Tensor>, FlowError> {
        let samples: candle_core::Result<Vec<Tensor>> =
            self.inputs.iter().map(|input| input.at(point)).collect();
        samples.map_err(|cause| {
            let reason =
                format!("a sample cannot be cut to another size: {cause}; give one that is not empty");
            setup(reason)
        })
    }

    /// Records once, with the dynamic sizes of `point`.
    fn run(&self, forward: &Forward<'_, Wire>, point: &Sizes) -> Result<Recording, FlowError> {
        let samples = self.samples(point)?;
        let (tape, wires) = Wire::inputs(&samples);
        let made = forward(&wires);
        let mut tape = tape.borrow_mut();
        match (made, tape.refusal.take()) {
            (_, Some(refusal)) => Err(refusal.into()),
            (Err(cause), None) => Err(FlowError::Forward { sizes: shapes(&samples), cause }),
            (Ok(made), None) => {
                let outputs = made.iter().map(Wire::source).collect();
                Ok(Recording { events: std::mem::take(&mut tape.events), outputs })
            }
        }
    }
}

fn setup(reason: String) -> FlowError {
    FlowError::Setup { reason }
}

/// `[4, 6], [4]`
pub(super) fn shapes(samples: &[Tensor]) -> String {
    samples.iter().map(|sample| format!("{:?}", sample.dims())).collect::<Vec<_>>().join(", ")
}

/// A forward at a size that nobody asked for: where it computes with sizes, it may panic.
pub(super) fn attempt<T>(forward: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(forward)).ok()
}

impl Input {
    /// The sample with its dynamic axes at other sizes: cut, or begun again.
    fn at(&self, point: &Sizes) -> candle_core::Result<Tensor> {
        let mut sample = self.sample.clone();
        for (axis, name) in &self.axes {
            let (own, wanted) = (sample.dim(*axis)?.max(1), point.get(name).copied().unwrap_or(1) as usize);
            sample = picked(&sample, *axis, (0..wanted).map(|place| place % own))?;
        }
        Ok(sample)
    }
}

/// The elements of `sample` in another order: the last axis turned by one place, the others reversed. What was legal
/// stays legal, and the sums and counts along each axis stay the same. Numbers that are all alike become smaller.
#[cfg(feature = "verify")]
pub(super) fn shuffled(sample: &Tensor) -> candle_core::Result<Tensor> {
    let mut other = sample.clone();
    let last = sample.rank().saturating_sub(1);
    for axis in 0..sample.rank() {
        let size = sample.dim(axis)?;
        let place = |place: usize| if axis == last { (place + 1) % size } else { size - 1 - place };
        other = picked(&other, axis, (0..size).map(place))?;
    }
    let bytes = |tensor: &Tensor| -> candle_core::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        tensor.write_bytes(&mut bytes).map(|()| bytes)
    };
    let is_float = sample.dtype().is_float();
    if is_float && bytes(&other)? == bytes(sample)? { other.affine(0.875, 0.0) } else { Ok(other) }
}

fn picked(sample: &Tensor, axis: usize, places: impl Iterator<Item = usize>) -> candle_core::Result<Tensor> {
    let places: Vec<u32> = places.map(|place| place as u32).collect();
    sample.contiguous()?.index_select(&Tensor::new(places, sample.device())?, axis)
}
