//! Places and ranges, as candle's `IndexOp` takes them.

use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

/// What becomes of one dimension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// One place of it; the dimension vanishes.
    Place(usize),
    /// From a place up to another, excluded, or to its end.
    Range(usize, Option<usize>),
}

macro_rules! parts {
    ($($(#[$doc:meta])* $type:ty: |$range:ident| $part:expr;)*) => {$(
        impl From<$type> for Part {
            fn from($range: $type) -> Self {
                $part
            }
        }

        impl Index for $type {
            fn parts(self) -> Vec<Part> {
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
}

/// A place, a range, or up to five of them: what [`Parting::i`](super::Parting::i) takes.
pub trait Index {
    /// What becomes of the dimensions, from the first on.
    fn parts(self) -> Vec<Part>;
}

macro_rules! tuples {
    ($(($($name:ident),*))*) => {$(
        impl<$($name: Into<Part>),*> Index for ($($name,)*) {
            fn parts(self) -> Vec<Part> {
                #[allow(non_snake_case, reason = "the macro has one name for type and value")]
                let ($($name,)*) = self;
                vec![$($name.into()),*]
            }
        }
    )*};
}

tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) }
