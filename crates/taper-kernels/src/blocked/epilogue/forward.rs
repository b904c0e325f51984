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
            let value = unsafe { c.s.load(plane, start + taps.first * LANES) };
            c.store::<CODES>((c.s.add(value, c.bias), c.s.splat_u(0)), y, codes, column * LANES);
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
        let [upper, lower] = rows.pair().map(|(_, row)| row * self.conv.row());
        let [upper_code, lower_code] = rows.pair().map(|(tap, _)| 2 * tap as u32);
        let numbers = |columns: [u32; 2]| {
            [upper_code, lower_code].map(|row| columns.map(|column| s.splat_u(row + column)))
        };
        let full = numbers([0, 1]);
        for (column, taps) in self.columns.iter().enumerate() {
            let to = column * LANES;
            if taps.count == 0 {
                c.store_nothing::<CODES>(y, codes, to);
                continue;
            }
            let [left, right] = taps.pair();
            let [[a, b], [d, e]] =
                if taps.count == 2 { full } else { numbers([left.0 as u32, right.0 as u32]) };
            let at = |row: usize, column: usize| {
                // SAFETY: the taps fall on the plane, whose length `forward` checked.
                s.add(unsafe { s.load(plane, row + column * LANES) }, c.bias)
            };
            let above = greater(s, (at(upper, left.1), a), (at(upper, right.1), b));
            let below = greater(s, (at(lower, left.1), d), (at(lower, right.1), e));
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
                    let value = unsafe { s.load(plane, row * self.conv.row() + element * LANES) };
                    let number = s.splat_u((tap_row * self.kernel[1] + tap) as u32);
                    let next = (s.add(value, c.bias), number);
                    greatest = if first { next } else { greater(s, greatest, next) };
                    first = false;
                }
            }
            c.store::<CODES>(greatest, y, codes, to);
        }
    }
}

impl<S: Simd> Constants<S> {
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

/// The greater of two values and its number: the first of equal ones, but NaN wins.
#[inline(always)]
fn greater<S: Simd>(s: S, first: (S::F, S::U), second: (S::F, S::U)) -> (S::F, S::U) {
    let wins = s.or(s.gt(second.0, first.0), s.ne(second.0, second.0));
    (s.select(wins, second.0, first.0), s.select_u(wins, second.1, first.1))
}
