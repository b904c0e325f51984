//! The gradient of the input: for each pixel, its list against the weight.

use super::lists::UNROLL;
use super::{SparseConv, SparseLists};
use crate::blocked::Blocked;
use crate::error::{KernelError, check_len};
use crate::geometry::ConvGeometry;
use crate::simd::{LANES, Simd, dispatch};

/// Bytes of the weight that are worked on at a time: what the first cache has room for beside the lists.
const SLICE_BYTES: usize = 32 << 10;

/// A part of the weight: one tap, or three in a row, of some blocks of input channels and all output channels. Packed as
/// `[output channels, taps, blocks, 8]`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    /// The (first) tap.
    tap: [usize; 2],
    taps: usize,
    /// The first block of input channels, and how many.
    first: usize,
    blocks: usize,
    /// Where it starts in the packed weight.
    at: usize,
}

/// How the weight of a convolution is cut.
pub(super) fn slices(geometry: &ConvGeometry, input: Blocked) -> Vec<Slice> {
    let [vertical, horizontal] = geometry.windows;
    let rows = geometry.out_channels.next_multiple_of(LANES);
    let fit = SLICE_BYTES / (size_of::<f32>() * LANES * rows);
    // Three taps in a row share what they add to neighbours; the more vectors at once, the fewer broadcasts.
    let side_by_side = (horizontal.kernel, horizontal.stride, horizontal.dilation) == (3, 1, 1);
    let (taps, most) = match fit / 3 {
        fit if side_by_side && fit >= 2.min(input.blocks()) => (3, fit.min(4)),
        _ => (1, fit.clamp(4, 8)),
    };
    let panels = input.blocks().div_ceil(most);
    let blocks = input.blocks().div_ceil(panels);
    let (mut slices, mut at) = (Vec::new(), 0);
    for first in (0..input.blocks()).step_by(blocks) {
        for row in 0..vertical.kernel {
            for column in (0..horizontal.kernel).step_by(taps) {
                let blocks = blocks.min(input.blocks() - first);
                slices.push(Slice { tap: [row, column], taps, first, blocks, at });
                at += rows * taps * blocks * LANES;
            }
        }
    }
    slices
}

impl SparseConv {
    /// Elements of the weight packed for [`SparseConv::backward_input`].
    pub fn backward_packed_len(&self) -> usize {
        let taps = self.geometry.windows[0].kernel * self.geometry.windows[1].kernel;
        self.out_blocks() * LANES * taps * self.input.blocks() * LANES
    }

    /// Packs the weight `[out_channels, C, kernel_h, kernel_w]` for [`SparseConv::backward_input`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the geometry gives it.
    pub fn pack_backward(&self, weight: &[f32], packed: &mut [f32]) -> Result<(), KernelError> {
        check_len("weight", weight.len(), self.geometry.weight_len())?;
        check_len("packed weight", packed.len(), self.backward_packed_len())?;
        packed.fill(0.0);
        let [height, width] = self.geometry.windows.map(|window| window.kernel);
        let (channels, taps) = (self.geometry.in_channels, height * width);
        for slice in &self.slices {
            let first = slice.first * LANES;
            let count = (slice.blocks * LANES).min(channels - first);
            let vectors = packed[slice.at..].chunks_exact_mut(slice.blocks * LANES);
            let own = weight.chunks_exact(channels * taps).flat_map(|weight| {
                let tap = slice.tap[0] * width + slice.tap[1];
                (tap..tap + slice.taps).map(move |tap| &weight[first * taps + tap..])
            });
            for (packed, weight) in vectors.zip(own) {
                packed[..count]
                    .iter_mut()
                    .zip(weight.iter().step_by(taps))
                    .for_each(|(to, from)| *to = *from);
            }
        }
        Ok(())
    }

    /// The gradient of the input of `images` images, `dx`, without a halo. `lists` are those that [`SparseConv::fill`]
    /// made of them, with room for this; `packed` is by [`SparseConv::pack_backward`].
    ///
    /// # Errors
    /// [`KernelError::Length`] if a slice does not have the length that the layouts give it, or the lists are of other
    /// images, or without those that this needs.
    pub fn backward_input(
        &self,
        images: usize,
        lists: &SparseLists,
        packed: &[f32],
        dx: &mut [f32],
    ) -> Result<(), KernelError> {
        check_len("packed weight", packed.len(), self.backward_packed_len())?;
        check_len("gradient of x", dx.len(), self.input.with_halo(0).elements(images))?;
        self.check_lists(lists, images)?;
        if !lists.of_pixels() {
            let expected = images * self.geometry.out_pixels();
            return Err(KernelError::Length { what: "lists of pixels", expected, found: 0 });
        }
        dx.fill(0.0);
        for slice in &self.slices {
            let len = self.out_blocks() * LANES * slice.taps * slice.blocks * LANES;
            let packed = &packed[slice.at..][..len];
            dispatch!(self.isa, |s| self.one_slice(s, slice, lists, packed, dx));
        }
        Ok(())
    }

