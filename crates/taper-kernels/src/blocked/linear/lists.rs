//! The values of a row that are not zero, as lists that a product runs over.

use crate::simd::{LANES, Simd};

/// How many of a mask's bits are set; `popcnt` is no part of AVX2.
pub(super) static ONES: [u8; 256] = {
    let mut ones = [0; 256];
    let mut mask = 1;
    while mask < 256 {
        ones[mask] = ones[mask / 2] + (mask % 2) as u8;
        mask += 1;
    }
    ones
};

/// Rows of values cut into blocks of `BLOCK`; for each block of each row, the values that are not zero and where in a
/// panel of weights their row of weights starts. Ordered `[block][row][BLOCK]`, so that a block is read in one sweep.
pub(super) struct Lists<'a, const BLOCK: usize> {
    rows: usize,
    values: &'a mut [f32],
    offsets: &'a mut [u32],
    counts: &'a mut [u32],
}

/// The lists of one block.
pub(super) struct Block<'a> {
    /// `[row][BLOCK]`, of which the first `counts[row]` are meant.
    pub(super) values: &'a [f32],
    /// As `values`.
    pub(super) offsets: &'a [u32],
    /// Values of each row that are not zero.
    pub(super) counts: &'a [u32],
}

impl<'a, const BLOCK: usize> Lists<'a, BLOCK> {
    /// Elements of scratch for `rows` rows of `depth` values.
    pub(super) fn len(rows: usize, depth: usize) -> usize {
        rows * depth.div_ceil(BLOCK) * (2 * BLOCK + 1)
    }

    /// Lists in `scratch`, of [`Lists::len`] elements; what they hold is anything until [`Lists::fill`].
    pub(super) fn new(scratch: &'a mut [f32], rows: usize, depth: usize) -> Self {
        let slots = rows * depth.div_ceil(BLOCK);
        let (values, rest) = scratch.split_at_mut(slots * BLOCK);
        let words = &mut rest[..slots * (BLOCK + 1)];
        // SAFETY: f32 and u32 have the same size and alignment, and every bit pattern is a value of both; the slice
        // is borrowed mutably for as long as the new one lives.
        let words = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u32>(), words.len()) };
        let (offsets, counts) = words.split_at_mut(slots * BLOCK);
        Self { rows, values, offsets, counts }
    }

    /// Lists the values of all rows from `x[start + row * stride]` on, `depth` of each, a multiple of eight; `pitch` is
    /// the distance from the weights of one value to those of the next.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(
        &mut self,
        s: S,
        x: &[f32],
        start: usize,
        stride: usize,
        depth: usize,
        pitch: usize,
    ) {
        let (zero, step) = (s.splat(0.0), s.splat_u((LANES * pitch) as u32));
        let first: [u32; LANES] = std::array::from_fn(|lane| (lane * pitch) as u32);
        for row in 0..self.rows {
            let row_values = &x[start + row * stride..][..depth];
            for (block, values) in row_values.chunks(BLOCK).enumerate() {
                let slot = block * self.rows + row;
                let into = &mut self.values[slot * BLOCK..][..BLOCK];
                let offsets = &mut self.offsets[slot * BLOCK..][..BLOCK];
                let mut count = 0;
                // SAFETY: `first` has eight elements.
                let mut offset = unsafe { s.load_u(&first, 0) };
                for at in (0..values.len() / LANES).map(|vector| vector * LANES) {
                    // SAFETY: `at + 8 <= values.len()`; `count <= at`, as no vector has added more than eight, and
                    // `at + 8 <= BLOCK`.
                    unsafe {
                        let value = s.load(values, at);
                        let bits = s.bits(s.ne(value, zero));
                        s.store(s.pack(bits, value), into, count);
                        s.store_u(s.pack_u(bits, offset), offsets, count);
                        count += usize::from(ONES[usize::from(bits)]);
                    }
                    offset = s.add_u(offset, step);
                }
                self.counts[slot] = count as u32;
            }
        }
    }

    /// The lists of one block.
    pub(super) fn block(&self, block: usize) -> Block<'_> {
        let first = block * self.rows;
        Block {
            values: &self.values[first * BLOCK..][..self.rows * BLOCK],
            offsets: &self.offsets[first * BLOCK..][..self.rows * BLOCK],
            counts: &self.counts[first..][..self.rows],
        }
    }
}
