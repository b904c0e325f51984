//! The pass over one plane.

use super::{Epilogue, NO_GRADIENT, Taps};
use crate::dropout::Draw;
use crate::simd::{LANES, Simd};

/// What is the same for all windows of a plane.
#[derive(Clone, Copy)]
struct Constants<S: Simd> {
    s: S,
    bias: S::F,
    /// A value below it becomes it: 0 for ReLU, else −∞.
    floor: S::F,
    /// The value that passes no gradient on: 0 for ReLU, else NaN, which nothing equals.
    dead: S::F,
}

impl Epilogue {
    /// [`Epilogue::forward`] on the parts of `y` and `codes` that belong to the plane.
    #[inline(always)]
    pub(super) fn pass<S: Simd>(
        &self,
        s: S,
        plane: &[f32],
        bias: Option<&[f32]>,
        y: &mut [f32],
        codes: Option<&mut [u8]>,
        draw: Option<(Draw, u64)>,
    ) {
        let (floor, dead) = if self.relu { (0.0, 0.0) } else { (f32::NEG_INFINITY, f32::NAN) };
        let constants = Constants {
            s,
            // SAFETY: eight elements, as `forward` checked.
            bias: bias.map_or(s.splat(0.0), |bias| unsafe { s.load(bias, 0) }),
            floor: s.splat(floor),
            dead: s.splat(dead),
        };
        match codes {
            Some(codes) => {
                self.windows::<S, true>(constants, plane, y, codes);
                if let Some((draw, first)) = draw {
                    self.drop_plane::<S, true>(s, draw, first, y, codes);
                }
            }
            None => {
                self.windows::<S, false>(constants, plane, y, &mut []);
                if let Some((draw, first)) = draw {
                    self.drop_plane::<S, false>(s, draw, first, y, &mut []);
                }
            }
        }
    }

    #[inline(always)]
    fn windows<S: Simd, const CODES: bool>(
        &self,
        c: Constants<S>,
        plane: &[f32],
        y: &mut [f32],
        codes: &mut [u8],
    ) {
        let out_width = self.columns.len();
        for (row, rows) in self.rows.iter().enumerate() {
            let to = (row + self.output().halo) * self.output().row() + self.output().halo * LANES;
            let y = &mut y[to..][..out_width * LANES];
            let codes =
                if CODES { &mut codes[row * out_width * LANES..][..out_width * LANES] } else { &mut [] };
            match self.kernel {
                [1, 1] => self.single::<S, CODES>(c, plane, rows, y, codes),
                [2, 2] if rows.count > 0 => self.quads::<S, CODES>(c, plane, rows, y, codes),
                _ => self.general::<S, CODES>(c, plane, rows, y, codes),
            }
        }
    }

    /// A row of windows of one tap.
    #[inline(always)]
    fn single<S: Simd, const CODES: bool>(
        &self,
        c: Constants<S>,
        plane: &[f32],
        rows: &Taps,
        y: &mut [f32],
        codes: &mut [u8],
    ) {
        let start = rows.first * self.conv.row();
        for (column, taps) in self.columns.iter().enumerate() {
            // SAFETY: the taps fall on the plane, whose length `forward` checked.
            let value = unsafe { c.load(plane, start + taps.first * LANES) };
            c.store::<CODES>((value, c.s.splat_u(0)), y, codes, column * LANES);
        }
    }

    /// A row of 2×2 windows of which at least one row falls on the plane. A tap on the padding is replaced by its
    /// neighbour, under the neighbour's number.
    #[inline(always)]
    fn quads<S: Simd, const CODES: bool>(
        &self,
        c: Constants<S>,
        plane: &[f32],
        rows: &Taps,
        y: &mut [f32],
        codes: &mut [u8],
    ) {
        let s = c.s;
        let [upper, lower] = rows.pair();
        let (upper_row, lower_row) = (upper.1 * self.conv.row(), lower.1 * self.conv.row());
        let full = numbers(s, [upper.0, lower.0], [0, 1]);
        for (column, taps) in self.columns.iter().enumerate() {
            let to = column * LANES;
            if taps.count == 0 {
                c.store_nothing::<CODES>(y, codes, to);
                continue;
            }
            let [left, right] = taps.pair();
            let [[a, b], [d, e]] =
                if taps.count == 2 { full } else { numbers(s, [upper.0, lower.0], [left.0, right.0]) };
            let (left_at, right_at) = (left.1 * LANES, right.1 * LANES);
            // SAFETY: the taps fall on the plane, whose length `forward` checked.
            let (above, below) = unsafe {
                (
                    greater(
                        s,
                        (c.load(plane, upper_row + left_at), a),
                        (c.load(plane, upper_row + right_at), b),
                    ),
                    greater(
                        s,
                        (c.load(plane, lower_row + left_at), d),
                        (c.load(plane, lower_row + right_at), e),
                    ),
                )
            };
            c.store::<CODES>(greater(s, above, below), y, codes, to);
        }
    }

