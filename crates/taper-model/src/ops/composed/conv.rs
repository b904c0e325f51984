//! Convolution by candle's, which has one stride, padding and dilation for both axes, and the right gradient only where no rows or
//! columns are left over.

use candle_core::{Result, Tensor};
use taper_graph::Conv2d;

/// See [`ops::conv2d`](crate::ops::conv2d).
///
/// # Errors
/// Shapes that do not fit.
pub fn conv2d(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, conv: &Conv2d) -> Result<Tensor> {
    let Conv2d { stride, padding, dilation, groups, .. } = *conv;
    let (_, _, kernel_height, kernel_width) = weight.dims4()?;
    let windows = [0, 1].map(|axis| dilation[axis] * ([kernel_height, kernel_width][axis] - 1) + 1);
    let y = if stride == [1, 1] && padding[0] == padding[1] && dilation[0] == dilation[1] {
        x.conv2d(weight, padding[0], 1, dilation[0], groups)?
    } else {
        let x = x.pad_with_zeros(2, padding[0], padding[0])?.pad_with_zeros(3, padding[1], padding[1])?;
        let weight = spread(&spread(weight, 2, dilation[0])?, 3, dilation[1])?;
        if stride[0] == stride[1] {
            let x = exactly(&exactly(&x, 2, windows[0], stride[0])?, 3, windows[1], stride[1])?;
            x.conv2d(&weight, 0, stride[0], 1, groups)?
        } else {
            let y = x.conv2d(&weight, 0, 1, 1, groups)?;
            every(&every(&y, 2, stride[0])?, 3, stride[1])?
        }
    };
    match bias {
        Some(bias) => y.broadcast_add(&bias.reshape((1, (), 1, 1))?),
        None => Ok(y),
    }
}

/// A kernel with the zeros between its taps that a dilation stands for.
fn spread(weight: &Tensor, axis: usize, dilation: usize) -> Result<Tensor> {
    if dilation == 1 {
        return Ok(weight.clone());
    }
    let mut dims = weight.dims().to_vec();
    let taps = dims[axis];
    dims[axis] = taps * dilation;
    let spread = weight.unsqueeze(axis + 1)?.pad_with_zeros(axis + 1, 0, dilation - 1)?.reshape(dims)?;
    spread.narrow(axis, 0, dilation * (taps - 1) + 1)
}

/// Without what lies behind the last window.
fn exactly(x: &Tensor, axis: usize, window: usize, stride: usize) -> Result<Tensor> {
    let len = x.dim(axis)?;
    match len.checked_sub(window) {
        Some(room) => x.narrow(axis, 0, len - room % stride)?.contiguous(),
        None => candle_core::bail!(
            "conv2d: a window of {window} does not fit into {len}; use a larger image or padding"
        ),
    }
}

/// Every `stride`th element, from the first.
fn every(x: &Tensor, axis: usize, stride: usize) -> Result<Tensor> {
    let mut dims = x.dims().to_vec();
    let count = dims[axis].div_ceil(stride);
    let whole = x.pad_with_zeros(axis, 0, count * stride - dims[axis])?;
    dims.splice(axis..=axis, [count, stride]);
    whole.reshape(dims)?.narrow(axis + 1, 0, 1)?.squeeze(axis + 1)
}
