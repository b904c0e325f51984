//! The recorder: a value that is computed, and whose origin is written down.

use std::cell::RefCell;
use std::ops::{Add, Div, Mul, Sub};
use std::panic::Location;
use std::rc::Rc;

use candle_core::{DType, Error, Result, Tensor};

use super::arithmetic::Arithmetic;
use super::call::Call;
use super::sealed::{Inside, Sealed, kernel_fits};
use super::sequential::{Erased, is_list};

/// One operation that was applied.
#[derive(Debug, Clone)]
pub(super) struct Event {
    pub(super) call: Call,
    pub(super) inputs: Vec<Source>,
    /// What it made. Not the tensors: a recording would hold every value of the model at once.
    pub(super) outputs: Vec<Made>,
    /// The line of the model that applied it.
    pub(super) at: &'static Location<'static>,
}

/// What is remembered of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub(super) dims: Vec<usize>,
    pub(super) dtype: DType,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// It does not depend on any input. What made it of other constants, and its place among the outputs: should it
    /// vary with the size of an input, it is computed after all.
    Constant(Tensor, Option<(Rc<Event>, usize)>),
    /// The input, or the output of an event, of that number: inputs first, then outputs as they were made.
    Made(usize),
}

/// Something that cannot be exported.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    pub(super) method: &'static str,
    pub(super) at: &'static Location<'static>,
    pub(super) reason: String,
    pub(super) remedy: &'static str,
}

/// What a forward did.
#[derive(Debug, Default)]
pub(super) struct Tape {
    pub(super) events: Vec<Event>,
    pub(super) refusal: Option<Refusal>,
    values: usize,
    /// Where the layer that is being recorded was put into a list.
    listed_at: Option<&'static Location<'static>>,
}

/// A value that records what becomes of it: stands for a [`Tensor`] in a model's forward when the model is exported.
///
/// It holds the tensor that the forward computes on the sample, so that shapes, types and errors are candle's own.
#[derive(Debug, Clone)]
pub struct Wire {
    value: Tensor,
    source: Origin,
}

#[derive(Debug, Clone)]
enum Origin {
    Constant(Option<(Rc<Event>, usize)>),
    Made(Rc<RefCell<Tape>>, usize),
}

impl Wire {
    /// The inputs of a model, on one new tape.
    pub(super) fn inputs(samples: &[Tensor]) -> (Rc<RefCell<Tape>>, Vec<Self>) {
        let tape = Rc::new(RefCell::new(Tape { values: samples.len(), ..Tape::default() }));
        let input = |(place, value): (usize, &Tensor)| Self {
            value: value.clone(),
            source: Origin::Made(tape.clone(), place),
        };
        let inputs = samples.iter().enumerate().map(input).collect();
        (tape, inputs)
    }

    pub(super) fn source(&self) -> Source {
        match &self.source {
            Origin::Constant(made) => Source::Constant(self.value.clone(), made.clone()),
            Origin::Made(_, place) => Source::Made(*place),
        }
    }

    /// The line of the model that calls: of a layer of candle in a list, where it was put there.
    #[track_caller]
    fn caller(tape: Option<&Rc<RefCell<Tape>>>) -> &'static Location<'static> {
        let at = Location::caller();
        let listed = tape.filter(|_| is_list(at)).and_then(|tape| tape.borrow().listed_at);
        listed.unwrap_or(at)
    }

    fn tape(&self) -> Option<&Rc<RefCell<Tape>>> {
        match &self.source {
            Origin::Constant(_) => None,
            Origin::Made(tape, _) => Some(tape),
        }
    }
}

impl From<Tensor> for Wire {
    /// A value that does not depend on any input: a weight, a mask, a number.
    fn from(value: Tensor) -> Self {
        Self { value, source: Origin::Constant(None) }
    }
}

impl AsRef<Wire> for Wire {
    fn as_ref(&self) -> &Wire {
        self
    }
}

impl Sealed for Wire {
    fn records(_: Inside) -> bool {
        true
    }

