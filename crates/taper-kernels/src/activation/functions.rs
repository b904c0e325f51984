//! The functions and their derivatives on eight values, from exponentials of numbers that are not positive.
//!
//! Errors are a few units in the last place of f32 over the whole range, but that what is below 2⁻¹²⁶ may become 0.

use crate::exp::{exp, polynomial};
use crate::simd::Simd;

#[inline(always)]
fn absolute<S: Simd>(s: S, x: S::F) -> S::F {
    let zero = s.splat(0.0);
    s.select(s.lt(x, zero), s.sub(zero, x), x)
}

/// `1 / (1 + exp(−x))`, and 1 less that, each with all its digits.
#[inline(always)]
fn sigmoids<S: Simd>(s: S, x: S::F) -> [S::F; 2] {
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let e = exp(s, s.sub(zero, absolute(s, x)), zero);
    let large = s.div(one, s.add(one, e));
    let small = s.mul(e, large);
    let negative = s.lt(x, zero);
    [s.select(negative, small, large), s.select(negative, large, small)]
}

/// Φ(x), the standard normal distribution function, and φ(x), its density.
#[inline(always)]
fn normal<S: Simd>(s: S, x: S::F) -> [S::F; 2] {
    // Beyond it, φ is 0 in f32.
    const BEYOND: f32 = 15.0;
    // (1 + 2a)·exp(a²)·erfc(a) for a ≥ 0 as a polynomial in (a − 2)/(a + 2), to a relative 4e-9.
    const SCALED: [f32; 13] = [
        1.276_978_4,
        -0.092_763_76,
        -0.166_030_39,
        0.164_049_4,
        -0.054_220_18,
        -0.008_018_641,
        0.008_724_278,
        0.001_216_679_1,
        -0.001_463_476,
        -3.571_929e-4,
        2.210_709_5e-4,
        6.310_615e-5,
        -2.009_650_4e-5,
    ];
    const ONE_BY_SQRT_TAU: f32 = 0.398_942_3;
    let (half, one, two) = (s.splat(0.5), s.splat(1.0), s.splat(2.0));
    let far = absolute(s, x);
    let far = s.select(s.gt(far, s.splat(BEYOND)), s.splat(BEYOND), far);
    // x² = high² + (x − high)·(x + high); `high` has 12 bits, so that its square is exact.
    let spread = s.mul(far, s.splat(4097.0));
    let high = s.sub(spread, s.sub(spread, far));
    let low = s.mul(s.sub(far, high), s.add(far, high));
    let minus_half = s.splat(-0.5);
    let e = exp(s, s.mul(minus_half, s.mul(high, high)), s.mul(minus_half, low));
    let a = s.mul(far, s.splat(std::f32::consts::FRAC_1_SQRT_2));
    let scaled = polynomial(s, s.div(s.sub(a, two), s.add(a, two)), SCALED);
    let tail = s.div(s.mul(half, s.mul(e, scaled)), s.mul_add(two, a, one));
    let cdf = s.select(s.lt(x, s.splat(0.0)), tail, s.sub(one, tail));
    [cdf, s.mul(s.splat(ONE_BY_SQRT_TAU), e)]
}

/// `max(x, 0)`; NaN stays NaN.
#[inline(always)]
pub(crate) fn relu<S: Simd>(s: S, x: S::F) -> S::F {
    // A maximum would turn NaN into 0.
    s.select(s.lt(x, s.splat(0.0)), s.splat(0.0), x)
}

/// `dy` where `x` is positive, else 0 even if `dy` is not finite.
#[inline(always)]
pub(crate) fn relu_backward<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
    s.select(s.gt(x, s.splat(0.0)), dy, s.splat(0.0))
}

#[inline(always)]
pub(super) fn sigmoid<S: Simd>(s: S, x: S::F) -> S::F {
    sigmoids(s, x)[0]
}

#[inline(always)]
pub(super) fn sigmoid_backward<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
    let [sigmoid, rest] = sigmoids(s, x);
    s.mul(dy, s.mul(sigmoid, rest))
}

#[inline(always)]
pub(super) fn silu<S: Simd>(s: S, x: S::F) -> S::F {
    s.mul(x, sigmoids(s, x)[0])
}

#[inline(always)]
pub(super) fn silu_backward<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
    let [sigmoid, rest] = sigmoids(s, x);
    s.mul(dy, s.mul(sigmoid, s.mul_add(x, rest, s.splat(1.0))))
}

#[inline(always)]
pub(super) fn gelu<S: Simd>(s: S, x: S::F) -> S::F {
    s.mul(x, normal(s, x)[0])
}

#[inline(always)]
pub(super) fn gelu_backward<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
    let [cdf, density] = normal(s, x);
    s.mul(dy, s.mul_add(x, density, cdf))
}

#[inline(always)]
pub(super) fn tanh<S: Simd>(s: S, x: S::F) -> S::F {
    // (tanh(x)/x − 1)/x² for |x| ≤ 0.6 as a polynomial in x², where the quotient of exponentials loses digits.
    const NEAR: [f32; 6] =
        [-0.333_333_34, 0.133_333_13, -0.053_961_55, 0.021_788_322, -0.008_410_07, 0.002_370_765_6];
    let (zero, one) = (s.splat(0.0), s.splat(1.0));
    let far = absolute(s, x);
    let e = exp(s, s.mul(s.splat(-2.0), far), zero);
    let quotient = s.div(s.sub(one, e), s.add(one, e));
    let signed = s.select(s.lt(x, zero), s.sub(zero, quotient), quotient);
    let square = s.mul(x, x);
    let near = s.mul_add(s.mul(x, square), polynomial(s, square, NEAR), x);
    s.select(s.lt(far, s.splat(0.6)), near, signed)
}

#[inline(always)]
pub(super) fn tanh_backward<S: Simd>(s: S, x: S::F, dy: S::F) -> S::F {
    // 1 − tanh² = 4e / (1 + e)² with e = exp(−2|x|) keeps its digits where tanh is close to 1.
    let e = exp(s, s.mul(s.splat(-2.0), absolute(s, x)), s.splat(0.0));
    let sum = s.add(s.splat(1.0), e);
    s.mul(dy, s.div(s.mul(s.splat(4.0), e), s.mul(sum, sum)))
}
