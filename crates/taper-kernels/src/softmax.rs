//! Softmax over dimension 1.

use crate::error::{KernelError, check_len};
use crate::geometry::product;

/// `y = exp(x) / Σ exp(x)` over the middle dimension of `[outer, classes, inner]`: `inner` is 1 for `[N, F]` and H·W
/// for `[N, C, H, W]`.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have `outer · classes · inner` elements.
///
/// ```
/// let mut y = [0.0; 2];
/// taper_kernels::softmax([1, 2, 1], &[1000.0, 1000.0], &mut y)?;
/// assert_eq!(y, [0.5, 0.5]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn softmax(sizes: [usize; 3], x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    let [_, classes, inner] = sizes;
    check_len("x", x.len(), product(sizes))?;
    check_len("y", y.len(), x.len())?;
    for_each_lane(sizes, |start| {
        let lane = || (0..classes).map(move |class| start + class * inner);
        let greatest = lane().map(|at| x[at]).fold(f32::NEG_INFINITY, f32::max);
        let mut sum = 0.0;
        for at in lane() {
            y[at] = libm::expf(x[at] - greatest);
            sum += y[at];
        }
        lane().for_each(|at| y[at] /= sum);
    });
    Ok(())
}

/// Gradient of softmax from its output: `dx = y·(dy − Σ y·dy)`.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have `outer · classes · inner` elements.
///
/// ```
/// let mut dx = [0.0; 2];
/// taper_kernels::softmax_backward([1, 2, 1], &[0.5, 0.5], &[1.0, 0.0], &mut dx)?;
/// assert_eq!(dx, [0.25, -0.25]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn softmax_backward(sizes: [usize; 3], y: &[f32], dy: &[f32], dx: &mut [f32]) -> Result<(), KernelError> {
    let [_, classes, inner] = sizes;
    check_len("y", y.len(), product(sizes))?;
    check_len("dy", dy.len(), y.len())?;
    check_len("gradient of x", dx.len(), y.len())?;
    for_each_lane(sizes, |start| {
        let lane = || (0..classes).map(move |class| start + class * inner);
        let dot: f32 = lane().map(|at| y[at] * dy[at]).sum();
        lane().for_each(|at| dx[at] = y[at] * (dy[at] - dot));
    });
    Ok(())
}

/// Calls `visit` with the first element of every lane along the middle dimension.
fn for_each_lane([outer, classes, inner]: [usize; 3], mut visit: impl FnMut(usize)) {
    // However many lanes there are, there is nothing in them.
    let outer = if classes == 0 || inner == 0 { 0 } else { outer };
    for block in 0..outer {
        for offset in 0..inner {
            visit(block * classes * inner + offset);
        }
    }
}
