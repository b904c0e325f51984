//! What a plot is made of: shapes, text and pictures, in pixels from the upper left.

use super::palette::Paint;
use crate::picture::Picture;

/// One thing drawn. Later ones cover earlier ones.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Item {
    /// A line through points, `width` wide; `dash` has the lengths of its dashes and gaps in turn, none for a line without.
    Line { points: Vec<[f32; 2]>, width: f32, dash: &'static [f32], paint: Paint },
    /// A filled shape with corners.
    Polygon { points: Vec<[f32; 2]>, paint: Paint },
    /// A rectangle, filled, or `outline` wide along its edges.
    Rect { at: [f32; 2], size: [f32; 2], outline: Option<f32>, paint: Paint },
    /// A filled circle.
    Circle { at: [f32; 2], radius: f32, paint: Paint },
    /// A line of text, `size` high, on the baseline at `at`; turned, it runs upwards.
    Text { text: String, at: [f32; 2], size: f32, anchor: Anchor, turned: bool, paint: Paint },
    /// A picture, its pixels with hard edges.
    Picture { picture: Picture, at: [f32; 2], size: [f32; 2] },
}

/// Which end of a text its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// Text from left to right.
pub(crate) fn text(text: impl Into<String>, at: [f32; 2], size: f32, anchor: Anchor, paint: Paint) -> Item {
    Item::Text { text: text.into(), at, size, anchor, turned: false, paint }
}

/// A filled rectangle.
pub(crate) fn rect(at: [f32; 2], size: [f32; 2], paint: Paint) -> Item {
    Item::Rect { at, size, outline: None, paint }
}

/// A line without gaps.
pub(crate) fn line(points: Vec<[f32; 2]>, width: f32, paint: Paint) -> Item {
    Item::Line { points, width, dash: &[], paint }
}
