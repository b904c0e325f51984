//! Seeded dropout.

use candle_core::{CpuStorage, Result, Shape, Tensor};
use taper_kernels::DropoutKey;

use super::composed;
use super::record::{Argument, InputGradients, Operation, apply};
use super::storage::{gradient, output, refuse, slice, with_slices};

/// Zeroes each element of `[N, …]`, `[N, C, …]` with probability `p` and scales the others by `1 / (1 − p)`; the mask is a
/// function of `key`.
///
/// # Errors
/// `p` outside `[0, 1)`, or a tensor that is not f32.
pub fn dropout(x: &Tensor, p: f32, key: DropoutKey) -> Result<Tensor> {
    if !(0.0..1.0).contains(&p) {
        candle_core::bail!("dropout with probability {p}; use one from 0 up to, but not including, 1");
    }
    if !x.device().is_cpu() {
        return composed::dropout(x, p, key);
    }
    apply(DropoutOp { p, key }, &[x])
}

struct DropoutOp {
    p: f32,
    key: DropoutKey,
}

impl Operation for DropoutOp {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn forward(&self, inputs: &[Argument<'_>]) -> Result<(CpuStorage, Shape)> {
        let (x, layout) = inputs[0];
        let x = slice(x, layout)?;
        let mut y = vec![0.0; x.len()];
        taper_kernels::dropout(self.key, self.p, sizes(layout.shape()), x, &mut y).map_err(refuse)?;
        Ok(output(y, layout.shape().clone()))
    }

    fn backward(&self, inputs: &[&Tensor], _y: &Tensor, dy: &Tensor) -> Result<InputGradients> {
        let x = inputs[0];
        let mut dx = vec![0.0; x.elem_count()];
        let sizes = sizes(x.shape());
        with_slices([dy], |[dy]| {
            taper_kernels::dropout(self.key, self.p, sizes, dy, &mut dx).map_err(refuse)
        })?;
        Ok(vec![Some(gradient(dx, x.shape())?)])
    }
}

/// Images, channels and pixels of a tensor of any rank.
fn sizes(shape: &Shape) -> [usize; 3] {
    match *shape.dims() {
        [] => [1, 1, 1],
        [images] => [images, 1, 1],
        [images, channels, ref pixels @ ..] => [images, channels, pixels.iter().product()],
    }
}
