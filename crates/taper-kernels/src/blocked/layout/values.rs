//! Blocked images as arguments, and the runs of elements that are contiguous in all of them.

use std::ops::Range;

use super::Blocked;
use crate::error::{KernelError, check_len};
use crate::simd::LANES;

/// Blocked images that a kernel reads, and the halo around their planes.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a> {
    /// The elements, laid out by [`Blocked`] with this halo.
    pub data: &'a [f32],
    /// Pixels around each plane, on every side.
    pub halo: usize,
}

impl<'a> Values<'a> {
    /// Images with `halo` pixels around their planes.
    ///
    /// ```
    /// use taper_kernels::blocked::Values;
    /// assert_eq!(Values::new(&[0.0; 72], 1).halo, 1);
    /// ```
    pub fn new(data: &'a [f32], halo: usize) -> Self {
        Self { data, halo }
    }

    /// The layout, if there are `images` images of these sizes.
    pub(crate) fn check(
        &self,
        what: &'static str,
        sizes: Blocked,
        images: usize,
    ) -> Result<Blocked, KernelError> {
        let layout = sizes.with_halo(self.halo);
        check_len(what, self.data.len(), layout.elements(images))?;
        Ok(layout)
    }
}

impl<'a> From<&'a [f32]> for Values<'a> {
    /// Images without a halo.
    fn from(data: &'a [f32]) -> Self {
        Self::new(data, 0)
    }
}

/// Blocked images that a kernel writes, and the halo around their planes, which it leaves as it is.
#[derive(Debug)]
pub struct ValuesMut<'a> {
    /// The elements, laid out by [`Blocked`] with this halo.
    pub data: &'a mut [f32],
    /// Pixels around each plane, on every side.
    pub halo: usize,
}

impl<'a> ValuesMut<'a> {
    /// Images with `halo` pixels around their planes.
    ///
    /// ```
    /// use taper_kernels::blocked::ValuesMut;
    /// assert_eq!(ValuesMut::new(&mut [0.0; 72], 1).halo, 1);
    /// ```
    pub fn new(data: &'a mut [f32], halo: usize) -> Self {
        Self { data, halo }
    }

    /// As [`Values::check`].
    pub(crate) fn check(
        &self,
        what: &'static str,
        sizes: Blocked,
        images: usize,
    ) -> Result<Blocked, KernelError> {
        Values::new(self.data, self.halo).check(what, sizes, images)
    }
}

impl<'a> From<&'a mut [f32]> for ValuesMut<'a> {
    /// Images without a halo.
    fn from(data: &'a mut [f32]) -> Self {
        Self::new(data, 0)
    }
}

/// The runs of pixels that are contiguous in each of `N` layouts of the same sizes: rows, or whole planes if no layout
/// has a halo. Every run is a whole number of pixels and lies within its image in every layout.
pub(crate) struct Runs<const N: usize> {
    layouts: [Blocked; N],
    /// Whether no layout has a halo.
    whole: bool,
    blocks: usize,
    rows: usize,
    /// Elements of a run.
    len: usize,
}

impl<const N: usize> Runs<N> {
    pub(crate) fn new(sizes: Blocked, halos: [usize; N]) -> Self {
        let (height, width) = (sizes.height, sizes.width);
        let whole = halos.iter().all(|&halo| halo == 0);
        let (rows, pixels) = if whole { (1, sizes.pixels()) } else { (height, width) };
        let layouts = halos.map(|halo| sizes.with_halo(halo));
        Self { layouts, whole, blocks: sizes.blocks(), rows, len: pixels.saturating_mul(LANES) }
    }

    /// The numbers of `images` images; none if there is nothing in them, since then there may be any number of them.
    pub(crate) fn images(&self, images: usize) -> Range<usize> {
        0..if self.blocks == 0 || self.rows == 0 || self.len == 0 { 0 } else { images }
    }

    /// Calls `visit(starts, elements)` for every run of one block of one image, first row first.
    #[inline(always)]
    pub(crate) fn for_each_in(&self, image: usize, block: usize, mut visit: impl FnMut([usize; N], usize)) {
        // Loops and no `map` of arrays, which the compiler does not always inline.
        let (mut starts, mut steps) = ([0; N], [0; N]);
        for (n, layout) in self.layouts.iter().enumerate() {
            starts[n] = image * layout.image() + layout.at(block, 0, 0);
            steps[n] = layout.row();
        }
        for _ in 0..self.rows {
            visit(starts, self.len);
            for (start, step) in starts.iter_mut().zip(steps) {
                *start += step;
            }
        }
    }

    /// Calls `visit(starts, elements)` for runs that hold all of `images` images: one, if no layout has a halo, since planes
    /// and images follow each other then.
    #[inline(always)]
    pub(crate) fn for_all(&self, images: usize, mut visit: impl FnMut([usize; N], usize)) {
        let images = self.images(images).len();
        if self.whole && images > 0 {
            visit([0; N], images * self.blocks * self.len);
        } else {
            self.for_each(
                images,
                #[inline(always)]
                |_, starts, len| visit(starts, len),
            );
        }
    }

    /// Calls `visit(block, starts, elements)` for every run of every block of `images` images.
    #[inline(always)]
    pub(crate) fn for_each(&self, images: usize, mut visit: impl FnMut(usize, [usize; N], usize)) {
        for image in self.images(images) {
            for block in 0..self.blocks {
                self.for_each_in(
                    image,
                    block,
                    #[inline(always)]
                    |starts, len| visit(block, starts, len),
                );
            }
        }
    }
}
