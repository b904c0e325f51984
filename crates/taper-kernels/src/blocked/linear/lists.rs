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
    /// Of each block, a count for each row, and whether it is whole.
    counts: &'a mut [u32],
}

/// One block of values.
pub(super) struct Block<'a> {
    /// `[row][BLOCK]`, of which the first `counts[row]` are meant.
    pub(super) values: &'a [f32],
    /// As `values`.
    pub(super) offsets: &'a [u32],
    /// Values of each row that are not zero.
    pub(super) counts: &'a [u32],
    /// The values are not lists but as they stand in the rows, zeros included.
    pub(super) whole: bool,
}

/// Rows of values in a slice.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    /// The first element of the first row.
    pub(super) start: usize,
    /// Elements from one row to the next.
    pub(super) stride: usize,
    /// Elements of each row, a multiple of eight.
    pub(super) depth: usize,
}

impl<'a, const BLOCK: usize> Lists<'a, BLOCK> {
    /// Elements of scratch for `rows` rows of `depth` values.
    pub(super) fn len(rows: usize, depth: usize) -> usize {
        depth.div_ceil(BLOCK) * (rows * (2 * BLOCK + 1) + 1)
    }

    /// Lists in `scratch`, of at least [`Lists::len`] elements; what they hold is anything until [`Lists::fill`].
    pub(super) fn new(scratch: &'a mut [f32], rows: usize, depth: usize) -> Self {
        let blocks = depth.div_ceil(BLOCK);
        let (values, rest) = scratch.split_at_mut(blocks * rows * BLOCK);
        let words = &mut rest[..blocks * (rows * (BLOCK + 1) + 1)];
        // SAFETY: f32 and u32 have the same size and alignment, and every bit pattern is a value of both; the slice
        // is borrowed mutably for as long as the new one lives.
        let words = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u32>(), words.len()) };
        let (offsets, counts) = words.split_at_mut(blocks * rows * BLOCK);
        Self { rows, values, offsets, counts }
    }

    /// Lists the values of all rows of `x`; `pitch` is the distance from the weights of one value to those of the next.
    /// A block of which `whole(listed, all)` is true is copied as it stands.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(
        &mut self,
        s: S,
        x: Rows<'_>,
        pitch: usize,
        whole: impl Fn(usize, usize) -> bool,
    ) {
        for block in 0..x.depth.div_ceil(BLOCK) {
            let part = block * BLOCK..x.depth.min((block + 1) * BLOCK);
            let row = |row: usize| &x.data[x.start + row * x.stride..][part.clone()];
            let slots = block * self.rows * BLOCK..(block + 1) * self.rows * BLOCK;
            let into = &mut self.values[slots.clone()];
            let counts = &mut self.counts[block * (self.rows + 1)..][..=self.rows];
            let offsets = self.offsets[slots].chunks_exact_mut(BLOCK);
            for (at, (values, offsets)) in into.chunks_exact_mut(BLOCK).zip(offsets).enumerate() {
                counts[at] = list::<S, BLOCK>(s, row(at), pitch, values, offsets);
            }
            let listed = counts[..self.rows].iter().sum::<u32>() as usize;
            let whole = whole(listed, self.rows * part.len());
            counts[self.rows] = u32::from(whole);
            for (at, values) in into.chunks_exact_mut(BLOCK).enumerate().filter(|_| whole) {
                values[..part.len()].copy_from_slice(row(at));
            }
        }
    }

    /// The lists of one block.
    pub(super) fn block(&self, block: usize) -> Block<'_> {
        let first = block * self.rows * BLOCK;
        let counts = &self.counts[block * (self.rows + 1)..][..=self.rows];
        Block {
            values: &self.values[first..][..self.rows * BLOCK],
            offsets: &self.offsets[first..][..self.rows * BLOCK],
            counts: &counts[..self.rows],
            whole: counts[self.rows] == 1,
        }
    }
}

/// Moves what of `x` is not zero to the front of `values`, and `pitch` times its place to `offsets`.
#[inline(always)]
fn list<S: Simd, const BLOCK: usize>(
    s: S,
    x: &[f32],
    pitch: usize,
    values: &mut [f32],
    offsets: &mut [u32],
) -> u32 {
    assert!(x.len() <= BLOCK && values.len() == BLOCK && offsets.len() == BLOCK);
    let (zero, step) = (s.splat(0.0), s.splat_u((LANES * pitch) as u32));
    let first: [u32; LANES] = std::array::from_fn(|lane| (lane * pitch) as u32);
    let mut count = 0;
    // SAFETY: `first` has eight elements.
    let mut offset = unsafe { s.load_u(&first, 0) };
    for at in (0..x.len() / LANES).map(|vector| vector * LANES) {
        // SAFETY: `at + 8 <= x.len() <= BLOCK`, and `count <= at`, as no vector has added more than eight.
        unsafe {
            let value = s.load(x, at);
            let bits = s.bits(s.ne(value, zero));
            s.store(s.pack(bits, value), values, count);
            s.store_u(s.pack_u(bits, offset), offsets, count);
            count += usize::from(ONES[usize::from(bits)]);
        }
        offset = s.add_u(offset, step);
    }
    count as u32
}
