//! Shapes, parts and joins.

use candle_core::{D, DType, Result};
use candle_nn::VarBuilder;
use taper_export::flow::{Flow, Model, ops};

use super::super::check::{Sample, ids, numbers};
use super::{Outcome, Visit, features, image, tokens};

cases! { all:
    reshape(image()) |_vb, x| x.reshape((x.dim(0)?, 8, 24));
    reshape__with_a_hole(image()) |_vb, x| x.reshape(((), 48));
    reshape__of_heads(tokens()) |_vb, x| {
        let (n, t, c) = x.dims3()?;
        x.reshape((n, t, 2, c / 2))?.transpose(1, 2)?.contiguous()?.transpose(1, 2)?.reshape((n, t, c))
    };
    reshape__to_squares(tokens()) |_vb, x| {
        let (n, t, _) = x.dims3()?;
        let scores = x.matmul(&x.t()?)?.reshape((n, t * t))?.relu()?;
        scores.reshape((n, t, t))
    };
    flatten_from__of_squares(tokens()) |_vb, x| x.matmul(&x.t()?)?.unsqueeze(1)?.flatten_from(2);
    squeeze__of_what_is_not_one(image()) |_vb, x| x.squeeze(1)?.relu();
    reshape__to_rows(tokens()) |_vb, x| {
        let (n, t, c) = x.dims3()?;
        x.reshape((n * t, c))?.relu()?.reshape((n, t, c))
    };
    flatten_all(image()) |_vb, x| x.flatten_all();
    flatten(image()) |_vb, x| x.flatten(1, 2);
    flatten_to(image()) |_vb, x| x.flatten_to(1);
    flatten_from(image()) |_vb, x| x.flatten_from(1);
    squeeze(image()) |_vb, x| x.sum_keepdim(1)?.squeeze(1);
    unsqueeze(features(1)) |_vb, x| x.unsqueeze(D::Minus1);
    transpose(image()) |_vb, x| x.transpose(1, 3);
    t(tokens()) |_vb, x| x.t();
    permute(image()) |_vb, x| x.permute((0, 2, 3, 1));
    narrow(image()) |_vb, x| x.narrow(2, 1, 3);
    narrow__to_the_last(tokens()) |_vb, x| x.narrow(1, x.dim(1)? - 1, 1);
    narrow__by_a_size(tokens(), Sample::fixed(numbers(&[16, 8], 4))) |_vb, x, y| {
        x.broadcast_add(&y.narrow(0, 0, x.dim(1)?)?)
    };
    narrow__of_a_constant_by_a_size(tokens()) |vb, x| {
        let (_, t, _) = x.dims3()?;
        let table = F::from(vb.get((16, 8), "table")?);
        let mask = F::from(candle_core::Tensor::tril2(16, DType::F32, vb.device())?);
        let mask = mask.narrow(0, 0, t)?.narrow(1, 0, t)?;
        mask.broadcast_matmul(x)?.broadcast_add(&table.narrow(0, 0, t)?)
    };
    cat(image(), image()) |_vb, x, y| F::cat(&[x, y, x], 1);
    stack(features(1), features(2)) |_vb, x, y| F::stack(&[x, y], 1);
    chunk(image()) |_vb, x| { let parts = x.chunk(3, 3)?; F::cat(&[&parts[2], &parts[0]], 3) };
    index(image()) |_vb, x| x.i((.., 1, 2.., ..=3));
    index__by_a_list(image()) |_vb, x| x.i((.., vec![3u32, 0, 0]));
    index__by_a_value(image(), Sample::fixed(ids(&[3], 4, 2))) |_vb, x, y| x.i((.., .., .., y));
    get(Sample::fixed(numbers(&[4, 6], 1))) |_vb, x| x.get(2);
    get_on_dim(image()) |_vb, x| x.get_on_dim(1, 2);
    index_select(image(), Sample::fixed(ids(&[5], 4, 6))) |_vb, x, y| x.index_select(y, 1);
    embedding(Sample::fixed(numbers(&[6, 3], 2)), Sample::batch(ids(&[4], 6, 6))) |_vb, x, y| x.embedding(y);
    gather(features(1), Sample::batch(ids(&[4, 3], 6, 6))) |_vb, x, y| x.gather(y, 1);
    broadcast_as(features(1)) |_vb, x| x.unsqueeze(1)?.broadcast_as((x.dim(0)?, 3, 6));
    expand(features(1)) |_vb, x| x.unsqueeze(0)?.expand((2, x.dim(0)?, 6));
    broadcast_left(features(1)) |_vb, x| x.broadcast_left(2);
    repeat(features(1)) |_vb, x| x.repeat((1, 3));
    repeat__with_more_dimensions(features(1)) |_vb, x| x.repeat((2, 1, 2));
    pad_with_zeros(image()) |_vb, x| x.pad_with_zeros(2, 1, 2);
    pad_with_same(image()) |_vb, x| x.pad_with_same(3, 2, 1);
    pixel_shuffle(image()) |_vb, x| ops::pixel_shuffle(x, 2);
    pixel_unshuffle(image()) |_vb, x| ops::pixel_unshuffle(x, 2);
    contiguous(features(1)) |_vb, x| x.contiguous();
}
