//! The micro-kernel: a tile of sums of products, held in registers.
//!
//! Forward, gradient of the input and gradient of the weight are one and the same sum, over different tables of
//! offsets: a row is a pixel and the sum runs over the taps, or a row is a tap and the sum runs over the pixels.

use std::array;

use crate::error::KernelError;
use crate::simd::{LANES, Simd};

/// Pairs of offsets, in elements, and the greatest of each.
#[derive(Debug, Clone, Default)]
pub(super) struct Offsets {
    pairs: Vec<[u32; 2]>,
    greatest: [usize; 2],
}

impl Offsets {
    pub(super) fn all(&self) -> Span<'_> {
        Span { pairs: &self.pairs, greatest: self.greatest }
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// In parts of about equal length, none longer than `longest`; one empty part if there is nothing.
    pub(super) fn parts(&self, longest: usize) -> impl Iterator<Item = Span<'_>> {
        let count = self.len().div_ceil(longest).max(1);
        (0..count).map(move |part| {
            let (start, end) = (part * self.len() / count, (part + 1) * self.len() / count);
            Span { pairs: &self.pairs[start..end], greatest: self.greatest }
        })
    }
}

impl FromIterator<[usize; 2]> for Offsets {
    /// Offsets lie within one image or the weights of one unit: [`super::DirectConv::new`] refuses what 32 bits do not
    /// hold.
    fn from_iter<T: IntoIterator<Item = [usize; 2]>>(pairs: T) -> Self {
        let mut offsets = Self::default();
        for [a, b] in pairs {
            offsets.greatest = [offsets.greatest[0].max(a), offsets.greatest[1].max(b)];
            offsets.pairs.push([a as u32, b as u32]);
        }
        offsets
    }
}

/// Some of the pairs of [`Offsets`], and a bound on them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span<'a> {
    pairs: &'a [[u32; 2]],
    greatest: [usize; 2],
}

/// For every row and vector `v`: `y[row.1 + v·y_step] (+)= Σ_images Σ_sums x[row.0 + sum.0] · b[sum.1 + v·b_step]`,
/// where `y` and `b` are vectors of eight and `x` is one element, or a vector where the lanes are apart.
pub(super) struct Product<'a> {
    pub(super) rows: Span<'a>,
    pub(super) sums: Span<'a>,
    /// How many images the sum runs over: `x` and `b` begin at the first, the next is `x_image` and `b_image` away.
    pub(super) images: usize,
    pub(super) x: &'a [f32],
    pub(super) x_image: usize,
    pub(super) b: &'a [f32],
    pub(super) b_image: usize,
    pub(super) b_step: usize,
    pub(super) y_step: usize,
    /// Vectors of a row: 1 or 2, and 1 where the lanes are apart.
    pub(super) vectors: usize,
    /// Whether each lane has its own `x`, as in a depthwise convolution.
    pub(super) apart: bool,
    /// Whether to add to `y`.
    pub(super) add: bool,
}

