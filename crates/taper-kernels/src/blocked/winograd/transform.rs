//! The transforms of F(4, 3) and F(3, 3), along one axis and along both.
//!
//! Points are in the order 0, 1, −1, 2, ∞, −2, and F(3, 3) has all but the last. The weight's transform is that of
//! F(4, 3) for both; the input's transform of F(3, 3) has the factors 2, 3, 1, 4, 1 that make up for it.

use super::tiles::POINTS;
use crate::simd::Simd;

/// Values along one axis, of pixels or of points; those beyond the transform's number of them are not read.
type Line<S> = [<S as Simd>::F; POINTS];

/// A linear map along one axis.
pub(super) trait Transform {
    /// Values that it reads.
    const FROM: usize;
    /// Values that it gives.
    const TO: usize;
    /// The map.
    fn line<S: Simd>(s: S, x: Line<S>) -> Line<S>;
}

/// Bᵀ of F(M, 3): M + 2 pixels of the input to points.
pub(super) struct Input<const M: usize>;
/// Aᵀ of F(M, 3): points to M outputs.
pub(super) struct Output<const M: usize>;
/// A of F(M, 3): gradients of M outputs to points.
pub(super) struct Gradient<const M: usize>;
/// G: three taps to points.
pub(super) struct Weight;
/// Gᵀ: points to the gradients of three taps.
pub(super) struct WeightGradient;

/// Applies `V` to the columns and `H` to the rows of what `load(row, column)` gives; `store(row, column, value)`
/// takes the results.
#[inline(always)]
pub(super) fn square<S: Simd, V: Transform, H: Transform>(
    s: S,
    load: impl Fn(usize, usize) -> S::F,
    mut store: impl FnMut(usize, usize, S::F),
) {
    let zero = s.splat(0.0);
    let mut columns = [[zero; POINTS]; POINTS];
    for (column, values) in columns.iter_mut().enumerate().take(H::FROM) {
        let mut line = [zero; POINTS];
        for (row, value) in line.iter_mut().enumerate().take(V::FROM) {
            *value = load(row, column);
        }
        *values = V::line(s, line);
    }
    for row in 0..V::TO {
        let mut line = [zero; POINTS];
        for (value, column) in line.iter_mut().zip(&columns).take(H::FROM) {
            *value = column[row];
        }
        let line = H::line(s, line);
        for (column, value) in line.into_iter().enumerate().take(H::TO) {
            store(row, column, value);
        }
    }
}

impl Transform for Input<4> {
    const FROM: usize = 6;
    const TO: usize = 6;

    #[inline(always)]
    fn line<S: Simd>(s: S, [a, b, c, d, e, f]: Line<S>) -> Line<S> {
        let (two, four, five) = (s.splat(2.0), s.splat(4.0), s.splat(5.0));
        let (even, odd) = (s.neg_mul_add(four, c, e), s.neg_mul_add(four, b, d));
        let (even2, odd2) = (s.sub(e, c), s.sub(d, b));
        [
            s.mul_add(four, a, s.neg_mul_add(five, c, e)),
            s.add(even, odd),
            s.sub(even, odd),
            s.mul_add(two, odd2, even2),
            s.mul_add(four, b, s.neg_mul_add(five, d, f)),
            s.neg_mul_add(two, odd2, even2),
        ]
    }
}

impl Transform for Input<3> {
    const FROM: usize = 5;
    const TO: usize = 5;

    #[inline(always)]
    fn line<S: Simd>(s: S, [a, b, c, d, e, rest]: Line<S>) -> Line<S> {
        let (two, three, four) = (s.splat(2.0), s.splat(3.0), s.splat(4.0));
        let (odd, even) = (s.sub(d, b), s.sub(a, c));
        [
            s.mul_add(four, even, s.mul(two, odd)),
            s.mul(three, s.sub(odd, s.add(b, c))),
            s.mul_add(three, s.sub(b, c), odd),
            s.mul(four, odd),
            s.neg_mul_add(two, odd, s.sub(e, c)),
            rest,
        ]
    }
}

