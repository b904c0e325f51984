//! Pooling, padding and upsampling.

use super::super::merge::Step;
use super::{Emitted, Emitter};
use crate::onnx::parts::Size;
use crate::onnx::{Node, Tensor};

impl Emitter<'_> {
    pub(super) fn pool(
        &mut self,
        step: &Step,
        title: &str,
        is_max: bool,
        kernel: [usize; 2],
        stride: [usize; 2],
    ) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let mut node = Node::new(if is_max { "MaxPool" } else { "AveragePool" }, title).input(&x);
        if is_max {
            node = node.ints("dilations", [1, 1]);
        }
        let node = node.ints("kernel_shape", kernel).ints("pads", [0; 4]).ints("strides", stride);
        Ok(self.graph.node(node)?)
    }

    /// `Pad` by zeros or by the edge.
    pub(super) fn pad(&mut self, step: &Step, title: &str, dim: usize, with_edge: bool) -> Emitted {
        let x = self.operand(step, title, 0)?;
        if step.sizes.iter().all(|size| size.is(0)) {
            return Ok(x);
        }
        let rank = x.fact().rank();
        let mut sides = vec![Size::from(0); 2 * rank];
        sides[dim] = step.sizes[0].clone();
        sides[rank + dim] = step.sizes[1].clone();
        let sides = self.list(&format!("{title}.sides"), &sides)?;
        let node = Node::new("Pad", title).inputs([&x, &sides]);
        if with_edge {
            return Ok(self.graph.node(node.text("mode", "edge"))?);
        }
        let zero = self.number(title, "zero", 0.0, &x)?;
        Ok(self.graph.node(node.input(&zero).text("mode", "constant"))?)
    }

    /// `Resize`: nearest as candle does it (the place before), or bilinear. By scales where they are whole, so that a
    /// dynamic size needs no computing.
    pub(super) fn upsample(&mut self, step: &Step, title: &str, bilinear: Option<bool>) -> Emitted {
        let x = self.operand(step, title, 0)?;
        let wanted = Self::with_last(&x, &step.sizes);
        let scale =
            |(wanted, own): (&Size, &Size)| wanted.exactly_over(own)?.fixed().map(|scale| scale as f32);
        let scales: Option<Vec<f32>> = wanted.iter().zip(&x.fact().sizes).map(scale).collect();
        // Before operator set 13, what is not used has to be there, and empty.
        let is_old = self.graph.opset().opset() < 13;
        let empty = self.graph.free_name(&format!("{title}.empty"));
        let empty = if is_old { Some(self.graph.constant(&empty, Tensor::f32(&[0], &[]))?) } else { None };
        let unused = |node: Node| match &empty {
            Some(empty) => node.input(empty),
            None => node.skip(),
        };
        let node = unused(Node::new("Resize", title).input(&x));
        let node = match scales.filter(|_| bilinear != Some(true)) {
            Some(scales) => {
                let scales = Tensor::f32(&[scales.len()], &scales);
                node.input(&self.graph.helper(&format!("{title}.scales"), scales)?)
            }
            None => unused(node).input(&self.list(title, &wanted)?),
        };
        let mode = match bilinear {
            None => "asymmetric",
            Some(true) => "align_corners",
            Some(false) => "half_pixel",
        };
        let node = node.text("coordinate_transformation_mode", mode);
        let node = match bilinear {
            None => node.text("mode", "nearest").text("nearest_mode", "floor"),
            Some(_) => node.text("mode", "linear"),
        };
        Ok(self.graph.node(node)?)
    }
}