    /// A row of any windows.
    #[inline(always)]
    fn general<S: Simd, const CODES: bool>(
        &self,
        c: Constants<S>,
        plane: &[f32],
        rows: &Taps,
        y: &mut [f32],
        codes: &mut [u8],
    ) {
        let s = c.s;
        for (column, taps) in self.columns.iter().enumerate() {
            let to = column * LANES;
            if rows.count == 0 || taps.count == 0 {
                c.store_nothing::<CODES>(y, codes, to);
                continue;
            }
            let mut greatest = (s.splat(f32::NEG_INFINITY), s.splat_u(0));
            let mut first = true;
            for (tap_row, row) in rows.each() {
                for (tap, element) in taps.each() {
                    // SAFETY: the taps fall on the plane, whose length `forward` checked.
                    let value = unsafe { c.load(plane, row * self.conv.row() + element * LANES) };
                    let next = (value, s.splat_u((tap_row * self.kernel[1] + tap) as u32));
                    greatest = if first { next } else { greater(s, greatest, next) };
                    first = false;
                }
            }
            c.store::<CODES>(greatest, y, codes, to);
        }
    }
}

impl<S: Simd> Constants<S> {
    /// The eight values at `at`, with the bias.
    ///
    /// # Safety
    /// `at + 8 <= plane.len()`.
    #[inline(always)]
    unsafe fn load(self, plane: &[f32], at: usize) -> S::F {
        // SAFETY: the caller's promise.
        self.s.add(unsafe { self.s.load(plane, at) }, self.bias)
    }

    /// Applies ReLU and stores a value and its code at `at`.
    #[inline(always)]
    fn store<const CODES: bool>(
        self,
        (value, code): (S::F, S::U),
        y: &mut [f32],
        codes: &mut [u8],
        at: usize,
    ) {
        let s = self.s;
        let value = s.select(s.lt(value, self.floor), self.floor, value);
        // SAFETY: `at` is a column's place in its row.
        unsafe { s.store(value, y, at) };
        if CODES {
            let code = s.select_u(s.ne(value, self.dead), code, s.splat_u(u32::from(NO_GRADIENT)));
            // SAFETY: as above.
            unsafe { s.store_bytes(code, codes, at) };
        }
    }

    /// The result of a window on padding alone.
    #[inline(always)]
    fn store_nothing<const CODES: bool>(self, y: &mut [f32], codes: &mut [u8], at: usize) {
        let s = self.s;
        // SAFETY: `at` is a column's place in its row.
        unsafe {
            s.store(s.splat(f32::NEG_INFINITY), y, at);
            if CODES {
                s.store_bytes(s.splat_u(u32::from(NO_GRADIENT)), codes, at);
            }
        }
    }
}

impl Taps {
    /// The numbers and elements of both taps of a window of two, of which at least one is there.
    #[inline(always)]
    fn pair(&self) -> [(usize, usize); 2] {
        let last = usize::from(self.count == 2);
        [(self.tap, self.first), (self.tap + last, self.first + last * self.step)]
    }
}

/// The numbers of the taps of a 2×2 window, by rows. (No `map` of arrays or closures, which the compiler does not always
/// inline: what it calls lacks the instruction set.)
#[inline(always)]
fn numbers<S: Simd>(s: S, [upper, lower]: [usize; 2], [left, right]: [usize; 2]) -> [[S::U; 2]; 2] {
    let [a, b] = [2 * upper + left, 2 * upper + right];
    let [c, d] = [2 * lower + left, 2 * lower + right];
    [[s.splat_u(a as u32), s.splat_u(b as u32)], [s.splat_u(c as u32), s.splat_u(d as u32)]]
}

/// The greater of two values and its number: the first of equal ones, but NaN wins.
#[inline(always)]
fn greater<S: Simd>(s: S, first: (S::F, S::U), second: (S::F, S::U)) -> (S::F, S::U) {
    let wins = s.or(s.gt(second.0, first.0), s.ne(second.0, second.0));
    (s.select(wins, second.0, first.0), s.select_u(wins, second.1, first.1))
}
