//! One node, with its settings and constants in the types that ops have.

use taper_graph::Array;

use super::constants::Constants;
use super::error::ReadError;
use crate::onnx::proto::{AttributeProto, NodeProto};

/// What an error calls a node: by its name, or by what it makes.
pub(super) fn title(node: &NodeProto) -> String {
    let output = || node.output.first().cloned().unwrap_or_default();
    if node.name.is_empty() { output() } else { node.name.clone() }
}

/// The operator, with its domain if that is not the standard one.
pub(super) fn operator(node: &NodeProto) -> String {
    match node.domain.as_str() {
        "" | "ai.onnx" => node.op_type.clone(),
        domain => format!("{domain}.{}", node.op_type),
    }
}

/// A node and the constants of its graph.
#[derive(Clone, Copy)]
pub(super) struct Call<'a> {
    pub(super) node: &'a NodeProto,
    pub(super) constants: &'a Constants<'a>,
}

impl<'a> Call<'a> {
    /// The name of its input at `place`, unless it is left out.
    pub(super) fn input(&self, place: usize) -> Option<&'a str> {
        self.node.input.get(place).map(String::as_str).filter(|name| !name.is_empty())
    }

    pub(super) fn unsupported(&self, reason: impl Into<String>) -> ReadError {
        ReadError::Unsupported { node: title(self.node), op: operator(self.node), reason: reason.into() }
    }

    /// Refuses settings but those that are looked at: a setting that nobody reads would be silently lost.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ReadError> {
        match self.node.attribute.iter().find(|attribute| !known.contains(&attribute.name.as_str())) {
            Some(attribute) => Err(self.unsupported(format!("its setting `{}` is not read", attribute.name))),
            None => Ok(()),
        }
    }

    fn attribute(&self, name: &str) -> Option<&'a AttributeProto> {
        self.node.attribute.iter().find(|attribute| attribute.name == name)
    }

    pub(super) fn int(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).and_then(|attribute| attribute.i).unwrap_or(default)
    }

    pub(super) fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).and_then(|attribute| attribute.f).unwrap_or(default)
    }

    pub(super) fn ints(&self, name: &str) -> Option<&'a [i64]> {
        self.attribute(name).map(|attribute| &attribute.ints[..])
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a [u8]> {
        self.attribute(name).and_then(|attribute| attribute.s.as_deref())
    }

    /// A setting with a number for height and one for width.
    pub(super) fn pair(&self, name: &str, default: [usize; 2]) -> Result<[usize; 2], ReadError> {
        let Some(values) = self.ints(name) else { return Ok(default) };
        self.sizes(name, values)
    }

    /// `pads`, at the start and at the end of height and width; zeros where they are left out.
    pub(super) fn pads(&self) -> Result<[[usize; 2]; 2], ReadError> {
        if !matches!(self.text("auto_pad"), None | Some(b"NOTSET" | b"VALID")) {
            return Err(self.unsupported("it pads by `auto_pad`; export it with the numbers in `pads`"));
        }
        let pads = self.ints("pads").unwrap_or(&[0; 4]);
        let Some((starts, ends)) = pads.split_at_checked(2) else {
            return Err(
                self.unsupported(format!("its `pads` are {pads:?}; only images of two dimensions are"))
            );
        };
        Ok([self.sizes("pads", starts)?, self.sizes("pads", ends)?])
    }

    fn sizes<const N: usize>(&self, name: &str, values: &[i64]) -> Result<[usize; N], ReadError> {
        let sizes: Option<Vec<usize>> = values.iter().map(|&value| usize::try_from(value).ok()).collect();
        sizes.and_then(|sizes| sizes.try_into().ok()).ok_or_else(|| {
            let reason = format!("its `{name}` are {values:?}; only images of two dimensions have a form");
            self.unsupported(reason)
        })
    }

    /// The constant at input `place`, as f32.
    pub(super) fn array(&self, place: usize) -> Result<Array, ReadError> {
        let Some(name) = self.input(place) else {
            return Err(self.unsupported(format!("it has no input {place}")));
        };
        match self.constants.array(name) {
            None => Err(self.unsupported(format!("its input `{name}` is no constant, as weights must be"))),
            Some(Ok(array)) => Ok(array),
            Some(Err(reason)) => {
                let (node, constant) = (title(self.node), name.to_owned());
                Err(ReadError::Constant { node, constant, reason })
            }
        }
    }

    /// The whole numbers of the constant at input `place`.
    pub(super) fn whole(&self, place: usize) -> Option<Vec<i64>> {
        self.constants.whole(self.input(place)?)
    }
}
