//! Matrix products over slices, by the `gemm` crate.
#![allow(unsafe_code)]

use gemm::Parallelism;
use rayon::prelude::*;

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

    /// `count` rows from `first` on.
    fn row_block(self, first: usize, count: usize) -> Self {
        assert!(first + count <= self.rows);
        let data = if count == 0 { &[] } else { &self.data[first * self.row_stride..] };
        Self { data, rows: count, ..self }
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
            Parallelism::None,
        );
    }
}

/// `y = a·b` on all threads, in blocks of rows whose number does not depend on the threads.
pub(crate) fn matmul_parallel(a: Matrix<'_>, b: Matrix<'_>, y: &mut [f32]) {
    /// Every block packs the whole of `b` again, so there are few.
    const BLOCKS: usize = 4;
    assert_eq!(y.len(), a.rows * b.columns);
    if y.is_empty() {
        return;
    }
    let rows = a.rows.div_ceil(BLOCKS);
    y.par_chunks_mut(rows * b.columns).enumerate().for_each(|(block, y)| {
        let count = y.len() / b.columns;
        matmul(a.row_block(block * rows, count), b, y, Into::Replace);
    });
}
