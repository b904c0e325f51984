//! Every operation of [`Simd`] against its definition.

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
        s.store_u(s.to_bits(s.add(s.with_bits(s.splat_u(1.5f32.to_bits())), s.splat(2.0))), &mut words, 0);
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
