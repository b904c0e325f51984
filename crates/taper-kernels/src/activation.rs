//! Element-wise functions and their derivatives.

use rayon::prelude::*;
use taper_graph::Activation;

use crate::error::{KernelError, check_len};

/// Elements that one task handles.
const GRAIN: usize = 1 << 14;

/// `y = f(x)`, element by element.
///
/// # Errors
/// [`KernelError::Length`] if `x` and `y` differ in length.
///
/// ```
/// use taper_graph::Activation;
/// let mut y = [0.0; 2];
/// taper_kernels::activate(Activation::Relu, &[-1.0, 2.0], &mut y)?;
/// assert_eq!(y, [0.0, 2.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn activate(function: Activation, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    check_len("y", y.len(), x.len())?;
    match function {
        // `f32::max` would turn NaN into 0.
        Activation::Relu => map(x, y, |x| if x < 0.0 { 0.0 } else { x }),
        Activation::Gelu => map(x, y, |x| x * normal_cdf(x)),
        Activation::Silu => map(x, y, |x| x * sigmoid(x)),
        Activation::Tanh => map(x, y, libm::tanhf),
        Activation::Sigmoid => map(x, y, sigmoid),
    }
    Ok(())
}

/// `dx = f′(x)·dy`, element by element. The derivative of ReLU at 0 is 0, as in PyTorch.
///
/// # Errors
/// [`KernelError::Length`] if the slices differ in length.
pub fn activate_backward(
    function: Activation,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), KernelError> {
    check_len("dy", dy.len(), x.len())?;
    check_len("gradient of x", dx.len(), x.len())?;
    match function {
        Activation::Relu => map2(x, dy, dx, |x, dy| if x > 0.0 { dy } else { 0.0 }),
        Activation::Gelu => map2(x, dy, dx, |x, dy| dy * (normal_cdf(x) + x * normal_pdf(x))),
        Activation::Silu => map2(x, dy, dx, |x, dy| {
            let s = sigmoid(x);
            dy * s * (1.0 + x * (1.0 - s))
        }),
        Activation::Tanh => map2(x, dy, dx, |x, dy| {
            let t = libm::tanhf(x);
            dy * (1.0 - t * t)
        }),
        Activation::Sigmoid => map2(x, dy, dx, |x, dy| {
            let s = sigmoid(x);
            dy * s * (1.0 - s)
        }),
    }
    Ok(())
}

fn map(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    y.par_chunks_mut(GRAIN).zip(x.par_chunks(GRAIN)).for_each(|(y, x)| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
    });
}

fn map2(x: &[f32], dy: &[f32], dx: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    dx.par_chunks_mut(GRAIN).zip(x.par_chunks(GRAIN).zip(dy.par_chunks(GRAIN))).for_each(|(dx, (x, dy))| {
        dx.iter_mut().zip(x.iter().zip(dy)).for_each(|(dx, (&x, &dy))| *dx = f(x, dy));
    });
}

/// Written so that neither branch overflows.
fn sigmoid(x: f32) -> f32 {
    if x >= 0.0 {
        1.0 / (1.0 + libm::expf(-x))
    } else {
        let e = libm::expf(x);
        e / (1.0 + e)
    }
}

/// Φ(x), the standard normal distribution function; `erfc` keeps its digits where Φ is close to 0.
fn normal_cdf(x: f32) -> f32 {
    0.5 * libm::erfcf(-x * std::f32::consts::FRAC_1_SQRT_2)
}

/// φ(x), the standard normal density.
fn normal_pdf(x: f32) -> f32 {
    const ONE_BY_SQRT_TAU: f32 = 0.398_942_3;
    ONE_BY_SQRT_TAU * libm::expf(-0.5 * x * x)
}
