//! Shapes, parts and joins.

use super::super::merge::{Step, WITHOUT_FORMULA, no_formula};
use super::{Emitted, Emitter, Trouble};
use crate::onnx::parts::{Size, compose, product};
use crate::onnx::{Node, Tensor, Value};

/// As far as a dimension goes.
const END: i64 = i64::MAX;

impl Emitter<'_> {
    pub(super) fn reshape(&mut self, step: &Step, title: &str) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let mut wanted = step.sizes.clone();
        if let Some(open) = &step.open {
            wanted.remove(open.place);
            let size = product(&x.fact().sizes).exactly_over(&product(&wanted));
            let holds = |size: &Size| {
                self.points.iter().zip(&open.values).all(|(point, value)| size.value(point) == Some(*value))
            };
            let Some(size) = size.filter(holds) else {
                return Err(Trouble::Refuse(no_formula(&open.values, self.points), WITHOUT_FORMULA));
            };
            wanted.insert(open.place, size);
        }
        self.reshape_to(title, &x, &wanted)
    }

    /// `Flatten` where it does; else a constant shape where one size may be left open and others may be those of
    /// the input; else a computed shape.
    pub(super) fn reshape_to(&mut self, title: &str, x: &Value, wanted: &[Size]) -> Emitted {
        let sizes = &x.fact().sizes;
        if sizes[..] == *wanted {
            return Ok(x.clone());
        }
        if let ([first, rest @ ..], [rows, _]) = (&sizes[..], wanted)
            && first == rows
            && rest.len() > 1
        {
            return Ok(self.graph.node(Node::new("Flatten", title).input(x).int("axis", 1))?);
        }
        let size = |(place, size): (usize, &Size)| match size.fixed() {
            Some(size) => size,
            None if sizes.get(place) == Some(size) => 0,
            None => -1,
        };
        let shape: Vec<i64> = wanted.iter().enumerate().map(size).collect();
        let open = shape.iter().filter(|&&size| size == -1).count();
        let has_empty = wanted.iter().any(|size| size.is(0));
        let target = match open {
            0 | 1 if !has_empty => self.graph.helper(&format!("{title}.sizes"), Tensor::i64(&shape))?,
            _ => self.list(title, wanted)?,
        };
        Ok(self.graph.node(Node::new("Reshape", title).inputs([x, &target]))?)
    }

    /// `Squeeze`, or nothing if the size is not 1.
    pub(super) fn squeeze(&mut self, step: &Step, title: &str, dim: usize) -> Emitted {
        let x = self.any_operand(step, title, 0)?;
        match x.fact().sizes.get(dim).and_then(Size::fixed) {
            Some(1) => self.with_axes_of(title, "Squeeze", &x, &[dim]),
            Some(_) => Ok(x),
            None => {
                let reason = format!("dimension {dim} vanishes where its size is 1, and that varies");
                Err(Trouble::Refuse(reason, "use `reshape`, or keep that size fixed"))
            }
        }
    }

    /// `Unsqueeze` of one dimension.
    pub(super) fn with_axes(&mut self, step: &Step, title: &str, op: &str, dim: usize) -> Emitted {
        let x = self.any_operand(step, title, 0)?;
        self.with_axes_of(title, op, &x, &[dim])
    }

    pub(super) fn with_axes_of(&mut self, title: &str, op: &str, x: &Value, dims: &[usize]) -> Emitted {
        let node = Node::new(op, title).input(x);
        let node = compose::axes_of(&mut self.graph, node, title, dims, 13)?;
        Ok(self.graph.node(node)?)
    }

    pub(super) fn permute(&mut self, step: &Step, title: &str, order: &[usize]) -> Emitted {
        let x = self.any_operand(step, title, 0)?;
        if order.is_sorted() {
            return Ok(x);
        }
        Ok(self.graph.node(Node::new("Transpose", title).input(&x).ints("perm", order.iter().copied()))?)
    }

    /// `Slice`; counted from the end where the start is at a fixed distance from it.
    pub(super) fn narrow(&mut self, step: &Step, title: &str, dim: usize) -> Emitted {
        let x = self.any_operand(step, title, 0)?;
        let (start, len, size) = (&step.sizes[0], &step.sizes[1], &x.fact().sizes[dim]);
        if start.is(0) && len == size {
            return Ok(x);
        }
        let minus_size = size.times(&Size::from(-1));
        let end = start.plus(len);
        let from_end = |place: &Size| match (place.fixed(), place.plus(&minus_size).fixed()) {
            (None, Some(place)) if place < 0 => Size::from(place),
            _ => place.clone(),
        };
        let stop = if end == *size { Size::from(END) } else { from_end(&end) };
        let start = from_end(start);
        let start = self.list(&format!("{title}.start"), &[start])?;
        let stop = self.list(&format!("{title}.end"), &[stop])?;
        let axis = self.graph.helper(&format!("{title}.axis"), Tensor::i64(&[dim as i64]))?;
        Ok(self.graph.node(Node::new("Slice", title).inputs([&x, &start, &stop, &axis]))?)
    }

    pub(super) fn concat(&mut self, step: &Step, title: &str, dim: usize) -> Emitted {
        if step.inputs.len() == 1 {
            return self.any_operand(step, title, 0);
        }
        let mut node = Node::new("Concat", title);
        for place in 0..step.inputs.len() {
            node = node.input(&self.operand(step, title, place)?);
        }
        Ok(self.graph.node(node.int("axis", dim as i64))?)
    }

    /// `Gather` or `GatherElements`.
    pub(super) fn gather(&mut self, step: &Step, title: &str, op: &str, dim: usize) -> Emitted {
        let (x, places) = (self.operand(step, title, 0)?, self.operand(step, title, 1)?);
        let places = match places.data_type() {
            crate::onnx::DataType::Int64 | crate::onnx::DataType::Int32 => places,
            _ => {
                let cast = Node::new("Cast", format!("{title}.places")).input(&places);
                self.graph.node(cast.int("to", i64::from(crate::onnx::DataType::Int64.code())))?
            }
        };
        Ok(self.graph.node(Node::new(op, title).inputs([&x, &places]).int("axis", dim as i64))?)
    }

    /// `Expand`, with 1 for what stays as it is.
    pub(super) fn broadcast(&mut self, step: &Step, title: &str) -> Emitted {
        let x = self.any_operand(step, title, 0)?;
        let own = &x.fact().sizes;
        let new = step.sizes.len() - own.len();
        let size = |(place, wanted): (usize, &Size)| match place.checked_sub(new).map(|place| &own[place]) {
            Some(own) if own == wanted => Size::from(1),
            _ => wanted.clone(),
        };
        let sizes: Vec<Size> = step.sizes.iter().enumerate().map(size).collect();
        if new == 0 && sizes.iter().all(|size| size.is(1)) {
            return Ok(x);
        }
        let sizes = self.list(title, &sizes)?;
        Ok(self.graph.node(Node::new("Expand", title).inputs([&x, &sizes]))?)
    }

    /// `Tile`, with new dimensions in front where there are more repeats than dimensions.
    pub(super) fn repeat(&mut self, step: &Step, title: &str) -> Emitted {
        let mut x = self.operand(step, title, 0)?;
        let mut repeats = step.sizes.clone();
        let rank = x.fact().rank();
        if repeats.len() > rank {
            let new: Vec<usize> = (0..repeats.len() - rank).collect();
            x = self.with_axes_of(&format!("{title}.raised"), "Unsqueeze", &x, &new)?;
        }
        repeats.resize(x.fact().rank(), Size::from(1));
        if repeats.iter().all(|count| count.is(1)) {
            return Ok(x);
        }
        let repeats = self.list(title, &repeats)?;
        Ok(self.graph.node(Node::new("Tile", title).inputs([&x, &repeats]))?)
    }
}
