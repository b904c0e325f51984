//! Any processor: arrays, which the compiler puts into whatever registers there are.

use super::Simd;

/// Plain Rust. There is no fused multiply-add, which without hardware is a slow library call.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Portable;

#[inline(always)]
fn zip<A: Copy, B: Copy, T>(a: [A; 8], b: [B; 8], f: impl Fn(A, B) -> T) -> [T; 8] {
    std::array::from_fn(
        #[inline(always)]
        |lane| f(a[lane], b[lane]),
    )
}

impl Simd for Portable {
    type F = [f32; 8];
    type U = [u32; 8];
    type M = [bool; 8];

    #[inline(always)]
    fn vectorize<R>(self, work: impl FnOnce() -> R) -> R {
        work()
    }

    #[inline(always)]
    fn splat(self, x: f32) -> [f32; 8] {
        [x; 8]
    }

    #[inline(always)]
    fn add(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, a: [f32; 8], b: [f32; 8]) -> [f32; 8] {
        zip(a, b, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        self.add(self.mul(a, b), c)
    }

    #[inline(always)]
    fn neg_mul_add(self, a: [f32; 8], b: [f32; 8], c: [f32; 8]) -> [f32; 8] {
        self.sub(c, self.mul(a, b))
    }

    #[inline(always)]
    fn sqrt(self, a: [f32; 8]) -> [f32; 8] {
        a.map(f32::sqrt)
    }

    #[inline(always)]
    fn gt(self, a: [f32; 8], b: [f32; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a > b)
    }

    #[inline(always)]
    fn lt(self, a: [f32; 8], b: [f32; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a < b)
    }

    #[inline(always)]
    fn ne(self, a: [f32; 8], b: [f32; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a != b)
    }

    #[inline(always)]
    fn eq_u(self, a: [u32; 8], b: [u32; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a == b)
    }

    #[inline(always)]
    fn lt_u(self, a: [u32; 8], b: [u32; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a < b)
    }

    #[inline(always)]
    fn and(self, a: [bool; 8], b: [bool; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a & b)
    }

    #[inline(always)]
    fn or(self, a: [bool; 8], b: [bool; 8]) -> [bool; 8] {
        zip(a, b, |a, b| a | b)
    }

    #[inline(always)]
    fn select(self, mask: [bool; 8], yes: [f32; 8], no: [f32; 8]) -> [f32; 8] {
        std::array::from_fn(
            #[inline(always)]
            |lane| if mask[lane] { yes[lane] } else { no[lane] },
        )
    }

    #[inline(always)]
    fn select_u(self, mask: [bool; 8], yes: [u32; 8], no: [u32; 8]) -> [u32; 8] {
        std::array::from_fn(
            #[inline(always)]
            |lane| if mask[lane] { yes[lane] } else { no[lane] },
        )
    }

    #[inline(always)]
    fn bits(self, mask: [bool; 8]) -> u8 {
        (0..8).fold(0, |bits, lane| bits | u8::from(mask[lane]) << lane)
    }

    #[inline(always)]
    fn splat_u(self, x: u32) -> [u32; 8] {
        [x; 8]
    }

    #[inline(always)]
    fn add_u(self, a: [u32; 8], b: [u32; 8]) -> [u32; 8] {
        zip(a, b, u32::wrapping_add)
    }

    #[inline(always)]
    fn shift_left<const N: i32>(self, a: [u32; 8]) -> [u32; 8] {
        a.map(|a| a << N)
    }

    #[inline(always)]
    fn to_bits(self, a: [f32; 8]) -> [u32; 8] {
        a.map(f32::to_bits)
    }

    #[inline(always)]
    fn with_bits(self, a: [u32; 8]) -> [f32; 8] {
        a.map(f32::from_bits)
    }

    #[inline(always)]
    unsafe fn load_ptr(self, from: *const f32) -> [f32; 8] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[f32; 8]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store_ptr(self, x: [f32; 8], to: *mut f32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[f32; 8]>().write_unaligned(x) }
    }

    #[inline(always)]
    unsafe fn load_u_ptr(self, from: *const u32) -> [u32; 8] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[u32; 8]>().read_unaligned() }
    }

    #[inline(always)]
    unsafe fn store_u_ptr(self, x: [u32; 8], to: *mut u32) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u32; 8]>().write_unaligned(x) }
    }

    #[inline(always)]
    unsafe fn load_bytes_ptr(self, from: *const u8) -> [u32; 8] {
        // SAFETY: the caller's promise.
        unsafe { from.cast::<[u8; 8]>().read_unaligned() }.map(u32::from)
    }

    #[inline(always)]
    unsafe fn store_bytes_ptr(self, x: [u32; 8], to: *mut u8) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<[u8; 8]>().write_unaligned(x.map(|x| x as u8)) }
    }

    #[inline(always)]
    fn pack(self, bits: u8, x: [f32; 8]) -> [f32; 8] {
        let (mut packed, mut end) = ([0.0; 8], 0);
        for (lane, x) in x.into_iter().enumerate() {
            packed[end & 7] = x;
            end += usize::from(bits >> lane & 1);
        }
        packed
    }

    #[inline(always)]
    fn pack_u(self, bits: u8, x: [u32; 8]) -> [u32; 8] {
        self.pack(bits, x.map(f32::from_bits)).map(f32::to_bits)
    }

    #[inline(always)]
    fn transpose(self, rows: [[f32; 8]; 8]) -> [[f32; 8]; 8] {
        std::array::from_fn(|column| std::array::from_fn(|row| rows[row][column]))
    }

    #[inline(always)]
    fn sum(self, x: [f32; 8]) -> f32 {
        let [a, b, c, d] = std::array::from_fn(|lane| x[lane] + x[lane + 4]);
        (a + c) + (b + d)
    }
}
