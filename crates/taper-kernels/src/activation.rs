//! Element-wise functions and their derivatives.

mod functions;

use rayon::prelude::*;
use taper_graph::Activation;

use crate::error::{KernelError, check_len};
use crate::isa::Isa;
use crate::simd::{LANES, Simd, dispatch};

pub(crate) use functions::{relu, relu_backward};

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
///
/// ```
/// use taper_graph::Activation;
/// let mut dx = [9.0; 3];
/// taper_kernels::activate_backward(Activation::Relu, &[-1.0, 0.0, 2.0], &[5.0; 3], &mut dx)?;
/// assert_eq!(dx, [0.0, 0.0, 5.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
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
///
/// ```
/// use taper_graph::Activation;
/// use taper_kernels::{Isa, activate_backward_part};
/// let mut dx = [9.0];
/// activate_backward_part(Isa::current(), Activation::Sigmoid, &[0.0], &[8.0], &mut dx)?;
/// assert_eq!(dx, [2.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
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
    dispatch!(isa, |s| {
        macro_rules! by {
            ($f:ident) => {
                map(
                    s,
                    [x],
                    y,
                    #[inline(always)]
                    |[x]| functions::$f(s, x),
                )
            };
        }
        match function {
            Activation::Relu => by!(relu),
            Activation::Gelu => by!(gelu),
            Activation::Silu => by!(silu),
            Activation::Tanh => by!(tanh),
            Activation::Sigmoid => by!(sigmoid),
        }
    });
}

fn backward(isa: Isa, function: Activation, x_and_dy: [&[f32]; 2], dx: &mut [f32]) {
    dispatch!(isa, |s| {
        macro_rules! by {
            ($f:ident) => {
                map(
                    s,
                    x_and_dy,
                    dx,
                    #[inline(always)]
                    |[x, dy]| functions::$f(s, x, dy),
                )
            };
        }
        match function {
            Activation::Relu => by!(relu_backward),
            Activation::Gelu => by!(gelu_backward),
            Activation::Silu => by!(silu_backward),
            Activation::Tanh => by!(tanh_backward),
            Activation::Sigmoid => by!(sigmoid_backward),
        }
    });
}

/// `y = f(inputs)`; the slices have the same length.
#[inline(always)]
fn map<S: Simd, const N: usize>(s: S, inputs: [&[f32]; N], y: &mut [f32], f: impl Fn([S::F; N]) -> S::F) {
    let whole = y.len() / LANES * LANES;
    for at in (0..whole).step_by(LANES) {
        let from: [&[f32]; N] = std::array::from_fn(|n| &inputs[n][at..at + LANES]);
        // SAFETY: eight elements each.
        unsafe {
            let values = std::array::from_fn(
                #[inline(always)]
                |n| s.load(from[n], 0),
            );
            s.store(f(values), &mut y[at..at + LANES], 0);
        }
    }
    // The same arithmetic for what does not fill a vector, so that it does not matter where a slice ends.
    let rest = &mut y[whole..];
    let mut padded = [[0.0; LANES]; N];
    for (padded, input) in padded.iter_mut().zip(inputs) {
        padded[..rest.len()].copy_from_slice(&input[whole..whole + rest.len()]);
    }
    let mut lanes = [0.0; LANES];
    // SAFETY: eight elements each.
    unsafe {
        let values = std::array::from_fn(
            #[inline(always)]
            |n| s.load(&padded[n], 0),
        );
        s.store(f(values), &mut lanes, 0);
    }
    rest.copy_from_slice(&lanes[..rest.len()]);
}
