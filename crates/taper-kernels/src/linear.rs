//! The fully connected layer.

use crate::error::{KernelError, check_len};
use crate::geometry::product;
use crate::matmul::{Matrix, matmul_parallel};

/// The sizes of one linear layer: `[N, in_features]` → `[N, out_features]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LinearGeometry {
    /// Number of rows, N.
    pub batch: usize,
    /// Features of the input.
    pub in_features: usize,
    /// Features of the output.
    pub out_features: usize,
}

impl LinearGeometry {
    /// Elements of the input.
    pub fn input_len(&self) -> usize {
        product([self.batch, self.in_features])
    }

    /// Elements of the weight `[out_features, in_features]`.
    pub fn weight_len(&self) -> usize {
        product([self.out_features, self.in_features])
    }

    /// Elements of the output.
    pub fn output_len(&self) -> usize {
        product([self.batch, self.out_features])
    }

    fn x<'a>(&self, x: &'a [f32]) -> Matrix<'a> {
        Matrix::row_major(x, self.batch, self.in_features)
    }

    fn weight<'a>(&self, weight: &'a [f32]) -> Matrix<'a> {
        Matrix::row_major(weight, self.out_features, self.in_features)
    }

    fn y<'a>(&self, y: &'a [f32]) -> Matrix<'a> {
        Matrix::row_major(y, self.batch, self.out_features)
    }
}

/// `y = x·weightᵀ + bias`; weight `[out_features, in_features]`, bias `[out_features]`.
///
/// Source: [`torch.nn.Linear`](https://docs.pytorch.org/docs/stable/generated/torch.nn.Linear.html).
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{LinearGeometry, linear};
/// let geometry = LinearGeometry { batch: 1, in_features: 2, out_features: 1 };
/// let mut y = [0.0];
/// linear(geometry, &[1.0, 10.0], &[3.0, 4.0], Some(&[0.5]), &mut y)?;
/// assert_eq!(y, [43.5]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn linear(
    g: LinearGeometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    check_len("x", x.len(), g.input_len())?;
    check_len("weight", weight.len(), g.weight_len())?;
    check_len("y", y.len(), g.output_len())?;
    check_len("bias", bias.map_or(g.out_features, <[f32]>::len), g.out_features)?;
    matmul_parallel(g.x(x), g.weight(weight).transposed(), y);
    if let Some(bias) = bias {
        for row in y.chunks_exact_mut(g.out_features.max(1)) {
            row.iter_mut().zip(bias).for_each(|(y, bias)| *y += bias);
        }
    }
    Ok(())
}

/// Gradient of the input: `dx = dy·weight`.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{LinearGeometry, linear_backward_input};
/// let geometry = LinearGeometry { batch: 1, in_features: 2, out_features: 1 };
/// let mut dx = [0.0; 2];
/// linear_backward_input(geometry, &[3.0, 4.0], &[10.0], &mut dx)?;
/// assert_eq!(dx, [30.0, 40.0]);
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn linear_backward_input(
    g: LinearGeometry,
    weight: &[f32],
    dy: &[f32],
    dx: &mut [f32],
) -> Result<(), KernelError> {
    check_len("weight", weight.len(), g.weight_len())?;
    check_len("dy", dy.len(), g.output_len())?;
    check_len("gradient of x", dx.len(), g.input_len())?;
    matmul_parallel(g.y(dy), g.weight(weight), dx);
    Ok(())
}

/// Gradients of weight and bias: `dweight = dyᵀ·x`, `dbias = Σ dy` over the rows.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_kernels::{LinearGeometry, linear_backward_params};
/// let geometry = LinearGeometry { batch: 2, in_features: 1, out_features: 1 };
/// let (mut dweight, mut dbias) = ([0.0], [0.0]);
/// linear_backward_params(geometry, &[3.0, 4.0], &[1.0, 10.0], &mut dweight, Some(&mut dbias))?;
/// assert_eq!((dweight, dbias), ([43.0], [11.0]));
/// # Ok::<(), taper_kernels::KernelError>(())
/// ```
pub fn linear_backward_params(
    g: LinearGeometry,
    x: &[f32],
    dy: &[f32],
    dweight: &mut [f32],
    dbias: Option<&mut [f32]>,
) -> Result<(), KernelError> {
    check_len("x", x.len(), g.input_len())?;
    check_len("dy", dy.len(), g.output_len())?;
    check_len("gradient of weight", dweight.len(), g.weight_len())?;
    matmul_parallel(g.y(dy).transposed(), g.x(x), dweight);
    if let Some(dbias) = dbias {
        check_len("gradient of bias", dbias.len(), g.out_features)?;
        dbias.fill(0.0);
        for row in dy.chunks_exact(g.out_features.max(1)) {
            dbias.iter_mut().zip(row).for_each(|(sum, dy)| *sum += dy);
        }
    }
    Ok(())
}
