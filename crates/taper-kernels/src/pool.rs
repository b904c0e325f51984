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
    let columns: Vec<Taps> = (0..g.output[1]).map(|position| Taps::of(g, 1, position)).collect();
    let rows: Vec<Taps> = (0..g.output[0]).map(|position| Taps::of(g, 0, position)).collect();
    let halves = g.windows.iter().all(|w| (w.kernel, w.stride, w.dilation, w.padding, w.ceil_mode) == HALVES);
    let out_pixels = rows.len() * columns.len();
    let outputs = y.par_chunks_mut(out_pixels).zip(indices.par_chunks_mut(out_pixels));
    outputs.zip(x.par_chunks(g.input[0] * g.input[1])).for_each(|((y, indices), x)| {
        if halves {
            return halve(x, g.input[1], columns.len(), y, indices);
        }
        let windows = rows.iter().flat_map(|rows| columns.iter().map(move |columns| (rows, columns)));
        for ((y, index), (rows, columns)) in y.iter_mut().zip(indices).zip(windows) {
            (*y, *index) = maximum(x, g.input[1], rows, columns);
        }
    });
    Ok(())
}

/// Kernel, stride, dilation, padding and ceil mode of pooling by 2×2 windows side by side, by far the most common.
const HALVES: (usize, usize, usize, usize, bool) = (2, 2, 1, 0, false);

/// [`maximum`] of all 2×2 windows of a plane, in a form that fits vector registers.
fn halve(plane: &[f32], width: usize, out_width: usize, y: &mut [f32], indices: &mut [u32]) {
    let out_rows = y.chunks_exact_mut(out_width).zip(indices.chunks_exact_mut(out_width));
    for ((y, indices), (row, lines)) in out_rows.zip(plane.chunks_exact(2 * width).enumerate()) {
        let (upper, lower) = lines.split_at(width);
        let pairs = upper.chunks_exact(2).zip(lower.chunks_exact(2));
        let mut at = (2 * row * width) as u32;
        for ((y, place), (upper, lower)) in y.iter_mut().zip(indices).zip(pairs) {
            // An index of an element of a plane fits: it is stored as u32.
            let below = at.wrapping_add(width as u32);
            let above = first_greatest((upper[0], at), (upper[1], at.wrapping_add(1)));
            let below = first_greatest((lower[0], below), (lower[1], below.wrapping_add(1)));
            (*y, *place) = first_greatest(above, below);
            at = at.wrapping_add(2);
        }
    }
}

/// The greater of two values and where it stands: the first of equal ones, but NaN wins.
///
/// Which is greater is anyone's guess: a branch would be mispredicted, a mask cannot be.
#[inline]
fn first_greatest(first: (f32, u32), second: (f32, u32)) -> (f32, u32) {
    let mask = u32::from((second.0 > first.0) | second.0.is_nan()).wrapping_neg();
    let value = second.0.to_bits() & mask | first.0.to_bits() & !mask;
    (f32::from_bits(value), second.1 & mask | first.1 & !mask)
}

/// The input elements of one window along one axis: `count` of them from `first` on, one dilation apart.
struct Taps {
    first: usize,
    count: usize,
    step: usize,
}

impl Taps {
    fn of(g: &PoolGeometry, axis: usize, position: usize) -> Self {
        let window = g.windows[axis];
        let taps = window.taps(position, g.input[axis]);
        let first = if taps.is_empty() { 0 } else { window.element(position, taps.start) };
        Self { first, count: taps.len(), step: window.dilation }
    }
}

/// The greatest value of one window and where it stands; −∞ and [`NONE`] if the window sees nothing but padding.
#[inline]
fn maximum(plane: &[f32], width: usize, rows: &Taps, columns: &Taps) -> (f32, u32) {
    if rows.count == 0 || columns.count == 0 {
        return (f32::NEG_INFINITY, NONE);
    }
    let mut start = rows.first * width + columns.first;
    let mut greatest = (plane[start], start as u32);
    for _ in 0..rows.count {
        let mut at = start;
        for _ in 0..columns.count {
            greatest = first_greatest(greatest, (plane[at], at as u32));
            at += columns.step;
        }
        start += rows.step * width;
    }
    greatest
}

/// Gradient of max pooling: each output's gradient goes to the element that was chosen.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_graph::MaxPool2d;
/// use taper_kernels::{PoolGeometry, max_pool2d_backward};
/// let geometry = PoolGeometry::max(&MaxPool2d::new(2), 1, [1, 2, 2])?;
/// let mut dx = [9.0; 4];
/// max_pool2d_backward(&geometry, &[1], &[5.0], &mut dx)?;
/// assert_eq!(dx, [0.0, 5.0, 0.0, 0.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use taper_graph::AvgPool2d;
/// use taper_kernels::{PoolGeometry, avg_pool2d};
/// let geometry = PoolGeometry::avg(&AvgPool2d::new(2), 1, [1, 2, 2])?;
/// let mut y = [0.0];
/// avg_pool2d(&geometry, &[1.0, 2.0, 3.0, 6.0], &mut y)?;
/// assert_eq!(y, [3.0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
///
/// ```
/// use taper_graph::AvgPool2d;
/// use taper_kernels::{PoolGeometry, avg_pool2d_backward};
/// let geometry = PoolGeometry::avg(&AvgPool2d::new(2), 1, [1, 2, 2])?;
/// let mut dx = [9.0; 4];
/// avg_pool2d_backward(&geometry, &[8.0], &mut dx)?;
/// assert_eq!(dx, [2.0; 4]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
        let (rows, _) = span(g, 0, out_row);
        for out_column in 0..g.output[1] {
            let (columns, _) = span(g, 1, out_column);
            let divisor = g.divisor([out_row, out_column]) as f32;
            visit(out_row * g.output[1] + out_column, rows.clone(), columns, divisor);
        }
    }
}

impl PoolGeometry {
    /// What average pooling divides the sum of a window by; the window is given by its place in the output.
    ///
    /// ```
    /// use taper_graph::AvgPool2d;
    /// use taper_kernels::PoolGeometry;
    /// let geometry = PoolGeometry::avg(&AvgPool2d::new(2), 1, [1, 4, 4])?;
    /// assert_eq!(geometry.divisor([1, 0]), 4);
    /// # Ok::<(), taper_graph::ShapeError>(())
    /// ```
    #[must_use]
    pub fn divisor(&self, [row, column]: [usize; 2]) -> usize {
        let [(rows, tall), (columns, wide)] = [span(self, 0, row), span(self, 1, column)];
        if self.count_include_pad { tall * wide } else { rows.len() * columns.len() }
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