    fn value(&self, _: Inside) -> &Tensor {
        &self.value
    }

    fn same(&self, value: Tensor, _: Inside) -> Self {
        // A weight stays the weight by whose name it is known.
        let value = if matches!(self.source, Origin::Constant(_)) && self.value.is_contiguous() {
            self.value.clone()
        } else {
            value
        };
        Self { value, source: self.source.clone() }
    }

    #[track_caller]
    fn call_many(
        call: Call,
        inputs: &[&Self],
        compute: impl FnOnce(&[&Tensor]) -> Result<Vec<Tensor>>,
    ) -> Result<Vec<Self>> {
        let tape = inputs.iter().find_map(|wire| wire.tape());
        let at = Self::caller(tape);
        let values: Vec<&Tensor> = inputs.iter().map(|wire| &wire.value).collect();
        let method = call.method;
        let outputs = kernel_fits(&call.kind, &values)
            .and_then(|()| compute(&values))
            .map_err(|error| Error::Msg(format!("{method} at {at}: {error}")))?;
        let inputs = inputs.iter().map(|wire| wire.source()).collect();
        let made = |value: &Tensor| Made { dims: value.dims().to_vec(), dtype: value.dtype() };
        let event = Event { call, inputs, outputs: outputs.iter().map(made).collect(), at };
        let Some(tape) = tape else {
            // What depends on constants alone is a constant, and needs no node.
            let event = Rc::new(event);
            let wire =
                |(place, value)| Self { value, source: Origin::Constant(Some((event.clone(), place))) };
            return Ok(outputs.into_iter().enumerate().map(wire).collect());
        };
        let mut record = tape.borrow_mut();
        let first = record.values;
        record.values += outputs.len();
        record.events.push(event);
        let wire = |(place, value)| Self { value, source: Origin::Made(tape.clone(), first + place) };
        Ok(outputs.into_iter().enumerate().map(wire).collect())
    }

    fn through(&self, layer: &dyn Erased, at: &'static Location<'static>, _: Inside) -> Result<Self> {
        let set = |at| self.tape().and_then(|tape| std::mem::replace(&mut tape.borrow_mut().listed_at, at));
        let outer = set(Some(at));
        let made = layer.record(self);
        set(outer);
        made
    }

    #[track_caller]
    fn refuse(&self, method: &'static str, reason: &str, remedy: &'static str, _: Inside) -> Result<()> {
        let at = Self::caller(self.tape());
        if let Some(tape) = self.tape() {
            tape.borrow_mut().refusal.get_or_insert(Refusal {
                method,
                at,
                reason: reason.to_owned(),
                remedy,
            });
        }
        Err(Error::Msg(format!("{method} at {at} cannot be exported: {reason}; {remedy}")))
    }
}

macro_rules! operators {
    ($($trait:ident, $method:ident, |$number:ident| ($mul:expr, $add:expr);)*) => {$(
        impl $trait<&Wire> for Wire {
            type Output = Result<Wire>;
            #[track_caller]
            fn $method(self, rhs: &Wire) -> Result<Wire> {
                Arithmetic::$method(&self, rhs)
            }
        }

        impl $trait for Wire {
            type Output = Result<Wire>;
            #[track_caller]
            fn $method(self, rhs: Wire) -> Result<Wire> {
                Arithmetic::$method(&self, &rhs)
            }
        }

        impl $trait<Result<Wire>> for Wire {
            type Output = Result<Wire>;
            #[track_caller]
            fn $method(self, rhs: Result<Wire>) -> Result<Wire> {
                Arithmetic::$method(&self, &rhs?)
            }
        }

        impl $trait<f64> for Wire {
            type Output = Result<Wire>;
            #[track_caller]
            fn $method(self, $number: f64) -> Result<Wire> {
                self.affine($mul, $add)
            }
        }
    )*};
}

operators! {
    Add, add, |number| (1.0, number);
    Sub, sub, |number| (1.0, -number);
    Mul, mul, |number| (number, 0.0);
    Div, div, |number| (1.0 / number, 0.0);
}
