//! Eight f32 side by side, on every instruction set: kernels are written once over [`Simd`] and compiled for each.
//!
//! A kernel is a function that is generic over `S: Simd`, marked `#[inline(always)]`, as is all that it calls in its
//! inner loops; [`dispatch!`] picks the instruction set and compiles the kernel inside a function that has its
//! target features.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "aarch64")]
pub(crate) mod neon;
pub(crate) mod portable;

/// Lanes of a vector, and channels of a block of the blocked layout.
pub(crate) const LANES: usize = 8;

/// An instruction set, as a token that proves the processor has it.
///
/// The functions over slices read and write [`LANES`] elements from `at` on. They are `unsafe` because they do not check
/// the bounds: `at + LANES` must not exceed the length (`debug_assert` says so in builds with debug assertions).
pub(crate) trait Simd: Copy + Send + Sync + 'static {
    /// Eight f32.
    type F: Copy;
    /// Eight u32.
    type U: Copy;
    /// Eight truth values.
    type M: Copy;

    /// Runs `work` compiled for this instruction set; `work` must be `#[inline(always)]`.
    fn vectorize<R>(self, work: impl FnOnce() -> R) -> R;

    fn splat(self, x: f32) -> Self::F;
    fn add(self, a: Self::F, b: Self::F) -> Self::F;
    fn sub(self, a: Self::F, b: Self::F) -> Self::F;
    fn mul(self, a: Self::F, b: Self::F) -> Self::F;
    fn div(self, a: Self::F, b: Self::F) -> Self::F;
    /// `a · b + c`, rounded once where the instruction set can.
    fn mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    /// `c − a · b`, rounded once where the instruction set can.
    fn neg_mul_add(self, a: Self::F, b: Self::F, c: Self::F) -> Self::F;
    fn sqrt(self, a: Self::F) -> Self::F;

    /// `a > b`; false where either is NaN.
    fn gt(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a < b`; false where either is NaN.
    fn lt(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a ≠ b`; true where either is NaN.
    fn ne(self, a: Self::F, b: Self::F) -> Self::M;
    /// `a = b` of whole numbers.
    fn eq_u(self, a: Self::U, b: Self::U) -> Self::M;
    /// `a < b` of whole numbers below 2³¹.
    fn lt_u(self, a: Self::U, b: Self::U) -> Self::M;
    fn and(self, a: Self::M, b: Self::M) -> Self::M;
    fn or(self, a: Self::M, b: Self::M) -> Self::M;
    /// `yes` where the mask is true, else `no`.
    fn select(self, mask: Self::M, yes: Self::F, no: Self::F) -> Self::F;
    fn select_u(self, mask: Self::M, yes: Self::U, no: Self::U) -> Self::U;
    /// Bit `i` is lane `i`.
    fn bits(self, mask: Self::M) -> u8;

    fn splat_u(self, x: u32) -> Self::U;
    fn add_u(self, a: Self::U, b: Self::U) -> Self::U;
    /// Zeros come in from the right; `0 < N < 32`.
    fn shift_left<const N: i32>(self, a: Self::U) -> Self::U;
    /// The bits of each f32.
    fn to_bits(self, a: Self::F) -> Self::U;
    /// The f32 of these bits.
    fn with_bits(self, a: Self::U) -> Self::F;

    /// # Safety
    /// `from` must be valid for reads of eight f32.
    unsafe fn load_ptr(self, from: *const f32) -> Self::F;
    /// # Safety
    /// `to` must be valid for writes of eight f32.
    unsafe fn store_ptr(self, x: Self::F, to: *mut f32);
    /// # Safety
    /// `from` must be valid for reads of eight u32.
    unsafe fn load_u_ptr(self, from: *const u32) -> Self::U;
    /// # Safety
    /// `to` must be valid for writes of eight u32.
    unsafe fn store_u_ptr(self, x: Self::U, to: *mut u32);
    /// # Safety
    /// `from` must be valid for reads of eight bytes.
    unsafe fn load_bytes_ptr(self, from: *const u8) -> Self::U;
    /// Stores the low bytes.
    ///
    /// # Safety
    /// `to` must be valid for writes of eight bytes.
    unsafe fn store_bytes_ptr(self, x: Self::U, to: *mut u8);

    /// The lanes whose bit is set moved to the front, in order; what stands in the lanes behind them is anything.
    fn pack(self, bits: u8, x: Self::F) -> Self::F;
    /// As [`Simd::pack`].
    fn pack_u(self, bits: u8, x: Self::U) -> Self::U;

    /// Rows to columns.
    fn transpose(self, rows: [Self::F; 8]) -> [Self::F; 8];
    /// Asks for the cache line of element `at` of `x`, if there is one, ahead of its use. Not all instruction sets can.
    #[inline(always)]
    fn prefetch(self, x: &[f32], at: usize) {
        let _ = (x, at);
    }

    /// The sum of all lanes: neighbours at distance 4 first, then 2, then 1.
    fn sum(self, x: Self::F) -> f32;

    /// # Safety
    /// `at + 8 <= data.len()`.
    #[inline(always)]
    unsafe fn load(self, data: &[f32], at: usize) -> Self::F {
        debug_assert!(at + LANES <= data.len(), "load at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        unsafe { self.load_ptr(data.as_ptr().add(at)) }
    }

    /// # Safety
    /// `at + 8 <= data.len()`.
    #[inline(always)]
    unsafe fn store(self, x: Self::F, data: &mut [f32], at: usize) {
        debug_assert!(at + LANES <= data.len(), "store at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        unsafe { self.store_ptr(x, data.as_mut_ptr().add(at)) }
    }

    /// All lanes set to `data[at]`.
    ///
    /// # Safety
    /// `at < data.len()`.
    #[inline(always)]
    unsafe fn broadcast(self, data: &[f32], at: usize) -> Self::F {
        debug_assert!(at < data.len(), "broadcast at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        self.splat(unsafe { *data.get_unchecked(at) })
    }

    /// # Safety
    /// `at + 8 <= data.len()`.
    #[inline(always)]
    unsafe fn load_u(self, data: &[u32], at: usize) -> Self::U {
        debug_assert!(at + LANES <= data.len(), "load at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        unsafe { self.load_u_ptr(data.as_ptr().add(at)) }
    }

    /// # Safety
    /// `at + 8 <= data.len()`.
    #[inline(always)]
    unsafe fn store_u(self, x: Self::U, data: &mut [u32], at: usize) {
        debug_assert!(at + LANES <= data.len(), "store at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        unsafe { self.store_u_ptr(x, data.as_mut_ptr().add(at)) }
    }

    /// Eight bytes, widened.
    ///
    /// # Safety
    /// `at + 8 <= data.len()`.
    #[inline(always)]
    unsafe fn load_bytes(self, data: &[u8], at: usize) -> Self::U {
        debug_assert!(at + LANES <= data.len(), "load at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        unsafe { self.load_bytes_ptr(data.as_ptr().add(at)) }
    }

    /// The low bytes.
    ///
    /// # Safety
    /// `at + 8 <= data.len()`.
    #[inline(always)]
    unsafe fn store_bytes(self, x: Self::U, data: &mut [u8], at: usize) {
        debug_assert!(at + LANES <= data.len(), "store at {at} of {}", data.len());
        // SAFETY: the caller's promise.
        unsafe { self.store_bytes_ptr(x, data.as_mut_ptr().add(at)) }
    }
}

/// Runs `$body` with `$s` bound to the token of `$isa`, compiled for it.
macro_rules! dispatch {
    ($isa:expr, |$s:ident| $body:expr) => {
        match $isa.set() {
            #[cfg(target_arch = "x86_64")]
            $crate::isa::Set::Avx2($s) => $crate::simd::Simd::vectorize(
                $s,
                #[inline(always)]
                || $body,
            ),
            #[cfg(target_arch = "aarch64")]
            $crate::isa::Set::Neon($s) => $crate::simd::Simd::vectorize(
                $s,
                #[inline(always)]
                || $body,
            ),
            $crate::isa::Set::Portable($s) => $body,
        }
    };
}
pub(crate) use dispatch;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::isa::Isa;

    const A: [f32; 8] = [1.0, -2.0, 3.5, 0.0, f32::NAN, f32::INFINITY, -0.5, 8.0];
    const B: [f32; 8] = [2.0, -2.0, 1.5, -0.0, 1.0, f32::NEG_INFINITY, f32::NAN, 4.0];

    fn lanes<S: Simd>(s: S, x: S::F) -> [f32; 8] {
        let mut out = [0.0; 8];
        // SAFETY: eight elements.
        unsafe { s.store(x, &mut out, 0) };
        out
    }

    fn same(found: [f32; 8], expected: impl Fn(f32, f32) -> f32) {
        for lane in 0..8 {
            let expected = expected(A[lane], B[lane]);
            let both_nan = expected.is_nan() && found[lane].is_nan();
            assert!(both_nan || found[lane] == expected, "lane {lane}: {} for {expected}", found[lane]);
        }
    }

    /// Every operation against its definition, on every instruction set of this machine.
    #[test]
    fn operations_match_their_definitions() {
        for isa in Isa::available() {
            dispatch!(isa, |s| check(s));
        }
    }

    #[inline(always)]
    fn check<S: Simd>(s: S) {
        // SAFETY: eight elements each.
        let (a, b) = unsafe { (s.load(&A, 0), s.load(&B, 0)) };
        same(lanes(s, s.add(a, b)), |a, b| a + b);
        same(lanes(s, s.sub(a, b)), |a, b| a - b);
        same(lanes(s, s.mul(a, b)), |a, b| a * b);
        same(lanes(s, s.div(a, b)), |a, b| a / b);
        same(lanes(s, s.mul_add(a, b, a)), |a, b| a.mul_add(b, a));
        same(lanes(s, s.neg_mul_add(a, b, a)), |a, b| (-a).mul_add(b, a));
        same(lanes(s, s.sqrt(a)), |a, _| a.sqrt());
        type Test = fn(f32, f32) -> bool;
        let masks: [(_, Test); 5] = [
            (s.gt(a, b), |a, b| a > b),
            (s.lt(a, b), |a, b| a < b),
            (s.ne(a, b), |a, b| a != b),
            (s.and(s.ne(a, b), s.gt(a, b)), |a, b| a > b),
            (s.or(s.lt(a, b), s.gt(a, b)), |a, b| a.partial_cmp(&b).is_some_and(|order| order.is_ne())),
        ];
        for (mask, expected) in masks {
            let bits = (0..8).fold(0, |bits, lane| bits | u8::from(expected(A[lane], B[lane])) << lane);
            assert_eq!(s.bits(mask), bits);
            same(lanes(s, s.select(mask, a, b)), |a, b| if expected(a, b) { a } else { b });
        }
        assert_eq!(s.sum(s.splat(1.5)), 12.0);
        whole_numbers(s);
        packing(s, a);
        transposition(s);
    }

    #[inline(always)]
    fn whole_numbers<S: Simd>(s: S) {
        let numbers: [u32; 8] = [3, 250, 7, 0, 9, 255, 1, 3];
        let (mut words, mut bytes) = ([0; 8], [0; 8]);
        // SAFETY: eight elements each.
        unsafe {
            let x = s.load_u(&numbers, 0);
            s.store_bytes(x, &mut bytes, 0);
            assert_eq!(bytes.map(u32::from), numbers);
            s.store_u(s.add_u(s.load_bytes(&bytes, 0), s.splat_u(5)), &mut words, 0);
            assert_eq!(words, numbers.map(|x| x + 5));
            assert_eq!(s.bits(s.eq_u(x, s.splat_u(3))), 0b1000_0001);
            assert_eq!(s.bits(s.lt_u(x, s.splat_u(7))), 0b1100_1001);
            s.store_u(
                s.to_bits(s.add(s.with_bits(s.splat_u(1.5f32.to_bits())), s.splat(2.0))),
                &mut words,
                0,
            );
            assert_eq!(words, [3.5f32.to_bits(); 8]);
            s.store_u(s.select_u(s.eq_u(x, s.splat_u(3)), s.splat_u(1), x), &mut words, 0);
            assert_eq!(words, numbers.map(|x| if x == 3 { 1 } else { x }));
            s.store_u(s.shift_left::<30>(x), &mut words, 0);
            assert_eq!(words, numbers.map(|x| x << 30));
            s.store_u(s.to_bits(s.load(&A, 0)), &mut words, 0);
            assert_eq!(words, A.map(f32::to_bits));
            assert_eq!(lanes(s, s.with_bits(x)), numbers.map(f32::from_bits));
        }
    }

    #[inline(always)]
    fn packing<S: Simd>(s: S, a: S::F) {
        for bits in 0..=255u8 {
            let kept = (0..8).filter(|lane| bits >> lane & 1 == 1);
            let found = lanes(s, s.pack(bits, a));
            let mut words = [0; 8];
            // SAFETY: eight elements.
            unsafe { s.store_u(s.pack_u(bits, s.load_u(&[0, 1, 2, 3, 4, 5, 6, 7], 0)), &mut words, 0) };
            for (place, lane) in kept.enumerate() {
                assert_eq!((found[place].to_bits(), words[place]), (A[lane].to_bits(), lane as u32));
            }
        }
    }

    #[inline(always)]
    fn transposition<S: Simd>(s: S) {
        let rows: [[f32; 8]; 8] =
            std::array::from_fn(|row| std::array::from_fn(|column| (8 * row + column) as f32));
        // SAFETY: eight elements each.
        let columns = s.transpose(rows.map(|row| unsafe { s.load(&row, 0) }));
        for (column, found) in columns.into_iter().enumerate() {
            assert_eq!(lanes(s, found), rows.map(|row| row[column]));
        }
    }
}
