//! The values of a row that are not zero, as lists that a product runs over.

use std::ops::Range;

use super::order::{Cut, LONGEST};
use crate::simd::{LANES, Simd};

/// Room for a row's list: whole vectors are written to it.
pub(super) const SLOT: usize = LONGEST + LANES;

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

/// Rows of values cut into blocks; for each block of each row, the values that are not zero and their places in the
/// block. Ordered `[block][rows · SLOT]`, where the lists of a block's rows follow each other without a gap: they are read in
/// one sweep, for each panel of weights anew.
pub(super) struct Lists<'a> {
    rows: usize,
    values: &'a mut [f32],
    places: &'a mut [u32],
    /// Of each block, a count for each row, and whether it is whole.
    counts: &'a mut [u32],
}

/// One block of values.
pub(super) struct Block<'a> {
    /// The lists of all rows, one behind the other; if `whole`, `[row][SLOT]`.
    pub(super) values: &'a [f32],
    /// The places of `values`, if those are lists.
    pub(super) places: &'a [u32],
    /// Values of each row that are not zero.
    pub(super) counts: &'a [u32],
    /// The values are not lists but as they stand in the rows, zeros included.
    pub(super) whole: bool,
}

/// Which rows of values to list, and which blocks of them.
pub(super) struct Rows {
    pub(super) first: usize,
    pub(super) cut: Cut,
    pub(super) blocks: Range<usize>,
}

impl Rows {
    /// Where a block of a row is.
    fn block(&self, row: usize, block: usize) -> Range<usize> {
        let (start, columns) =
            ((self.first + row) * self.cut.features(), self.cut.piece(self.blocks.start + block));
        start + columns.start..start + columns.end
    }
}

impl<'a> Lists<'a> {
    /// Elements of scratch for `blocks` blocks of `rows` rows.
    pub(super) fn len(rows: usize, blocks: usize) -> usize {
        blocks * (rows * (2 * SLOT + 1) + 1)
    }

    /// Lists in `scratch`, of at least [`Lists::len`] elements; what they hold is anything until they are filled.
    pub(super) fn new(scratch: &'a mut [f32], rows: usize, blocks: usize) -> Self {
        let (values, rest) = scratch.split_at_mut(blocks * rows * SLOT);
        let words = &mut rest[..blocks * (rows * (SLOT + 1) + 1)];
        // SAFETY: f32 and u32 have the same size and alignment, and every bit pattern is a value of both; the slice
        // is borrowed mutably for as long as the new one lives.
        let words = unsafe { std::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u32>(), words.len()) };
        let (places, counts) = words.split_at_mut(blocks * rows * SLOT);
        Self { rows, values, places, counts }
    }

    /// Lists the values of all rows of `x`. A block of which `whole(listed, all)` is true is copied as it stands.
    #[inline(always)]
    pub(super) fn fill<S: Simd>(
        &mut self,
        s: S,
        x: &[f32],
        rows: &Rows,
        whole: impl Fn(usize, usize) -> bool,
    ) {
        for block in 0..rows.blocks.len() {
            let slots = block * self.rows * SLOT..(block + 1) * self.rows * SLOT;
            let (values, places) = (&mut self.values[slots.clone()], &mut self.places[slots]);
            let counts = &mut self.counts[block * (self.rows + 1)..][..=self.rows];
            let (mut listed, mut all) = (0, 0);
            for (row, count) in counts[..self.rows].iter_mut().enumerate() {
                let (x, slot) = (&x[rows.block(row, block)], listed..listed + SLOT);
                *count = list(s, x, &mut values[slot.clone()], &mut places[slot]);
                (listed, all) = (listed + *count as usize, all + x.len());
            }
            let whole = whole(listed, all);
            counts[self.rows] = u32::from(whole);
            for (row, values) in values.chunks_exact_mut(SLOT).enumerate().filter(|_| whole) {
                let x = &x[rows.block(row, block)];
                values[..x.len()].copy_from_slice(x);
            }
        }
    }

    /// The lists of one block.
    pub(super) fn block(&self, block: usize) -> Block<'_> {
        let slots = block * self.rows * SLOT..(block + 1) * self.rows * SLOT;
        let counts = &self.counts[block * (self.rows + 1)..][..=self.rows];
        Block {
            values: &self.values[slots.clone()],
            places: &self.places[slots],
            counts: &counts[..self.rows],
            whole: counts[self.rows] == 1,
        }
    }
}

/// Moves what of `x` is not zero to the front of `values`, and its places to `places`; how many there are.
#[inline(always)]
fn list<S: Simd>(s: S, x: &[f32], values: &mut [f32], places: &mut [u32]) -> u32 {
    assert!(x.len() <= LONGEST && values.len() == SLOT && places.len() == SLOT);
    let (step, zero) = (s.splat_u(LANES as u32), s.splat(0.0));
    let mut count = 0;
    // SAFETY: the array has eight elements.
    let mut place = unsafe { s.load_u(&[0, 1, 2, 3, 4, 5, 6, 7], 0) };
    for at in (0..x.len() / LANES).map(|vector| vector * LANES) {
        // SAFETY: `at + 8 <= x.len() <= LONGEST`, and `count <= at`, as no vector has added more than eight.
        unsafe {
            let value = s.load(x, at);
            let bits = s.bits(s.ne(value, zero));
            s.store(s.pack(bits, value), values, count);
            s.store_u(s.pack_u(bits, place), places, count);
            count += usize::from(ONES[usize::from(bits)]);
        }
        place = s.add_u(place, step);
    }
    count as u32
}
