//! 2-D convolution as a matrix product over each image's taps.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};
use crate::geometry::ConvGeometry;
use crate::im2col::{col2im, im2col};
use crate::matmul::{Into, Matrix, matmul};

/// Images whose weight gradients are summed by one task; fixed, so that the order of additions is.
const CHUNK: usize = 10;

/// Where [`conv2d_backward`] puts the gradients; the weight's is always computed.
#[derive(Debug)]
pub struct ConvGradients<'a> {
    /// Gradient of the input `[N, C, H, W]`, unless it is not needed (the first layer).
    pub x: Option<&'a mut [f32]>,
    /// Gradient of the weight `[out_channels, C/groups, kernel_h, kernel_w]`.
    pub weight: &'a mut [f32],
    /// Gradient of the bias `[out_channels]`.
    pub bias: Option<&'a mut [f32]>,
}

/// `y = conv(x, weight) + bias`; sizes as in [`ConvGeometry`].
///
/// Source: [`torch.nn.functional.conv2d`](https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.conv2d.html).
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
pub fn conv2d(
    g: &ConvGeometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    y: &mut [f32],
) -> Result<(), KernelError> {
    check_len("x", x.len(), g.input_len())?;
    check_len("weight", weight.len(), g.weight_len())?;
    check_len("y", y.len(), g.output_len())?;
    if let Some(bias) = bias {
        check_len("bias", bias.len(), g.out_channels)?;
    }
    if y.is_empty() {
        return Ok(());
    }
    let images = y.par_chunks_mut(g.out_image_len()).zip(x.par_chunks(g.image_len()));
    images.for_each_init(
        || vec![0.0; g.taps() * g.out_pixels()],
        |columns, (y, x)| {
            for group in 0..g.groups {
                im2col(g, group_of(x, group, g.groups), columns);
                let weight = Matrix::row_major(group_of(weight, group, g.groups), g.group_out(), g.taps());
                let columns = Matrix::row_major(columns, g.taps(), g.out_pixels());
                matmul(weight, columns, group_of_mut(y, group, g.groups), Into::Replace);
            }
            if let Some(bias) = bias {
                for (plane, bias) in y.chunks_exact_mut(g.out_pixels()).zip(bias) {
                    plane.iter_mut().for_each(|y| *y += bias);
                }
            }
        },
    );
    Ok(())
}

/// Gradients of the loss with respect to input, weight and bias, from `dy`, the gradient with respect to the output.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
pub fn conv2d_backward(
    g: &ConvGeometry,
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    gradients: ConvGradients<'_>,
) -> Result<(), KernelError> {
    check_len("x", x.len(), g.input_len())?;
    check_len("weight", weight.len(), g.weight_len())?;
    check_len("dy", dy.len(), g.output_len())?;
    check_len("gradient of weight", gradients.weight.len(), g.weight_len())?;
    if let Some(dbias) = gradients.bias {
        check_len("gradient of bias", dbias.len(), g.out_channels)?;
        bias_gradient(g, dy, dbias);
    }
    weight_gradient(g, x, dy, gradients.weight);
    if let Some(dx) = gradients.x {
        check_len("gradient of x", dx.len(), g.input_len())?;
        input_gradient(g, weight, dy, dx);
    }
    Ok(())
}

fn bias_gradient(g: &ConvGeometry, dy: &[f32], dbias: &mut [f32]) {
    let planes = |channel| dy.chunks_exact(g.out_pixels()).skip(channel).step_by(g.out_channels);
    // One sum runs over a million terms: f64 keeps its digits.
    let sum = |channel| planes(channel).flatten().map(|&dy| f64::from(dy)).sum::<f64>() as f32;
    dbias.par_iter_mut().enumerate().for_each(|(channel, dbias)| *dbias = sum(channel));
}

/// Each task sums its chunk of images; the chunks' sums are added up in order.
fn weight_gradient(g: &ConvGeometry, x: &[f32], dy: &[f32], dweight: &mut [f32]) {
    let chunks = x.par_chunks(CHUNK * g.image_len()).zip(dy.par_chunks(CHUNK * g.out_image_len()));
    let partial = |(x, dy): (&[f32], &[f32])| {
        let mut sum = vec![0.0; g.weight_len()];
        let mut columns = vec![0.0; g.taps() * g.out_pixels()];
        for (x, dy) in x.chunks_exact(g.image_len()).zip(dy.chunks_exact(g.out_image_len())) {
            for group in 0..g.groups {
                im2col(g, group_of(x, group, g.groups), &mut columns);
                let dy = Matrix::row_major(group_of(dy, group, g.groups), g.group_out(), g.out_pixels());
                let columns = Matrix::row_major(&columns, g.taps(), g.out_pixels());
                matmul(dy, columns.transposed(), group_of_mut(&mut sum, group, g.groups), Into::Add);
            }
        }
        sum
    };
    let partials: Vec<Vec<f32>> = chunks.map(partial).collect();
    dweight.fill(0.0);
    for partial in &partials {
        dweight.iter_mut().zip(partial).for_each(|(sum, part)| *sum += part);
    }
}

fn input_gradient(g: &ConvGeometry, weight: &[f32], dy: &[f32], dx: &mut [f32]) {
    if dx.is_empty() {
        return;
    }
    let images = dx.par_chunks_mut(g.image_len()).zip(dy.par_chunks(g.out_image_len()));
    images.for_each_init(
        || vec![0.0; g.taps() * g.out_pixels()],
        |columns, (dx, dy)| {
            dx.fill(0.0);
            for group in 0..g.groups {
                let weight = Matrix::row_major(group_of(weight, group, g.groups), g.group_out(), g.taps());
                let dy = Matrix::row_major(group_of(dy, group, g.groups), g.group_out(), g.out_pixels());
                matmul(weight.transposed(), dy, columns, Into::Replace);
                col2im(g, columns, group_of_mut(dx, group, g.groups));
            }
        },
    );
}

/// The part of `data` that belongs to one group; all parts are equal.
fn group_of(data: &[f32], group: usize, groups: usize) -> &[f32] {
    let len = data.len() / groups;
    &data[group * len..][..len]
}

fn group_of_mut(data: &mut [f32], group: usize, groups: usize) -> &mut [f32] {
    let len = data.len() / groups;
    &mut data[group * len..][..len]
}
