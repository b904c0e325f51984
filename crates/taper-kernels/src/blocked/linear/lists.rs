//! The values of a row that are not zero, as lists that a product runs over.

use std::ops::Range;

use super::order::BLOCK;
use crate::simd::{LANES, Simd};

/// Room for the list of a block: whole vectors are written to it, and one of zeros behind its end.
pub(super) const SLOT: usize = BLOCK + LANES;

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

/// Rows of values cut into blocks of [`BLOCK`]; for each block of each row, the values that are not zero and their places in
/// the block. Ordered `[block][row][SLOT]`, so that a block is read in one sweep.
pub(super) struct Lists<'a> {
    rows: usize,
    values: &'a mut [f32],
    places: &'a mut [u32],
    /// Of each block, a count for each row, and whether it is whole.
    counts: &'a mut [u32],
}

/// One block of values.
pub(super) struct Block<'a> {
    /// `[row][SLOT]`, of which the first `counts[row]` are meant.
    pub(super) values: &'a mut [f32],
    /// As `values`. Behind the last are places as well, up to a multiple of eight.
    pub(super) places: &'a [u32],
    /// Values of each row that are not zero.
    pub(super) counts: &'a [u32],
    /// The values are not lists but as they stand in the rows, zeros included.
    pub(super) whole: bool,
}

/// Which rows of values to list, and which columns of them.
#[derive(Clone, Copy)]
pub(super) struct Rows {
    /// The first element of the first row.
    pub(super) start: usize,
    /// Elements from one row to the next.
    pub(super) stride: usize,
    /// Elements of each row, a multiple of eight.
    pub(super) depth: usize,
}

impl Rows {
    /// How many blocks a row has.
    pub(super) fn blocks(self) -> usize {
        self.depth.div_ceil(BLOCK)
    }

    /// Where a block of a row is.
    fn block(self, row: usize, block: usize) -> Range<usize> {
        let start = self.start + row * self.stride;
        start + block * BLOCK..start + self.depth.min((block + 1) * BLOCK)
    }
}

impl<'a> Lists<'a> {
    /// Elements of scratch for `rows` rows of `depth` values.
    pub(super) fn len(rows: usize, depth: usize) -> usize {
        depth.div_ceil(BLOCK) * (rows * (2 * SLOT + 1) + 1)
    }

    /// Lists in `scratch`, of at least [`Lists::len`] elements; what they hold is anything until they are filled.
    pub(super) fn new(scratch: &'a mut [f32], rows: usize, depth: usize) -> Self {
        let blocks = depth.div_ceil(BLOCK);
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
        rows: Rows,
        whole: impl Fn(usize, usize) -> bool,
    ) {
        for block in 0..rows.blocks() {
            let len = self.list(
                s,
                (x, rows),
                block,
                #[inline(always)]
                |x| (s.bits(s.ne(x, s.splat(0.0))), x),
            );
            let slots = block * self.rows * SLOT..(block + 1) * self.rows * SLOT;
            let counts = &mut self.counts[block * (self.rows + 1)..][..=self.rows];
            let listed = counts[..self.rows].iter().sum::<u32>() as usize;
            let whole = whole(listed, self.rows * len);
            counts[self.rows] = u32::from(whole);
            for (row, values) in self.values[slots].chunks_exact_mut(SLOT).enumerate().filter(|_| whole) {
                values[..len].copy_from_slice(&x[rows.block(row, block)]);
            }
        }
    }

    /// Lists where `x` is not zero, or with `ALL` every place; all values are zero.
    #[inline(always)]
    pub(super) fn fill_places<S: Simd, const ALL: bool>(&mut self, s: S, x: &[f32], rows: Rows) {
        let zero = s.splat(0.0);
        for block in 0..rows.blocks() {
            self.list(
                s,
                (x, rows),
                block,
                #[inline(always)]
                |x| (if ALL { u8::MAX } else { s.bits(s.ne(x, zero)) }, zero),
            );
        }
    }

    /// Lists one block of all rows; `listed` says which lanes of eight values to list, and what as. The length of the block.
    #[inline(always)]
    fn list<S: Simd>(
        &mut self,
        s: S,
        (x, rows): (&[f32], Rows),
        block: usize,
        listed: impl Fn(S::F) -> (u8, S::F) + Copy,
    ) -> usize {
        let slots = block * self.rows * SLOT..(block + 1) * self.rows * SLOT;
        let counts = &mut self.counts[block * (self.rows + 1)..][..self.rows];
        let values = self.values[slots.clone()].chunks_exact_mut(SLOT);
        let places = self.places[slots].chunks_exact_mut(SLOT);
        let mut len = 0;
        for (row, ((values, places), count)) in values.zip(places).zip(counts).enumerate() {
            let x = &x[rows.block(row, block)];
            *count = list(s, x, values, places, listed);
            len = x.len();
        }
        len
    }

    /// The lists of one block.
    pub(super) fn block(&mut self, block: usize) -> Block<'_> {
        let slots = block * self.rows * SLOT..(block + 1) * self.rows * SLOT;
        let counts = &self.counts[block * (self.rows + 1)..][..=self.rows];
        Block {
            values: &mut self.values[slots.clone()],
            places: &self.places[slots],
            counts: &counts[..self.rows],
            whole: counts[self.rows] == 1,
        }
    }
}

impl Block<'_> {
    /// Puts the values where they belong in rows of `stride` elements; nothing is written where nothing is listed.
    pub(super) fn spread(&self, rows: &mut [f32], stride: usize) {
        for (row, count) in self.counts.iter().enumerate() {
            let list = row * SLOT..row * SLOT + *count as usize;
            let row = &mut rows[row * stride..];
            for (value, place) in self.values[list.clone()].iter().zip(&self.places[list]) {
                row[*place as usize] = *value;
            }
        }
    }
}

/// Moves what is to be listed of `x` to the front of `values`, and its places to `places`.
#[inline(always)]
fn list<S: Simd>(
    s: S,
    x: &[f32],
    values: &mut [f32],
    places: &mut [u32],
    listed: impl Fn(S::F) -> (u8, S::F),
) -> u32 {
    assert!(x.len() <= BLOCK && values.len() == SLOT && places.len() == SLOT);
    let step = s.splat_u(LANES as u32);
    let mut count = 0;
    // SAFETY: the array has eight elements.
    let mut place = unsafe { s.load_u(&[0, 1, 2, 3, 4, 5, 6, 7], 0) };
    for at in (0..x.len() / LANES).map(|vector| vector * LANES) {
        // SAFETY: `at + 8 <= x.len() <= BLOCK`, and `count <= at`, as no vector has added more than eight.
        unsafe {
            let (bits, value) = listed(s.load(x, at));
            s.store(s.pack(bits, value), values, count);
            s.store_u(s.pack_u(bits, place), places, count);
            count += usize::from(ONES[usize::from(bits)]);
        }
        place = s.add_u(place, step);
    }
    // SAFETY: `count <= BLOCK`, and there is room for eight more.
    unsafe {
        s.store(s.splat(0.0), values, count);
        s.store_u(s.splat_u(0), places, count);
    }
    count as u32
}
