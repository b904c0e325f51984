//! AArch64 with NEON: eight lanes are two registers of four, the lower lanes first.

use std::arch::aarch64::*;

use super::Simd;

/// Proof that the processor has NEON: there is no other way to make one than [`Neon::detect`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Neon(());

impl Neon {
    pub(crate) fn detect() -> Option<Self> {
        std::arch::is_aarch64_feature_detected!("neon").then_some(Self(()))
    }
}

/// Eight f32.
#[derive(Clone, Copy)]
pub(crate) struct F32x8(float32x4_t, float32x4_t);

/// Eight u32; as a mask, each lane is all ones or all zeros.
#[derive(Clone, Copy)]
pub(crate) struct U32x8(uint32x4_t, uint32x4_t);

/// For every mask, which byte each of the 32 bytes is taken from so that the lanes with a set bit come first. Behind
/// them stands a byte that is out of range, for which a table look-up gives zero.
static PACK: [[u8; 32]; 256] = {
    let mut table = [[u8::MAX; 32]; 256];
    let mut mask = 0;
    while mask < 256 {
        let (mut lane, mut end) = (0, 0);
        while lane < 8 {
            if mask >> lane & 1 == 1 {
                let mut byte = 0;
                while byte < 4 {
                    table[mask][4 * end + byte] = (4 * lane + byte) as u8;
                    byte += 1;
                }
                end += 1;
            }
            lane += 1;
        }
        mask += 1;
    }
    table
};

/// Defines the functions that are one instruction for each half.
macro_rules! instructions {
    ($($name:ident($($argument:ident: $kind:ident),*) -> $out:ident = $instruction:ident($($operand:ident),*);)*) => {
        $(
            #[inline(always)]
            fn $name(self, $($argument: $kind),*) -> $out {
                // SAFETY: the token proves that the processor has the instruction.
                unsafe { $out($instruction($($operand.0),*), $instruction($($operand.1),*)) }
            }
        )*
    };
}

impl Simd for Neon {
    type F = F32x8;
    type U = U32x8;
    type M = U32x8;

    #[inline(always)]
    fn vectorize<R>(self, work: impl FnOnce() -> R) -> R {
        #[target_feature(enable = "neon")]
        fn inner<R>(work: impl FnOnce() -> R) -> R {
            work()
        }
        // SAFETY: the token proves that the processor has the instructions.
        unsafe { inner(work) }
    }

    instructions! {
        add(a: F32x8, b: F32x8) -> F32x8 = vaddq_f32(a, b);
        sub(a: F32x8, b: F32x8) -> F32x8 = vsubq_f32(a, b);
        mul(a: F32x8, b: F32x8) -> F32x8 = vmulq_f32(a, b);
        div(a: F32x8, b: F32x8) -> F32x8 = vdivq_f32(a, b);
        mul_add(a: F32x8, b: F32x8, c: F32x8) -> F32x8 = vfmaq_f32(c, a, b);
        neg_mul_add(a: F32x8, b: F32x8, c: F32x8) -> F32x8 = vfmsq_f32(c, a, b);
        sqrt(a: F32x8) -> F32x8 = vsqrtq_f32(a);
        gt(a: F32x8, b: F32x8) -> U32x8 = vcgtq_f32(a, b);
        lt(a: F32x8, b: F32x8) -> U32x8 = vcltq_f32(a, b);
        eq_u(a: U32x8, b: U32x8) -> U32x8 = vceqq_u32(a, b);
        lt_u(a: U32x8, b: U32x8) -> U32x8 = vcltq_u32(a, b);
        and(a: U32x8, b: U32x8) -> U32x8 = vandq_u32(a, b);
        or(a: U32x8, b: U32x8) -> U32x8 = vorrq_u32(a, b);
        select(mask: U32x8, yes: F32x8, no: F32x8) -> F32x8 = vbslq_f32(mask, yes, no);
        select_u(mask: U32x8, yes: U32x8, no: U32x8) -> U32x8 = vbslq_u32(mask, yes, no);
        add_u(a: U32x8, b: U32x8) -> U32x8 = vaddq_u32(a, b);
        to_bits(a: F32x8) -> U32x8 = vreinterpretq_u32_f32(a);
        with_bits(a: U32x8) -> F32x8 = vreinterpretq_f32_u32(a);
    }

    #[inline(always)]
    fn ne(self, a: F32x8, b: F32x8) -> U32x8 {
        // SAFETY: the token proves that the processor has the instructions.
        unsafe { U32x8(vmvnq_u32(vceqq_f32(a.0, b.0)), vmvnq_u32(vceqq_f32(a.1, b.1))) }
    }

    #[inline(always)]
    fn splat(self, x: f32) -> F32x8 {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { F32x8(vdupq_n_f32(x), vdupq_n_f32(x)) }
    }

    #[inline(always)]
    fn splat_u(self, x: u32) -> U32x8 {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { U32x8(vdupq_n_u32(x), vdupq_n_u32(x)) }
    }

    #[inline(always)]
    fn shift_left<const N: i32>(self, a: U32x8) -> U32x8 {
        // SAFETY: the token proves that the processor has the instruction.
        unsafe { U32x8(vshlq_n_u32::<N>(a.0), vshlq_n_u32::<N>(a.1)) }
    }

