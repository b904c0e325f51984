//! Reductions, products, and what runs over images and signals.

use candle_core::{D, Result};
use candle_nn::VarBuilder;
use taper_export::flow::{Flow, Model, ops};

use super::super::check::{Sample, numbers};
use super::{Outcome, Visit, features, image, signal, tokens};

cases! { reductions:
    sum(image()) |_vb, x| x.sum((2, 3));
    sum_keepdim(image()) |_vb, x| x.sum_keepdim(1);
    mean(image()) |_vb, x| x.mean((1, 2));
    mean_keepdim(image()) |_vb, x| x.mean_keepdim(D::Minus1);
    max(image()) |_vb, x| x.max(1);
    max_keepdim(image()) |_vb, x| x.max_keepdim(D::Minus1);
    min(image()) |_vb, x| x.min(D::Minus1);
    min_keepdim(image()) |_vb, x| x.min_keepdim(1);
    argmax(features(1)) |_vb, x| x.argmax(1);
    argmax_keepdim(image()) |_vb, x| x.argmax_keepdim(1);
    argmin(features(1)) |_vb, x| x.argmin(D::Minus1);
    argmin_keepdim(image()) |_vb, x| x.argmin_keepdim(2);
    argmax__of_equal_numbers(features(1)) |_vb, x| x.sign()?.argmax(1);
    argmin__of_equal_numbers(image()) |_vb, x| x.sign()?.argmin(2);
    sum_all(features(1)) |_vb, x| x.sum_all();
    mean_all(features(1)) |_vb, x| x.mean_all();
    max_all(features(1)) |_vb, x| x.max_all();
    min_all(features(1)) |_vb, x| x.min_all();
    log_sum_exp(features(1)) |_vb, x| x.log_sum_exp(1);
    cumsum(image()) |_vb, x| x.cumsum(2);
    softmax(image()) |_vb, x| ops::softmax(x, 1);
    softmax_last_dim(tokens()) |_vb, x| ops::softmax_last_dim(x);
    log_softmax(features(1)) |_vb, x| ops::log_softmax(x, D::Minus1);
    log_softmax__of_an_inner_dimension(image()) |_vb, x| ops::log_softmax(x, 2);
    matmul(tokens(), tokens()) |_vb, x, y| x.matmul(&y.t()?);
    broadcast_matmul(tokens(), Sample::fixed(numbers(&[8, 3], 5))) |_vb, x, y| x.broadcast_matmul(y);
}

cases! { windows:
    max_pool2d(image()) |_vb, x| x.max_pool2d(2);
    max_pool2d_with_stride(image()) |_vb, x| x.max_pool2d_with_stride((3, 2), (1, 2));
    avg_pool2d(image()) |_vb, x| x.avg_pool2d(2);
    avg_pool2d_with_stride(image()) |_vb, x| x.avg_pool2d_with_stride(3, 2);
    upsample_nearest2d(image()) |_vb, x| x.upsample_nearest2d(12, 16);
    upsample_nearest2d__to_odd_sizes(image()) |_vb, x| x.upsample_nearest2d(7, 11);
    upsample_nearest2d__of_dynamic_size(Sample::image(numbers(&[4, 3, 6, 5], 1), 1)) |_vb, x| {
        x.upsample_nearest2d(x.dim(2)? * 2, x.dim(3)? * 3)
    };
    upsample_bilinear2d(image()) |_vb, x| x.upsample_bilinear2d(9, 16, false);
    upsample_bilinear2d__of_corners(image()) |_vb, x| x.upsample_bilinear2d(9, 16, true);
    upsample_nearest1d(signal()) |_vb, x| x.upsample_nearest1d(18);
    interpolate1d(signal()) |_vb, x| x.interpolate1d(13);
    interpolate2d(image()) |_vb, x| x.interpolate2d(12, 24);
    conv1d(signal(), Sample::fixed(numbers(&[2, 2, 3], 5))) |_vb, x, y| x.conv1d(y, 1, 2, 2, 2);
    conv2d(image(), Sample::fixed(numbers(&[2, 4, 3, 3], 5))) |_vb, x, y| x.conv2d(y, 1, 2, 1, 1);
    conv_transpose1d(signal(), Sample::fixed(numbers(&[4, 2, 3], 5))) |_vb, x, y| {
        x.conv_transpose1d(y, 1, 1, 2, 1, 2)
    };
    conv_transpose2d(image(), Sample::fixed(numbers(&[4, 2, 3, 2], 5))) |_vb, x, y| {
        x.conv_transpose2d(y, 1, 0, 1, 2)
    };
}
