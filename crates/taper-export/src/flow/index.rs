//! Places, ranges and lists of places, as candle's `IndexOp` takes them.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use super::sealed::Sealed;

/// What becomes of one dimension of a value of the type `F`.
#[derive(Debug, Clone)]
pub enum Part<F> {
    /// One place of it; the dimension vanishes.
    Place(usize),
    /// From a place up to another, excluded, or to its end.
    Range(usize, Option<usize>),
    /// The places in a list.
    List(Vec<u32>),
    /// The places in a value, which is a list.
    Values(F),
}

macro_rules! parts {
    ($($type:ty: |$range:ident| $part:expr;)*) => {$(
        impl<F> From<$type> for Part<F> {
            fn from($range: $type) -> Self {
                $part
            }
        }

        impl<F: Sealed> Index<F> for $type {
            fn parts(self) -> Vec<Part<F>> {
                vec![self.into()]
            }
        }
    )*};
}

parts! {
    usize: |place| Part::Place(place);
    Range<usize>: |range| Part::Range(range.start, Some(range.end));
    RangeFrom<usize>: |range| Part::Range(range.start, None);
    RangeFull: |_range| Part::Range(0, None);
    RangeInclusive<usize>: |range| Part::Range(*range.start(), Some(*range.end() + 1));
    RangeTo<usize>: |range| Part::Range(0, Some(range.end));
    RangeToInclusive<usize>: |range| Part::Range(0, Some(range.end + 1));
    &[u32]: |list| Part::List(list.to_vec());
    Vec<u32>: |list| Part::List(list);
}

impl<F: Sealed> From<&F> for Part<F> {
    fn from(values: &F) -> Self {
        Part::Values(values.clone())
    }
}

impl<F: Sealed> Index<F> for &F {
    fn parts(self) -> Vec<Part<F>> {
        vec![self.into()]
    }
}

/// A place, a range, a list of places, or up to five of them: what [`Parting::i`](super::Parting::i) takes.
pub trait Index<F> {
    /// What becomes of the dimensions, from the first on.
    fn parts(self) -> Vec<Part<F>>;
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        impl<F: Sealed, $($name: Into<Part<F>>),*> Index<F> for ($($name,)*) {
            fn parts(self) -> Vec<Part<F>> {
                #[allow(non_snake_case, reason = "the macro has one name for type and value")]
                let ($($name,)*) = self;
                vec![$($name.into()),*]
            }
        }
    )*};
}

tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) }