    #[inline(always)]
    fn bits(self, mask: U32x8) -> u8 {
        const PLACES: [u16; 8] = [1, 2, 4, 8, 16, 32, 64, 128];
        // SAFETY: the token, and eight elements are read.
        unsafe {
            let lanes = vcombine_u16(vmovn_u32(mask.0), vmovn_u32(mask.1));
            vaddvq_u16(vandq_u16(lanes, vld1q_u16(PLACES.as_ptr()))) as u8
        }
    }

    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> F32x8 {
        // SAFETY: the caller's promise.
        unsafe { F32x8(vld1q_f32(from), vld1q_f32(from.add(4))) }
    }

    #[inline(always)]
    unsafe fn store_ptr(self, x: F32x8, to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe {
            vst1q_f32(to, x.0);
            vst1q_f32(to.add(4), x.1);
        }
    }

    #[inline(always)]
    unsafe fn load_u_ptr(self, from: *const u32) -> U32x8 {
        // SAFETY: the caller's promise.
        unsafe { U32x8(vld1q_u32(from), vld1q_u32(from.add(4))) }
    }

    #[inline(always)]
    unsafe fn store_u_ptr(self, x: U32x8, to: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe {
            vst1q_u32(to, x.0);
            vst1q_u32(to.add(4), x.1);
        }
    }

    #[inline(always)]
    unsafe fn load_bytes_ptr(self, from: *const u8) -> U32x8 {
        // SAFETY: the caller's promise.
        unsafe {
            let halves = vmovl_u8(vld1_u8(from));
            U32x8(vmovl_u16(vget_low_u16(halves)), vmovl_high_u16(halves))
        }
    }

    #[inline(always)]
    unsafe fn store_bytes_ptr(self, x: U32x8, to: *mut u8) {
        // SAFETY: the caller's promise; narrowing keeps the low half of each lane.
        unsafe { vst1_u8(to, vmovn_u16(vcombine_u16(vmovn_u32(x.0), vmovn_u32(x.1)))) }
    }

    #[inline(always)]
    fn pack(self, bits: u8, x: F32x8) -> F32x8 {
        self.with_bits(self.pack_u(bits, self.to_bits(x)))
    }

    #[inline(always)]
    fn pack_u(self, bits: u8, x: U32x8) -> U32x8 {
        let bytes = PACK[usize::from(bits)].as_ptr();
        // SAFETY: the token, and a row of the table has two times 16 bytes.
        unsafe {
            let lanes = uint8x16x2_t(vreinterpretq_u8_u32(x.0), vreinterpretq_u8_u32(x.1));
            let take = |bytes| vreinterpretq_u32_u8(vqtbl2q_u8(lanes, vld1q_u8(bytes)));
            U32x8(take(bytes), take(bytes.add(16)))
        }
    }

    #[inline(always)]
    fn transpose(self, [a, b, c, d, e, f, g, h]: [F32x8; 8]) -> [F32x8; 8] {
        let (top_left, top_right) = (quarter([a.0, b.0, c.0, d.0]), quarter([a.1, b.1, c.1, d.1]));
        let (low_left, low_right) = (quarter([e.0, f.0, g.0, h.0]), quarter([e.1, f.1, g.1, h.1]));
        let [p0, p1, p2, p3] = top_left;
        let [q0, q1, q2, q3] = low_left;
        let [r0, r1, r2, r3] = top_right;
        let [s0, s1, s2, s3] = low_right;
        [
            F32x8(p0, q0),
            F32x8(p1, q1),
            F32x8(p2, q2),
            F32x8(p3, q3),
            F32x8(r0, s0),
            F32x8(r1, s1),
            F32x8(r2, s2),
            F32x8(r3, s3),
        ]
    }

    #[inline(always)]
    fn sum(self, x: F32x8) -> f32 {
        // SAFETY: the token proves that the processor has the instructions.
        unsafe {
            let four = vaddq_f32(x.0, x.1);
            let two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
            vget_lane_f32::<0>(two) + vget_lane_f32::<1>(two)
        }
    }
}

/// Rows to columns of a 4 × 4 square. Every AArch64 target of Rust has NEON; a [`Neon`] was needed to come here.
#[inline(always)]
fn quarter([a, b, c, d]: [float32x4_t; 4]) -> [float32x4_t; 4] {
    // SAFETY: only `Neon::transpose` calls this, whose token proves that the processor has the instructions.
    unsafe {
        let pairs = |x: float32x4_t, y: float32x4_t| {
            (vreinterpretq_f64_f32(vtrn1q_f32(x, y)), vreinterpretq_f64_f32(vtrn2q_f32(x, y)))
        };
        // Even and odd columns of the upper and lower two rows.
        let ((even, odd), (even_below, odd_below)) = (pairs(a, b), pairs(c, d));
        [
            vreinterpretq_f32_f64(vtrn1q_f64(even, even_below)),
            vreinterpretq_f32_f64(vtrn1q_f64(odd, odd_below)),
            vreinterpretq_f32_f64(vtrn2q_f64(even, even_below)),
            vreinterpretq_f32_f64(vtrn2q_f64(odd, odd_below)),
        ]
    }
}

#[cfg(test)]
mod tests {
    /// Without this, the tests that take every instruction set there is would pass without NEON.
    #[test]
    fn the_processor_has_neon() {
        assert!(super::Neon::detect().is_some());
    }
}
