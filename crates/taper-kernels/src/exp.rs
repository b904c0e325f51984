//! The exponential function of eight numbers that are not positive.

use crate::simd::Simd;

/// `c₀ + c₁·x + …`
#[inline(always)]
pub(crate) fn polynomial<S: Simd, const N: usize>(s: S, x: S::F, coefficients: [f32; N]) -> S::F {
    let mut sum = s.splat(coefficients[N - 1]);
    for coefficient in coefficients[..N - 1].iter().rev() {
        sum = s.mul_add(sum, x, s.splat(*coefficient));
    }
    sum
}

/// `exp(x + low)` for `x ≤ 0` and a `low` that is small against it.
#[inline(always)]
pub(crate) fn exp<S: Simd>(s: S, x: S::F, low: S::F) -> S::F {
    // 1.5·2²³: the sum with it has the nearest whole number in its lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts; the product of the first with a whole number below 2¹³ is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    // (exp(r) − 1 − r) / r² for |r| ≤ ½·ln 2, to a relative 1e-8 of exp(r).
    const TAIL: [f32; 5] = [0.5, 0.166_665_77, 0.041_666_554, 0.008_363_233, 0.001_392_625_1];
    let shifted = s.mul_add(s.add(x, low), s.splat(std::f32::consts::LOG2_E), s.splat(ROUND));
    let n = s.sub(shifted, s.splat(ROUND));
    let r = s.neg_mul_add(n, s.splat(LN_2[0]), x);
    let r = s.add(s.neg_mul_add(n, s.splat(LN_2[1]), r), low);
    let y = s.add(s.mul_add(s.mul(r, r), polynomial(s, r, TAIL), r), s.splat(1.0));
    // 2ⁿ: the exponent of an f32 is its bits from 23 on, less 127.
    let power = s.with_bits(s.shift_left::<23>(s.add_u(s.to_bits(shifted), s.splat_u(127))));
    // ln 2⁻¹²⁶: below it the exponent has run out.
    s.select(s.lt(x, s.splat(-87.336_54)), s.splat(0.0), s.mul(y, power))
}
