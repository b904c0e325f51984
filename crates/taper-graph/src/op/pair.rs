//! `(height, width)` settings: `3` in a network file means `[3, 3]`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::ShapeError;
use crate::shape::Shape;
use crate::window::{Window, WindowError};

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a whole number or [height, width]")]
enum Pair {
    Same(usize),
    Both([usize; 2]),
}

pub(crate) fn serialize<S: Serializer>(pair: &[usize; 2], serializer: S) -> Result<S::Ok, S::Error> {
    let pair = if pair[0] == pair[1] { Pair::Same(pair[0]) } else { Pair::Both(*pair) };
    pair.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    Ok(match Pair::deserialize(deserializer)? {
        Pair::Same(size) => [size, size],
        Pair::Both(pair) => pair,
    })
}

/// For settings that may be left out, with a default that depends on another setting.
pub(crate) mod optional {
    use super::*;

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<[usize; 2]>, D::Error> {
        super::deserialize(deserializer).map(Some)
    }
}

pub(crate) fn ones() -> [usize; 2] {
    [1, 1]
}

/// The size of an image after a window has slid over it, by `size` ([`Window::output`] or [`Window::pooled`]).
pub(crate) fn slide(
    windows: [Window; 2],
    input: &Shape,
    size: impl Fn(&Window, usize) -> Result<usize, WindowError>,
) -> Result<[usize; 2], ShapeError> {
    let [_, height, width] = input.image()?;
    let along = |window: &Window, length, axis| {
        size(window, length).map_err(|cause| ShapeError::Window { input: input.clone(), axis, cause })
    };
    Ok([along(&windows[0], height, "height")?, along(&windows[1], width, "width")?])
}