/// Runs the tiles of `$rows` rows each, if that is the size asked for, compiled for the instruction set of `$s`.
macro_rules! of_size {
    ($s:expr, $size:expr, [$($rows:literal)*], |$n:ident| $body:expr) => {
        match $size {
            $($rows => {
                const $n: usize = $rows;
                $s.vectorize(#[inline(always)] || $body)
            })*
            _ => {}
        }
    };
}

impl Product<'_> {
    /// # Errors
    /// [`KernelError::Length`] if an offset points beyond its slice.
    pub(super) fn run<S: Simd>(&self, s: S, y: &mut [f32]) -> Result<(), KernelError> {
        self.check(y.len())?;
        // Twelve accumulators, two weights and one input fill the sixteen registers; a single vector a row needs
        // eight to hide the latency of the multiply-add, and then address registers run out.
        let widest = if self.vectors == 2 { 6 } else { 8 };
        let count = self.rows.pairs.len().div_ceil(widest).max(1);
        let (size, larger) = (self.rows.pairs.len() / count, self.rows.pairs.len() % count);
        // Tiles of nearly the same size: a last tile of one or two rows would wait for its own sums.
        let (front, back) = self.rows.pairs.split_at(larger * (size + 1));
        for (rows, size) in [(front, size + 1), (back, size)] {
            // SAFETY: `check` has proven every offset.
            unsafe {
                match (self.apart, self.vectors) {
                    (true, _) => {
                        of_size!(s, size, [1 2 3 4 5 6 7 8], |N| self.tiles::<S, N, 1, true>(s, rows, y))
                    }
                    (false, 1) => {
                        of_size!(s, size, [1 2 3 4 5 6 7 8], |N| self.tiles::<S, N, 1, false>(s, rows, y))
                    }
                    _ => of_size!(s, size, [1 2 3 4 5 6], |N| self.tiles::<S, N, 2, false>(s, rows, y)),
                }
            }
        }
        Ok(())
    }

    /// Proves that no offset leads beyond its slice.
    fn check(&self, y_len: usize) -> Result<(), KernelError> {
        if self.rows.pairs.is_empty() {
            return Ok(());
        }
        let within = |what, expected, found| {
            if expected <= found { Ok(()) } else { Err(KernelError::Length { what, expected, found }) }
        };
        let (rows, sums, last) = (self.rows.greatest, self.sums.greatest, self.vectors - 1);
        within("y", rows[1] + last * self.y_step + LANES, y_len)?;
        if self.images == 0 || self.sums.pairs.is_empty() {
            return Ok(());
        }
        let width = if self.apart { LANES } else { 1 };
        within("x", (self.images - 1) * self.x_image + rows[0] + sums[0] + width, self.x.len())?;
        let b = (self.images - 1) * self.b_image + sums[1] + last * self.b_step + LANES;
        within("weight or gradient", b, self.b.len())
    }

    /// All tiles of `P` rows by `V` vectors.
    ///
    /// # Safety
    /// [`Product::check`] must have passed, and `rows` be among its rows.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const P: usize, const V: usize, const APART: bool>(
        &self,
        s: S,
        rows: &[[u32; 2]],
        y: &mut [f32],
    ) {
        // Locals: stores into `y` must not make the compiler read the fields again.
        let (images, step, add) = (self.images, self.y_step, self.add);
        for rows in rows.as_chunks::<P>().0 {
            let mut sums = [[s.splat(0.0); V]; P];
            for image in 0..images {
                // SAFETY: the caller's promise.
                unsafe { self.add_image::<S, P, V, APART>(s, image, rows, &mut sums) };
            }
            if add {
                for (row, sums) in rows.iter().zip(&mut sums) {
                    for (vector, sum) in sums.iter_mut().enumerate() {
                        // SAFETY: the caller's promise.
                        *sum = s.add(unsafe { s.load(y, row[1] as usize + vector * step) }, *sum);
                    }
                }
            }
            for (row, sums) in rows.iter().zip(sums) {
                for (vector, sum) in sums.into_iter().enumerate() {
                    // SAFETY: the caller's promise.
                    unsafe { s.store(sum, y, row[1] as usize + vector * step) };
                }
            }
        }
    }

    /// Adds the products of one image.
    ///
    /// # Safety
    /// As for [`Product::tiles`].
    #[inline(always)]
    unsafe fn add_image<S: Simd, const P: usize, const V: usize, const APART: bool>(
        &self,
        s: S,
        image: usize,
        rows: &[[u32; 2]; P],
        sums: &mut [[S::F; V]; P],
    ) {
        if self.sums.pairs.is_empty() {
            return;
        }
        // A slice for each row and vector, so that each has its own address register.
        let (x_start, b_start) = (image * self.x_image, image * self.b_image);
        let x: [&[f32]; P] = array::from_fn(
            #[inline(always)]
            // SAFETY: the caller's promise.
            |p| unsafe { self.x.get_unchecked(x_start + rows[p][0] as usize..) },
        );
        let b: [&[f32]; V] = array::from_fn(
            #[inline(always)]
            // SAFETY: the caller's promise.
            |v| unsafe { self.b.get_unchecked(b_start + v * self.b_step..) },
        );
        let mut held = *sums;
        for &[from, to] in self.sums.pairs {
            let (from, to) = (from as usize, to as usize);
            let mut vectors = [s.splat(0.0); V];
            for (vector, b) in vectors.iter_mut().zip(b) {
                // SAFETY: the caller's promise.
                *vector = unsafe { s.load(b, to) };
            }
            for (held, x) in held.iter_mut().zip(x) {
                // SAFETY: the caller's promise.
                let x = unsafe { if APART { s.load(x, from) } else { s.broadcast(x, from) } };
                for (held, vector) in held.iter_mut().zip(vectors) {
                    *held = s.mul_add(x, vector, *held);
                }
            }
        }
        *sums = held;
    }
}
