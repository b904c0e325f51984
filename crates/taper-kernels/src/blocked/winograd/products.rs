//! Products of matrices whose accumulators stay in registers.

use crate::simd::{LANES, Simd};

/// Rows of the result that are summed at a time: six rows of two vectors and their operands fill sixteen registers.
const ROWS: usize = 6;
/// Terms summed before the next rows: the operand that all rows share stays in the nearest cache.
const TERMS: usize = 256;

/// `c[i][j] = Σₖ a[i, k] · b[k][j]` for `rows` rows of `columns` vectors.
///
/// Along the terms k, `a` is contiguous if `ALONG` (`a[i, k]` at `a_at + i · a_step + k`); else its rows are
/// (`a_at + k · a_step + i`). Rows of `b` start at `b_at + k · b_step`, rows of the result at `c_at + i · c_step`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Product<'a, const ALONG: bool> {
    pub(super) a: &'a [f32],
    pub(super) a_at: usize,
    pub(super) a_step: usize,
    pub(super) b: &'a [f32],
    pub(super) b_at: usize,
    pub(super) b_step: usize,
    pub(super) c_at: usize,
    pub(super) c_step: usize,
    pub(super) rows: usize,
    pub(super) terms: usize,
    /// Whether the product is added to what `c` has.
    pub(super) add: bool,
}

impl<const ALONG: bool> Product<'_, ALONG> {
    /// Computes the product with rows of `N` vectors.
    ///
    /// # Safety
    /// Every element that the sizes and strides name must be in its slice.
    #[inline(always)]
    pub(super) unsafe fn run<S: Simd, const N: usize>(mut self, s: S, c: &mut [f32]) {
        // Even shares: three rows leave the multipliers idle more often than five or six. The larger ones come first, so that
        // the processor can foresee which is next.
        let panels = self.rows.div_ceil(ROWS);
        let (share, larger) = (self.rows / panels.max(1), self.rows % panels.max(1));
        let terms = self.terms;
        for first in (0..terms).step_by(TERMS) {
            self.terms = (terms - first).min(TERMS);
            let mut start = 0;
            for panel in 0..panels {
                let rows = share + usize::from(panel < larger);
                // SAFETY: the caller's promise; these are rows of the product.
                unsafe {
                    match rows {
                        1 => self.panel::<S, 1, N>(s, start, c),
                        2 => self.panel::<S, 2, N>(s, start, c),
                        3 => self.panel::<S, 3, N>(s, start, c),
                        4 => self.panel::<S, 4, N>(s, start, c),
                        5 => self.panel::<S, 5, N>(s, start, c),
                        _ => self.panel::<S, 6, N>(s, start, c),
                    }
                }
                start += rows;
            }
            self.a_at += if ALONG { self.terms } else { self.terms * self.a_step };
            self.b_at += self.terms * self.b_step;
            self.add = true;
        }
    }

    /// `R` rows from `start` on.
    ///
    /// # Safety
    /// As [`Product::run`]; the rows must exist.
    #[inline(always)]
    unsafe fn panel<S: Simd, const R: usize, const N: usize>(&self, s: S, start: usize, c: &mut [f32]) {
        let (a_row, a_term) = if ALONG { (self.a_step, 1) } else { (1, self.a_step) };
        let mut sums = [[s.splat(0.0); N]; R];
        let (mut a_at, mut b_at) = (self.a_at + start * a_row, self.b_at);
        // SAFETY: the caller's promise.
        unsafe {
            let mut terms = self.terms;
            while terms >= 4 {
                for _ in 0..4 {
                    self.term(s, &mut sums, a_at, b_at);
                    (a_at, b_at) = (a_at + a_term, b_at + self.b_step);
                }
                terms -= 4;
            }
            for _ in 0..terms {
                self.term(s, &mut sums, a_at, b_at);
                (a_at, b_at) = (a_at + a_term, b_at + self.b_step);
            }
            for (i, row) in sums.into_iter().enumerate() {
                for (j, mut sum) in row.into_iter().enumerate() {
                    let at = self.c_at + (start + i) * self.c_step + j * LANES;
                    if self.add {
                        sum = s.add(s.load(c, at), sum);
                    }
                    s.store(sum, c, at);
                }
            }
        }
    }

    /// Adds one term to the sums.
    ///
    /// # Safety
    /// The operands must be in their slices.
    #[inline(always)]
    unsafe fn term<S: Simd, const R: usize, const N: usize>(
        &self,
        s: S,
        sums: &mut [[S::F; N]; R],
        a_at: usize,
        b_at: usize,
    ) {
        let a_row = if ALONG { self.a_step } else { 1 };
        let mut b = [s.splat(0.0); N];
        for (j, b) in b.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *b = unsafe { s.load(self.b, b_at + j * LANES) };
        }
        for (i, row) in sums.iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            let a = unsafe { s.broadcast(self.a, a_at + i * a_row) };
            for (sum, b) in row.iter_mut().zip(b) {
                *sum = s.mul_add(a, b, *sum);
            }
        }
    }
}
