//! x86-64 with AVX2 and FMA.
//!
//! `popcnt` and the bit manipulations of BMI are no part of them, but no processor has AVX2 and FMA without.

use std::arch::x86_64::*;

use super::Simd;

/// Proof that the processor has AVX2, FMA, BMI and `popcnt`: there is no other way to make one than [`Avx2::detect`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        let vectors = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
        let bits = is_x86_feature_detected!("bmi1") && is_x86_feature_detected!("bmi2");
        (vectors && bits && is_x86_feature_detected!("popcnt")).then_some(Self(()))
    }
}

/// For every mask, which lane each lane is taken from so that those with a set bit come first.
static PACK: [[u32; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut end) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                table[mask][end] = lane as u32;
                end += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// Defines the functions that are one instruction each.
macro_rules! instructions {
    ($($name:ident($($argument:ident: $kind:ident),*) -> $out:ident = $value:expr;)*) => {
        $(
            #[inline(always)]
            fn $name(self, $($argument: Self::$kind),*) -> Self::$out {
                // SAFETY: the token proves that the processor has the instructions.
                unsafe { $value }
            }
        )*
    };
}

impl Simd for Avx2 {
    type F = __m256;
    type U = __m256i;
    type M = __m256;

    #[inline(always)]
    fn vectorize<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "avx2,fma,bmi1,bmi2,popcnt")]
        fn inner<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: the token proves that the processor has the instructions.
        unsafe { inner(work) }
    }

    instructions! {
        add(a: F, b: F) -> F = _mm256_add_ps(a, b);
        sub(a: F, b: F) -> F = _mm256_sub_ps(a, b);
        mul(a: F, b: F) -> F = _mm256_mul_ps(a, b);
        div(a: F, b: F) -> F = _mm256_div_ps(a, b);
        mul_add(a: F, b: F, c: F) -> F = _mm256_fmadd_ps(a, b, c);
        neg_mul_add(a: F, b: F, c: F) -> F = _mm256_fnmadd_ps(a, b, c);
        sqrt(a: F) -> F = _mm256_sqrt_ps(a);
        gt(a: F, b: F) -> M = _mm256_cmp_ps::<_CMP_GT_OQ>(a, b);
        lt(a: F, b: F) -> M = _mm256_cmp_ps::<_CMP_LT_OQ>(a, b);
        ne(a: F, b: F) -> M = _mm256_cmp_ps::<_CMP_NEQ_UQ>(a, b);
        eq_u(a: U, b: U) -> M = _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b));
        lt_u(a: U, b: U) -> M = _mm256_castsi256_ps(_mm256_cmpgt_epi32(b, a));
        and(a: M, b: M) -> M = _mm256_and_ps(a, b);
        or(a: M, b: M) -> M = _mm256_or_ps(a, b);
        select(mask: M, yes: F, no: F) -> F = _mm256_blendv_ps(no, yes, mask);
        select_u(mask: M, yes: U, no: U) -> U = _mm256_blendv_epi8(no, yes, _mm256_castps_si256(mask));
        add_u(a: U, b: U) -> U = _mm256_add_epi32(a, b);
        to_bits(a: F) -> U = _mm256_castps_si256(a);
        with_bits(a: U) -> F = _mm256_castsi256_ps(a);
    }

    #[inline(always)]
    fn splat(self, x: f32) -> __m256 {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    fn splat_u(self, x: u32) -> __m256i {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { _mm256_set1_epi32(x.cast_signed()) }
    }

    #[inline(always)]
    fn shift_left<const N: i32>(self, a: __m256i) -> __m256i {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { _mm256_slli_epi32::<N>(a) }
    }

    #[inline(always)]
    fn bits(self, mask: __m256) -> u8 {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { _mm256_movemask_ps(mask) as u8 }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> __m256 {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn store_ptr(self, x: __m256, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_ps(to, x) }
    }

    #[inline(always)]
    unsafe fn load_u_ptr(self, from: *const u32) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn store_u_ptr(self, x: __m256i, to: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe { _mm256_storeu_si256(to.cast(), x) }
    }

    #[inline(always)]
    unsafe fn load_bytes_ptr(self, from: *const u8) -> __m256i {
        // SAFETY: the caller's promise.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(from.cast())) }
    }

    #[inline(always)]
    unsafe fn store_bytes_ptr(self, x: __m256i, to: *mut u8) {
        // SAFETY: the caller's promise, and the token.
        unsafe {
            let low = _mm256_and_si256(x, _mm256_set1_epi32(0xff));
            let halves = _mm_packus_epi32(_mm256_castsi256_si128(low), _mm256_extracti128_si256::<1>(low));
            _mm_storel_epi64(to.cast(), _mm_packus_epi16(halves, halves));
        }
    }

    #[inline(always)]
    fn pack(self, bits: u8, x: __m256) -> __m256 {
        // SAFETY: the token, and the table has a row for every u8.
        unsafe {
            let lanes = _mm256_loadu_si256(PACK.as_ptr().add(usize::from(bits)).cast());
            _mm256_permutevar8x32_ps(x, lanes)
        }
    }

    #[inline(always)]
    fn pack_u(self, bits: u8, x: __m256i) -> __m256i {
        // SAFETY: the token, and the table has a row for every u8.
        unsafe {
            let lanes = _mm256_loadu_si256(PACK.as_ptr().add(usize::from(bits)).cast());
            _mm256_permutevar8x32_epi32(x, lanes)
        }
    }

    #[inline(always)]
    fn transpose(self, [a, b, c, d, e, f, g, h]: [__m256; 8]) -> [__m256; 8] {
        // SAFETY: the token proves that the processor has the instructions.
        unsafe {
            let pairs = |x, y| (_mm256_unpacklo_ps(x, y), _mm256_unpackhi_ps(x, y));
            let ((ab0, ab1), (cd0, cd1)) = (pairs(a, b), pairs(c, d));
            let ((ef0, ef1), (gh0, gh1)) = (pairs(e, f), pairs(g, h));
            let quads =
                |x, y| (_mm256_shuffle_ps::<0b0100_0100>(x, y), _mm256_shuffle_ps::<0b1110_1110>(x, y));
            let ((p0, p1), (p2, p3)) = (quads(ab0, cd0), quads(ab1, cd1));
            let ((q0, q1), (q2, q3)) = (quads(ef0, gh0), quads(ef1, gh1));
            let low = |x, y| _mm256_permute2f128_ps::<0x20>(x, y);
            let high = |x, y| _mm256_permute2f128_ps::<0x31>(x, y);
            [
                low(p0, q0),
                low(p1, q1),
                low(p2, q2),
                low(p3, q3),
                high(p0, q0),
                high(p1, q1),
                high(p2, q2),
                high(p3, q3),
            ]
        }
    }

    #[inline(always)]
    fn prefetch(self, x: &[f32], at: usize) {
        // SAFETY: a prefetch reads nothing that the program could see, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(x.as_ptr().wrapping_add(at).cast()) }
    }

    #[inline(always)]
    fn sum(self, x: __m256) -> f32 {
        // SAFETY: the token proves that the processor has the instructions.
        unsafe {
            let four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps::<1>(x));
            let two = _mm_add_ps(four, _mm_movehl_ps(four, four));
            _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)))
        }
    }
}
