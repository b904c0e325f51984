//! Element by element.

use candle_core::{DType, Result};
use candle_nn::VarBuilder;
use taper_export::flow::{Flow, Model, ops};

use super::super::check::{Sample, numbers, positive};
use super::{Outcome, Visit, features, image, row};

cases! { all:
    abs(features(1)) |_vb, x| x.abs();
    ceil(features(1)) |_vb, x| x.ceil();
    cos(features(1)) |_vb, x| x.cos();
    elu(features(1)) |_vb, x| x.elu(0.7);
    erf(features(1)) |_vb, x| x.erf();
    exp(features(1)) |_vb, x| x.exp();
    floor(features(1)) |_vb, x| x.floor();
    gelu(features(1)) |_vb, x| x.gelu();
    gelu_erf(features(1)) |_vb, x| x.gelu_erf();
    hard_sigmoid(features(1)) |_vb, x| ops::hard_sigmoid(&x.affine(8.0, 0.0)?);
    leaky_relu(features(1)) |_vb, x| ops::leaky_relu(x, 0.1);
    log(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.log();
    mish(features(1)) |_vb, x| ops::mish(x);
    neg(features(1)) |_vb, x| x.neg();
    recip(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.recip();
    relu(features(1)) |_vb, x| x.relu();
    round(features(1)) |_vb, x| x.affine(8.0, 0.0)?.round();
    round__of_halves(features(1)) |_vb, x| x.affine(0.0, 2.5)?.round();
    round__of_less_than_a_half(features(1)) |_vb, x| x.affine(0.0, 0.49999997)?.round()?.add(x);
    round__of_large_odd_numbers(features(1)) |_vb, x| x.affine(0.0, 8388609.0)?.round()?.affine(1.0, -8388600.0);
    clamp__by_a_computed_number(features(1)) |_vb, x| {
        x.mean_all()?.clamp(&x.min_all()?, &x.max_all()?.affine(0.01, 0.0)?)
    };
    selu(features(1)) |_vb, x| ops::selu(x, 1.6732632, 1.050701);
    sigmoid(features(1)) |_vb, x| ops::sigmoid(x);
    sign(features(1)) |_vb, x| x.sign();
    silu(features(1)) |_vb, x| x.silu();
    sin(features(1)) |_vb, x| x.sin();
    sqr(features(1)) |_vb, x| x.sqr();
    sqrt(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.sqrt();
    tanh(features(1)) |_vb, x| x.tanh();
    ops_silu(features(1)) |_vb, x| ops::silu(x);
    swiglu(features(1)) |_vb, x| ops::swiglu(x);
    affine(features(1)) |_vb, x| x.affine(2.5, -0.5);
    powf(Sample::batch(positive(&[4, 6], 1))) |_vb, x| x.powf(1.7);
    clamp(features(1)) |_vb, x| x.clamp(-0.4f32, 0.3f32);
    clamp__by_values(features(1), features(2)) |_vb, x, y| x.clamp(y, &y.affine(1.0, 0.2)?);
    add(features(1), features(2)) |_vb, x, y| x.add(y);
    add__of_a_number(features(1)) |_vb, x| x.clone() + 1.5;
    operators__with_results(features(1), features(2)) |_vb, x, y| x.clone() + y.sqr();
    operators(features(1), features(2)) |_vb, x, y| ((x.clone() * 0.5)? + y)? / 3.0;
    sub(features(1), features(2)) |_vb, x, y| x.sub(y);
    mul(features(1), features(2)) |_vb, x, y| x.mul(y);
    div(features(1), Sample::batch(positive(&[4, 6], 1))) |_vb, x, y| x.div(y);
    pow(Sample::batch(positive(&[4, 6], 1)), features(2)) |_vb, x, y| x.pow(y);
    broadcast_add(features(1), Sample::fixed(numbers(&[6], 4))) |_vb, x, y| x.broadcast_add(y);
    broadcast_mul(image(), Sample::fixed(numbers(&[4, 1, 1], 4))) |_vb, x, y| x.broadcast_mul(y);
    broadcast_sub(features(1)) |_vb, x| x.broadcast_sub(&x.mean_keepdim(1)?);
    broadcast_div(features(1)) |_vb, x| x.broadcast_div(&x.sqr()?.sum_keepdim(1)?);
    maximum(features(1), features(2)) |_vb, x, y| x.maximum(y);
    minimum__of_a_number(features(1)) |_vb, x| x.minimum(0.25);
    minimum(features(1), features(2)) |_vb, x, y| x.minimum(y);
    eq(features(1), features(2)) |_vb, x, y| x.sign()?.eq(&y.sign()?);
    ne(features(1), features(2)) |_vb, x, y| x.sign()?.ne(&y.sign()?);
    lt(features(1), features(2)) |_vb, x, y| x.lt(y);
    le(features(1)) |_vb, x| x.le(0.1);
    gt(features(1), features(2)) |_vb, x, y| x.gt(y);
    ge(features(1)) |_vb, x| x.ge(0.1);
    gt__as_a_number(features(1)) |_vb, x| x.mul(&x.gt(0.0)?.to_dtype(DType::F32)?);
    mul__of_masks(features(1), features(2)) |_vb, x, y| x.gt(0.0)?.mul(&y.gt(0.0)?)?.to_dtype(DType::F32);
    eq__of_a_mask_as_numbers(features(1)) |_vb, x| {
        let mask = x.gt(0.0)?;
        mask.eq(&mask.zeros_like()?)?.add(&mask)?.to_dtype(DType::F32)
    };
    eq__of_a_whole_number(features(1)) |_vb, x| x.sign()?.eq(1);
    broadcast_pow(Sample::batch(positive(&[4, 6], 1)), row()) |_vb, x, y| x.broadcast_pow(y);
    broadcast_maximum(features(1), row()) |_vb, x, y| x.broadcast_maximum(y);
    broadcast_minimum(features(1), row()) |_vb, x, y| x.broadcast_minimum(y);
    broadcast_eq(features(1), row()) |_vb, x, y| x.sign()?.broadcast_eq(&y.sign()?);
    broadcast_ne(features(1), row()) |_vb, x, y| x.sign()?.broadcast_ne(&y.sign()?);
    broadcast_lt(features(1), row()) |_vb, x, y| x.broadcast_lt(y);
    broadcast_le(features(1), row()) |_vb, x, y| x.broadcast_le(y);
    broadcast_gt(features(1), row()) |_vb, x, y| x.broadcast_gt(y);
    broadcast_ge(features(1), row()) |_vb, x, y| x.broadcast_ge(y);
    where_cond(features(1), features(2)) |_vb, x, y| x.gt(y)?.where_cond(x, y);
    to_dtype(features(1)) |_vb, x| x.affine(9.0, 0.0)?.to_dtype(DType::I64)?.to_dtype(DType::F32);
    zeros_like(features(1)) |_vb, x| x.zeros_like()?.add(x);
    ones_like(features(1)) |_vb, x| x.ones_like();
}