    #[inline(always)]
    fn one_slice<S: Simd>(&self, s: S, slice: &Slice, lists: &SparseLists, packed: &[f32], dx: &mut [f32]) {
        // As many chains as there are registers for.
        match (slice.taps, slice.blocks) {
            (3, 1) => self.add_slice::<S, 3, 1, 4>(s, slice, lists, packed, dx),
            (3, 2) => self.add_slice::<S, 3, 2, 2>(s, slice, lists, packed, dx),
            (3, 3) => self.add_slice::<S, 3, 3, 1>(s, slice, lists, packed, dx),
            (3, 4) => self.add_slice::<S, 3, 4, 1>(s, slice, lists, packed, dx),
            (1, 1) => self.add_slice::<S, 1, 1, 4>(s, slice, lists, packed, dx),
            (1, 2) => self.add_slice::<S, 1, 2, 4>(s, slice, lists, packed, dx),
            (1, 3) => self.add_slice::<S, 1, 3, 4>(s, slice, lists, packed, dx),
            (1, 4) => self.add_slice::<S, 1, 4, 2>(s, slice, lists, packed, dx),
            (1, 5) => self.add_slice::<S, 1, 5, 2>(s, slice, lists, packed, dx),
            (1, 6) => self.add_slice::<S, 1, 6, 2>(s, slice, lists, packed, dx),
            (1, 7) => self.add_slice::<S, 1, 7, 1>(s, slice, lists, packed, dx),
            (1, 8) => self.add_slice::<S, 1, 8, 1>(s, slice, lists, packed, dx),
            _ => {}
        }
    }

    /// Adds what a slice of the weight gives to the gradient of all images: `T` taps, `B` blocks, `CHAINS` entries side
    /// by side.
    ///
    /// Along a row, what three taps add to an input pixel comes from three neighbours: the sums move on from one to the
    /// next, and only those that are done leave the registers.
    #[inline(always)]
    fn add_slice<S: Simd, const T: usize, const B: usize, const CHAINS: usize>(
        &self,
        s: S,
        slice: &Slice,
        lists: &SparseLists,
        packed: &[f32],
        dx: &mut [f32],
    ) {
        let to = self.input.with_halo(0);
        let [vertical, horizontal] = self.geometry.windows;
        let zero = [s.splat(0.0); B];
        let shift = (slice.tap[1] * horizontal.dilation) as isize;
        let (mut start, mut pixel) = (0, 0);
        for row in 0..lists.images * self.geometry.output[0] {
            let (image, row) = (row / self.geometry.output[0], row % self.geometry.output[0]);
            let ends = &lists.ends[pixel..][..self.geometry.output[1]];
            pixel += ends.len();
            let to_row = vertical.start(row) + (slice.tap[0] * vertical.dilation) as isize;
            if !(0..to.height as isize).contains(&to_row) {
                start = ends.last().copied().unwrap_or(start);
                continue;
            }
            let dx = &mut dx[image * to.image()..][..to.image()];
            let at = to.at(slice.first, to_row as usize, 0);
            let mut sums = [[zero; T]; CHAINS];
            for (column, &end) in ends.iter().enumerate() {
                // SAFETY: the lists' ends ascend within them and are multiples of `UNROLL`; a channel is one of those
                // that the packed weight has rows for.
                sums = unsafe { multiply(s, lists, start..end, packed, sums) };
                start = end;
                let column = horizontal.start(column) + shift;
                sums = release(s, to, at, column, sums, dx);
            }
            for tap in 1..T {
                let column = horizontal.start(ends.len() - 1 + tap);
                sums = release(s, to, at, column, sums, dx);
            }
        }
    }
}

/// Adds the products of the entries `range` with the rows of `packed` to the sums.
///
/// # Safety
/// The range, of a multiple of [`UNROLL`] entries, must be within the lists, and their channels below the rows of `packed`.
#[inline(always)]
unsafe fn multiply<S: Simd, const T: usize, const B: usize, const CHAINS: usize>(
    s: S,
    lists: &SparseLists,
    range: std::ops::Range<usize>,
    packed: &[f32],
    mut sums: [[[S::F; B]; T]; CHAINS],
) -> [[[S::F; B]; T]; CHAINS] {
    let mut at = range.start;
    while at < range.end {
        for entry in 0..UNROLL {
            // SAFETY: the caller's promise.
            unsafe {
                let channel = *lists.channels.get_unchecked(at + entry) as usize;
                let value = s.broadcast(&lists.values, at + entry);
                let row = channel * T * B;
                for (vector, sum) in sums[entry % CHAINS].as_flattened_mut().iter_mut().enumerate() {
                    *sum = s.mul_add(s.load(packed, (row + vector) * LANES), value, *sum);
                }
            }
        }
        at += UNROLL;
    }
    sums
}

/// Adds the sums of the first tap to the input pixel of that column, if there is one, and moves on by one tap.
#[inline(always)]
fn release<S: Simd, const T: usize, const B: usize, const CHAINS: usize>(
    s: S,
    to: Blocked,
    at: usize,
    column: isize,
    mut sums: [[[S::F; B]; T]; CHAINS],
    dx: &mut [f32],
) -> [[[S::F; B]; T]; CHAINS] {
    if (0..to.width as isize).contains(&column) {
        for block in 0..B {
            let at = at + block * to.plane() + column as usize * LANES;
            // SAFETY: the column is one of its row's, and the slice's blocks are the image's.
            unsafe {
                let mut total = s.load(dx, at);
                for sums in &sums {
                    total = s.add(total, sums[0][block]);
                }
                s.store(total, dx, at);
            }
        }
    }
    for sums in &mut sums {
        for tap in 1..T {
            sums[tap - 1] = sums[tap];
        }
        sums[T - 1] = [s.splat(0.0); B];
    }
    sums
}
