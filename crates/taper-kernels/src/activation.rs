//! Element-wise functions and their derivatives.

mod functions;

use rayon::prelude::*;
use taper_graph::Activation;

use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

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
    let pieces = y.par_chunks_mut(GRAIN).zip(x.par_chunks(GRAIN));
    pieces.for_each(|(y, x)| forward(Isa::current(), function, x, y));
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
    let pieces = dx.par_chunks_mut(GRAIN).zip(x.par_chunks(GRAIN).zip(dy.par_chunks(GRAIN)));
    pieces.for_each(|(dx, (x, dy))| backward(Isa::current(), function, [x, dy], dx));
    Ok(())
}

/// [`activate`] on the calling thread, with a given instruction set: for part of a batch.
///
/// # Errors
/// [`KernelError::Length`] if `x` and `y` differ in length.
///
/// ```
/// use taper_graph::Activation;
/// use taper_kernels::{Isa, activate_part};
/// let mut y = [0.0; 2];
/// activate_part(Isa::current(), Activation::Sigmoid, &[0.0, 1000.0], &mut y)?;
/// assert_eq!(y, [0.5, 1.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn activate_part(isa: Isa, function: Activation, x: &[f32], y: &mut [f32]) -> Result<(), KernelError> {
    check_len("y", y.len(), x.len())?;
    forward(isa, function, x, y);
    Ok(())
}

/// [`activate_backward`] on the calling thread, with a given instruction set: for part of a batch.
///
/// # Errors
/// [`KernelError::Length`] if the slices differ in length.
pub fn activate_backward_part(
    isa: Isa,
    function: Activation,
    x: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), KernelError> {
    check_len("dy", dy.len(), x.len())?;
    check_len("gradient of x", dx.len(), x.len())?;
    backward(isa, function, [x, dy], dx);
    Ok(())
}

fn forward(isa: Isa, function: Activation, x: &[f32], y: &mut [f32]) {
    dispatch!(isa, |s| match function {
        Activation::Relu => map(s, [x], y, |[x]| functions::relu(s, x)),
        Activation::Gelu => map(s, [x], y, |[x]| functions::gelu(s, x)),
        Activation::Silu => map(s, [x], y, |[x]| functions::silu(s, x)),
        Activation::Tanh => map(s, [x], y, |[x]| functions::tanh(s, x)),
        Activation::Sigmoid => map(s, [x], y, |[x]| functions::sigmoid(s, x)),
    });
}

fn backward(isa: Isa, function: Activation, x_and_dy: [&[f32]; 2], dx: &mut [f32]) {
    dispatch!(isa, |s| match function {
        Activation::Relu => map(s, x_and_dy, dx, |[x, dy]| functions::relu_backward(s, x, dy)),
        Activation::Gelu => map(s, x_and_dy, dx, |[x, dy]| functions::gelu_backward(s, x, dy)),
        Activation::Silu => map(s, x_and_dy, dx, |[x, dy]| functions::silu_backward(s, x, dy)),
        Activation::Tanh => map(s, x_and_dy, dx, |[x, dy]| functions::tanh_backward(s, x, dy)),
        Activation::Sigmoid => map(s, x_and_dy, dx, |[x, dy]| functions::sigmoid_backward(s, x, dy)),
    });
}

/// `y = f(inputs)`; the slices have the same length.
#[inline(always)]
fn map<S: Simd, const N: usize>(s: S, inputs: [&[f32]; N], y: &mut [f32], f: impl Fn([S::F; N]) -> S::F) {
    let mut vectors = y.chunks_exact_mut(LANES);
    let mut at = 0;
    for y in vectors.by_ref() {
        let values = inputs.map(|input| &input[at..at + LANES]);
        // SAFETY: eight elements each.
        unsafe { s.store(f(values.map(|values| s.load(values, 0))), y, 0) };
        at += LANES;
    }
    // The same arithmetic for what does not fill a vector, so that it does not matter where a slice ends.
    let rest = vectors.into_remainder();
    let mut lanes = [0.0; LANES];
    let values = inputs.map(|input| {
        let mut lanes = [0.0; LANES];
        lanes[..rest.len()].copy_from_slice(&input[at..at + rest.len()]);
        lanes
    });
    // SAFETY: eight elements each.
    unsafe { s.store(f(values.map(|values| s.load(&values, 0))), &mut lanes, 0) };
    rest.copy_from_slice(&lanes[..rest.len()]);
}
