//! Matrix products over slices, by the `gemm` crate.

use gemm::Parallelism;

/// A matrix in a slice, with any strides.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// `rows`×`columns`, row after row.
    pub(crate) fn row_major(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert_eq!(data.len(), rows * columns, "a {rows}×{columns} matrix");
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The same elements with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
            ..self
        }
    }

    /// Whether every element lies inside the slice.
    fn fits(&self) -> bool {
        self.rows == 0
            || self.columns == 0
            || (self.rows - 1) * self.row_stride + (self.columns - 1) * self.column_stride < self.data.len()
    }
}

/// Whether a product replaces what stands in its destination or is added to it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Into {
    Replace,
    Add,
}

/// `y = a·b` or `y += a·b` on the calling thread; `y` is row-major.
pub(crate) fn matmul(a: Matrix<'_>, b: Matrix<'_>, y: &mut [f32], into: Into) {
    product(a, b, y, into, Parallelism::None);
}

/// `y = a·b` on all threads. They share out tiles of `y`; how the products of one element are added up depends on the
/// sizes alone, so that the number of threads does not change a bit.
pub(crate) fn matmul_parallel(a: Matrix<'_>, b: Matrix<'_>, y: &mut [f32]) {
    // 0 means all threads of the current pool.
    product(a, b, y, Into::Replace, Parallelism::Rayon(0));
}

fn product(a: Matrix<'_>, b: Matrix<'_>, y: &mut [f32], into: Into, parallelism: Parallelism) {
    assert!(a.columns == b.rows && y.len() == a.rows * b.columns && a.fits() && b.fits());
    if y.is_empty() {
        return;
    }
    // SAFETY: the assertion above proves that every element of `a` and `b` that the strides reach lies inside
    // their slices and that `y` holds all rows × columns; `y` is borrowed mutably, so it overlaps neither. With
    // `Into::Replace` (read_dst = false) the old contents of `y` are not read.
    unsafe {
        gemm::gemm(
            a.rows,
            b.columns,
            a.columns,
            y.as_mut_ptr(),
            1,
            b.columns as isize,
            into == Into::Add,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0f32,
            1.0f32,
            false,
            false,
            false,
            parallelism,
        );
    }
}
