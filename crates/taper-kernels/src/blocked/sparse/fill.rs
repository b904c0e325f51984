//! Making the lists from codes and gradients.

use super::lists::{NOWHERE, UNROLL};
use super::{SparseConv, SparseLists};
use crate::simd::{LANES, Simd};

impl SparseConv {
    /// The list of each channel.
    #[inline(always)]
    pub(super) fn list_channels<S: Simd>(
        &self,
        s: S,
        images: usize,
        codes: &[u8],
        dy: &[f32],
        lists: &mut SparseLists,
        dbias_sum: &mut [f32],
    ) {
        let plane = self.pooled * LANES;
        for image in 0..images {
            for block in 0..self.out_blocks() {
                let at = image * self.pooled_image() + block * plane;
                let (codes, dy) = (&codes[at..][..plane], &dy[at..][..plane]);
                let list = image / self.chunk * self.out_blocks() * LANES + block * LANES;
                let first = image % self.chunk * self.pooled * self.taps;
                let sum = self.list_block(s, codes, dy, lists, list, first);
                let dbias = &mut dbias_sum[block * LANES..][..LANES];
                // SAFETY: eight elements.
                unsafe { s.store(s.add(s.load(dbias, 0), sum), dbias, 0) };
            }
        }
    }

    /// Appends the gradients of eight channels of one image, whose windows are those from `first` on, to the lists from number
    /// `list` on; returns their sums.
    #[inline(always)]
    fn list_block<S: Simd>(
        &self,
        s: S,
        codes: &[u8],
        dy: &[f32],
        lists: &mut SparseLists,
        list: usize,
        first: usize,
    ) -> S::F {
        let nowhere = s.splat_u(NOWHERE);
        let counts = &mut lists.counts[list..][..LANES];
        let range = list * lists.stride..(list + LANES) * lists.stride;
        let (starts, gradients) = (&mut lists.starts[range.clone()], &mut lists.gradients[range]);
        let mut sum = s.splat(0.0);
        for pixel in (0..self.pooled).step_by(LANES) {
            let (mut start, mut gradient) = ([s.with_bits(nowhere); LANES], [s.splat(0.0); LANES]);
            // The usual eight are unrolled, so that the vectors stay in registers.
            if pixel + LANES <= self.pooled {
                for lane in 0..LANES {
                    let at = pixel + lane;
                    let windows = &self.starts[first + at * self.taps..][..self.taps];
                    (start[lane], gradient[lane]) = self.element(s, codes, dy, at, windows);
                }
            } else {
                for lane in 0..self.pooled - pixel {
                    let at = pixel + lane;
                    let windows = &self.starts[first + at * self.taps..][..self.taps];
                    (start[lane], gradient[lane]) = self.element(s, codes, dy, at, windows);
                }
            }
            for gradient in gradient {
                sum = s.add(sum, gradient);
            }
            let (start, gradient) = (s.transpose(start), s.transpose(gradient));
            for lane in 0..LANES {
                let start = s.to_bits(start[lane]);
                let bits = s.bits(s.lt_u(start, nowhere));
                let to = lane * lists.stride + counts[lane];
                // SAFETY: a list has room for all pooled pixels of its images and eight elements more.
                unsafe {
                    s.store_u(s.pack_u(bits, start), starts, to);
                    s.store(s.pack(bits, gradient[lane]), gradients, to);
                }
                counts[lane] += bits.count_ones() as usize;
            }
        }
        sum
    }

    /// Where the windows that the codes of a pooled pixel name start, and the gradients there; [`NOWHERE`] and zero if they
    /// name none.
    #[inline(always)]
    fn element<S: Simd>(
        &self,
        s: S,
        codes: &[u8],
        dy: &[f32],
        pixel: usize,
        windows: &[u32],
    ) -> (S::F, S::F) {
        debug_assert!(pixel < self.pooled);
        // SAFETY: both slices have eight elements for each of the pooled pixels.
        let (code, dy) = unsafe { (s.load_bytes(codes, pixel * LANES), s.load(dy, pixel * LANES)) };
        let passes = s.lt_u(code, s.splat_u(self.taps as u32));
        let start = s.select_u(passes, chosen(s, code, windows), s.splat_u(NOWHERE));
        (s.with_bits(start), s.select(passes, s.mul(dy, s.splat(self.scale)), s.splat(0.0)))
    }

    /// The list of each pixel.
    #[inline(always)]
    pub(super) fn list_pixels<S: Simd>(
        &self,
        s: S,
        images: usize,
        codes: &[u8],
        dy: &[f32],
        lists: &mut SparseLists,
    ) {
        let (plane, scale) = (self.pooled * LANES, s.splat(self.scale));
        // SAFETY: eight elements.
        let lanes = unsafe { s.load_u(&[0, 1, 2, 3, 4, 5, 6, 7], 0) };
        let (channels, values, ends) = (&mut lists.channels[..], &mut lists.values[..], &mut lists.ends[..]);
        let (mut end, pixels) = (0, self.geometry.out_pixels());
        for image in 0..images {
            let at = image * self.pooled_image();
            let (codes, dy) = (&codes[at..][..self.pooled_image()], &dy[at..][..self.pooled_image()]);
            let mut winner = 0;
            for (list_end, &winner_end) in ends[image * pixels..].iter_mut().zip(&self.winner_ends) {
                for &(pooled, code) in &self.winners[winner..winner_end] {
                    let (code, mut channel, mut at) = (s.splat_u(code), lanes, pooled as usize * LANES);
                    while at < codes.len() {
                        // SAFETY: `at` is a pooled pixel of one of the blocks. An element has one code and so one place
                        // in all lists; there is room for each of them, for what fills the lists and for eight more.
                        unsafe {
                            let bits = s.bits(s.eq_u(s.load_bytes(codes, at), code));
                            s.store_u(s.pack_u(bits, channel), channels, end);
                            s.store(s.pack(bits, s.mul(s.load(dy, at), scale)), values, end);
                            end += bits.count_ones() as usize;
                        }
                        channel = s.add_u(channel, s.splat_u(LANES as u32));
                        at += plane;
                    }
                }
                winner = winner_end;
                // SAFETY: as above.
                unsafe {
                    s.store_u(s.splat_u(0), channels, end);
                    s.store(s.splat(0.0), values, end);
                }
                end = end.next_multiple_of(UNROLL);
                *list_end = end;
            }
        }
    }
}

/// In each lane, the one of `windows` that the code names; the first if it names none.
#[inline(always)]
fn chosen<S: Simd>(s: S, code: S::U, windows: &[u32]) -> S::U {
    match *windows {
        [a, b, c, d] => {
            let own = pick(s, code, 1, b, s.splat_u(a));
            pick(s, code, 3, d, pick(s, code, 2, c, own))
        }
        [first, ref others @ ..] => {
            let mut own = s.splat_u(first);
            for (tap, &start) in (1..).zip(others) {
                own = pick(s, code, tap, start, own);
            }
            own
        }
        [] => s.splat_u(0),
    }
}

/// In each lane, `start` where the code is `tap`, else `other`.
#[inline(always)]
fn pick<S: Simd>(s: S, code: S::U, tap: u32, start: u32, other: S::U) -> S::U {
    s.select_u(s.eq_u(code, s.splat_u(tap)), s.splat_u(start), other)
}
