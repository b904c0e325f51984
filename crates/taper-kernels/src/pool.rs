//! Max and average pooling, with padding, dilation and ceil mode as in PyTorch.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};
use crate::geometry::PoolGeometry;

/// No element chosen yet.
const NONE: u32 = u32::MAX;

/// Greatest value of each window, and where in its plane it stands (row · width + column).
///
/// Of equal values the first, row by row, is chosen; NaN counts as the greatest, as in PyTorch.
///
/// Source: [`torch.nn.functional.max_pool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.max_pool2d.html).
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_graph::MaxPool2d;
/// use taper_kernels::{PoolGeometry, max_pool2d};
/// let geometry = PoolGeometry::max(&MaxPool2d::new(2), 1, [1, 2, 2])?;
/// let (mut y, mut indices) = ([0.0], [0]);
/// max_pool2d(&geometry, &[1.0, 4.0, 4.0, 2.0], &mut y, &mut indices)?;
/// assert_eq!((y, indices), ([4.0], [1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn max_pool2d(
    g: &PoolGeometry,
    x: &[f32],
    y: &mut [f32],
    indices: &mut [u32],
) -> Result<(), KernelError> {
    check_len("x", x.len(), g.input_len())?;
    check_len("y", y.len(), g.output_len())?;
    check_len("indices", indices.len(), g.output_len())?;
    if y.is_empty() {
        return Ok(());
    }
    let [height, width] = g.output;
    let outputs = y.par_chunks_mut(height * width).zip(indices.par_chunks_mut(height * width));
    outputs.zip(x.par_chunks(g.input[0] * g.input[1])).for_each(|((y, indices), x)| {
        let rows = y.chunks_exact_mut(width).zip(indices.chunks_exact_mut(width));
        for (out_row, (y, indices)) in rows.enumerate() {
            max_row(g, x, out_row, y, indices);
        }
    });
    Ok(())
}

fn max_row(g: &PoolGeometry, plane: &[f32], out_row: usize, y: &mut [f32], indices: &mut [u32]) {
    let [vertical, horizontal] = g.windows;
    y.fill(f32::NEG_INFINITY);
    indices.fill(NONE);
    for tap_y in 0..vertical.kernel {
        if !vertical.inside(tap_y, g.input[0], g.output[0]).contains(&out_row) {
            continue;
        }
        let row_start = vertical.element(out_row, tap_y) * g.input[1];
        for tap_x in 0..horizontal.kernel {
            for column in horizontal.inside(tap_x, g.input[1], g.output[1]) {
                let at = row_start + horizontal.element(column, tap_x);
                let value = plane[at];
                if value > y[column] || indices[column] == NONE || value.is_nan() {
                    y[column] = value;
                    indices[column] = at as u32;
                }
            }
        }
    }
}

/// Gradient of max pooling: each output's gradient goes to the element that was chosen.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
pub fn max_pool2d_backward(
    g: &PoolGeometry,
    indices: &[u32],
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), KernelError> {
    check_len("indices", indices.len(), g.output_len())?;
    check_len("dy", dy.len(), g.output_len())?;
    check_len("gradient of x", dx.len(), g.input_len())?;
    if dx.is_empty() {
        return Ok(());
    }
    let out_pixels = g.output[0] * g.output[1];
    let planes = dx.par_chunks_mut(g.input[0] * g.input[1]);
    planes.zip(indices.par_chunks(out_pixels).zip(dy.par_chunks(out_pixels))).for_each(
        |(dx, (indices, dy))| {
            dx.fill(0.0);
            for (&at, dy) in indices.iter().zip(dy) {
                if at != NONE {
                    dx[at as usize] += dy;
                }
            }
        },
    );
    Ok(())
}

/// Mean of each window.
///
/// Source: [`torch.nn.functional.avg_pool2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.avg_pool2d.html).
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
pub fn avg_pool2d(g: &PoolGeometry, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    check_len("x", x.len(), g.input_len())?;
    check_len("y", y.len(), g.output_len())?;
    if y.is_empty() {
        return Ok(());
    }
    let width = g.input[1];
    let planes = y.par_chunks_mut(g.output[0] * g.output[1]).zip(x.par_chunks(g.input[0] * width));
    planes.for_each(|(y, x)| {
        for_each_window(g, |at, rows, columns, divisor| {
            let sum: f32 = rows.map(|row| x[row * width..][columns.clone()].iter().sum::<f32>()).sum();
            y[at] = sum / divisor;
        });
    });
    Ok(())
}

/// Gradient of average pooling: each output's gradient is shared equally by its window.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
pub fn avg_pool2d_backward(g: &PoolGeometry, dy: &[f32], dx: &mut [f32]) -> Result<(), KernelError> {
    check_len("dy", dy.len(), g.output_len())?;
    check_len("gradient of x", dx.len(), g.input_len())?;
    if dx.is_empty() {
        return Ok(());
    }
    let width = g.input[1];
    let planes = dx.par_chunks_mut(g.input[0] * width).zip(dy.par_chunks(g.output[0] * g.output[1]));
    planes.for_each(|(dx, dy)| {
        dx.fill(0.0);
        for_each_window(g, |at, rows, columns, divisor| {
            let share = dy[at] / divisor;
            for row in rows {
                dx[row * width..][columns.clone()].iter_mut().for_each(|dx| *dx += share);
            }
        });
    });
    Ok(())
}

type Span = std::ops::Range<usize>;

/// Calls `visit(output element, input rows, input columns, divisor)` for every window of a plane.
fn for_each_window(g: &PoolGeometry, mut visit: impl FnMut(usize, Span, Span, f32)) {
    for out_row in 0..g.output[0] {
        let (rows, tall) = span(g, 0, out_row);
        for out_column in 0..g.output[1] {
            let (columns, wide) = span(g, 1, out_column);
            let divisor = if g.count_include_pad { tall * wide } else { rows.len() * columns.len() };
            visit(out_row * g.output[1] + out_column, rows.clone(), columns, divisor as f32);
        }
    }
}

/// The input elements of one window along one axis, and how many elements it has when padding counts: as in
/// PyTorch, padding counts, but not what ceil mode lets hang over beyond it.
fn span(g: &PoolGeometry, axis: usize, position: usize) -> (Span, usize) {
    let (window, input) = (g.windows[axis], g.input[axis]);
    let start = window.start(position);
    let end = (start + window.kernel as isize).min((input + window.padding) as isize);
    let clipped = start.max(0) as usize..(end.max(0) as usize).min(input);
    (clipped, (end - start) as usize)
}