impl Transform for Output<4> {
    const FROM: usize = 6;
    const TO: usize = 4;

    #[inline(always)]
    fn line<S: Simd>(s: S, [zero, one, minus_one, two, infinity, minus_two]: Line<S>) -> Line<S> {
        let (sum, difference) = (s.add(one, minus_one), s.sub(one, minus_one));
        let (sum2, difference2) = (s.add(two, minus_two), s.sub(two, minus_two));
        [
            s.add(s.add(zero, sum), sum2),
            s.mul_add(s.splat(2.0), difference2, difference),
            s.mul_add(s.splat(4.0), sum2, sum),
            s.add(s.mul_add(s.splat(8.0), difference2, difference), infinity),
            zero,
            zero,
        ]
    }
}

impl Transform for Output<3> {
    const FROM: usize = 5;
    const TO: usize = 3;

    #[inline(always)]
    fn line<S: Simd>(s: S, [zero, one, minus_one, two, infinity, _]: Line<S>) -> Line<S> {
        let (sum, difference) = (s.add(one, minus_one), s.sub(one, minus_one));
        [
            s.add(s.add(zero, sum), two),
            s.mul_add(s.splat(2.0), two, difference),
            s.add(s.mul_add(s.splat(4.0), two, sum), infinity),
            zero,
            zero,
            zero,
        ]
    }
}

impl Transform for Gradient<4> {
    const FROM: usize = 4;
    const TO: usize = 6;

    #[inline(always)]
    fn line<S: Simd>(s: S, [a, b, c, d, ..]: Line<S>) -> Line<S> {
        let (even, odd) = (s.add(a, c), s.add(b, d));
        let even2 = s.mul_add(s.splat(4.0), c, a);
        let odd2 = s.mul_add(s.splat(8.0), d, s.add(b, b));
        [a, s.add(even, odd), s.sub(even, odd), s.add(even2, odd2), d, s.sub(even2, odd2)]
    }
}

impl Transform for Gradient<3> {
    const FROM: usize = 3;
    const TO: usize = 5;

    #[inline(always)]
    fn line<S: Simd>(s: S, [a, b, c, rest, ..]: Line<S>) -> Line<S> {
        let even = s.add(a, c);
        let two = s.mul_add(s.splat(4.0), c, s.mul_add(s.splat(2.0), b, a));
        [a, s.add(even, b), s.sub(even, b), two, c, rest]
    }
}

impl Transform for Weight {
    const FROM: usize = 3;
    const TO: usize = 6;

    #[inline(always)]
    fn line<S: Simd>(s: S, [a, b, c, ..]: Line<S>) -> Line<S> {
        let sixth = s.splat(-1.0 / 6.0);
        let ends = s.mul(sixth, s.add(a, c));
        let ends2 = s.mul(s.splat(1.0 / 24.0), s.mul_add(s.splat(4.0), c, a));
        let twelfth = s.splat(1.0 / 12.0);
        [
            s.mul(s.splat(0.25), a),
            s.mul_add(sixth, b, ends),
            s.neg_mul_add(sixth, b, ends),
            s.mul_add(twelfth, b, ends2),
            c,
            s.neg_mul_add(twelfth, b, ends2),
        ]
    }
}

impl Transform for WeightGradient {
    const FROM: usize = 6;
    const TO: usize = 3;

    #[inline(always)]
    fn line<S: Simd>(s: S, [zero, one, minus_one, two, infinity, minus_two]: Line<S>) -> Line<S> {
        let sixth = s.splat(1.0 / 6.0);
        let (sum, difference) = (s.add(one, minus_one), s.sub(one, minus_one));
        let (sum2, difference2) = (s.add(two, minus_two), s.sub(two, minus_two));
        let first = s.mul_add(s.splat(1.0 / 24.0), sum2, s.mul(s.splat(0.25), zero));
        [
            s.neg_mul_add(sixth, sum, first),
            s.neg_mul_add(sixth, difference, s.mul(s.splat(1.0 / 12.0), difference2)),
            s.mul_add(sixth, s.sub(sum2, sum), infinity),
            zero,
            zero,
            zero,
        ]
    }
}
