//! 2-D convolution as a matrix product over each image's taps.

use rayon::prelude::*;

use crate::error::{KernelError, check_len};
use crate::geometry::{ConvGeometry, product};
use crate::im2col::{col2im, gather_planes, group_of, group_of_mut, im2col, scatter_planes};
use crate::matmul::{Into, Matrix, matmul};

/// Images whose weight gradients are summed by one task; a function of the batch alone, so that the order of additions
/// is. Each task has sums of its own, so there are at most 64.
fn chunk(batch: usize) -> usize {
    batch.div_ceil(64).max(10)
}

/// Output pixels that one matrix product should have at least: over the 49 of a single 7×7 image it would run at half
/// the speed, and over thousands its operands would leave the cache.
const PIXELS: usize = 200;

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
///
/// ```
/// use taper_graph::Conv2d;
/// use taper_kernels::{ConvGeometry, conv2d};
/// let geometry = ConvGeometry::new(&Conv2d::new(1, 2), 1, [1, 2, 2])?;
/// let mut y = [0.0];
/// conv2d(&geometry, &[1.0, 2.0, 3.0, 4.0], &[1.0, 10.0, 100.0, 1000.0], Some(&[0.5]), &mut y)?;
/// assert_eq!(y, [4321.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    let images = block_images(g);
    let blocks = y.par_chunks_mut(images * g.out_image_len()).zip(x.par_chunks(images * g.image_len()));
    blocks.for_each_init(
        || Matrices::new(g, images),
        |matrices, (y, x)| {
            let pixels = y.len() / g.out_channels;
            let [columns, planes] = matrices.over(g, pixels);
            for group in 0..g.groups {
                im2col(g, group, x, columns);
                let weight = Matrix::row_major(group_of(weight, group, g.groups), g.group_out(), g.taps());
                matmul(weight, Matrix::row_major(columns, g.taps(), pixels), planes, Into::Replace);
                let bias = bias.map(|bias| group_of(bias, group, g.groups));
                scatter_planes(g, group, planes, bias, y);
            }
        },
    );
    Ok(())
}

/// Gradients of the loss with respect to input, weight and bias, from `dy`, the gradient with respect to the output.
///
/// # Errors
/// [`KernelError::Length`] if a slice does not have the length the geometry gives it.
///
/// ```
/// use taper_graph::Conv2d;
/// use taper_kernels::{ConvGeometry, ConvGradients, conv2d_backward};
/// // y = w·x for two pixels: dw = Σ x·dy and dx = w·dy.
/// let geometry = ConvGeometry::new(&Conv2d::new(1, 1), 1, [1, 1, 2])?;
/// let (mut dx, mut dweight) = ([0.0; 2], [0.0]);
/// let gradients = ConvGradients { x: Some(&mut dx), weight: &mut dweight, bias: None };
/// conv2d_backward(&geometry, &[2.0, 3.0], &[5.0], &[10.0, 100.0], gradients)?;
/// assert_eq!((dx, dweight), ([50.0, 500.0], [320.0]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    dbias.par_iter_mut().enumerate().for_each(|(channel, dbias)| {
        let planes = dy.chunks_exact(g.out_pixels()).skip(channel).step_by(g.out_channels);
        *dbias = planes.map(sum).sum::<f64>() as f32;
    });
}

/// In f64, since a sum may run over a million terms, and in eight lanes, since one addition would wait for the last.
fn sum(values: &[f32]) -> f64 {
    let mut lanes = [0.0; 8];
    let chunks = values.chunks_exact(lanes.len());
    let rest: f64 = chunks.remainder().iter().map(|&value| f64::from(value)).sum();
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, &value)| *lane += f64::from(value));
    }
    lanes.iter().sum::<f64>() + rest
}

/// Each task sums its chunk of images; the chunks' sums are added up in order.
fn weight_gradient(g: &ConvGeometry, x: &[f32], dy: &[f32], dweight: &mut [f32]) {
    let chunk = chunk(g.batch);
    let images = block_images(g).min(chunk);
    let [of_x, of_dy] = [g.image_len(), g.out_image_len()].map(|len| product([chunk, len]));
    let chunks = x.par_chunks(of_x).zip(dy.par_chunks(of_dy));
    let partial = |(x, dy): (&[f32], &[f32])| {
        let mut sum = vec![0.0; g.weight_len()];
        let mut matrices = Matrices::new(g, images);
        for (x, dy) in x.chunks(images * g.image_len()).zip(dy.chunks(images * g.out_image_len())) {
            let pixels = dy.len() / g.out_channels;
            let [columns, planes] = matrices.over(g, pixels);
            for group in 0..g.groups {
                im2col(g, group, x, columns);
                gather_planes(g, group, dy, planes);
                let dy = Matrix::row_major(planes, g.group_out(), pixels);
                let columns = Matrix::row_major(columns, g.taps(), pixels);
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
    let images = block_images(g);
    let blocks = dx.par_chunks_mut(images * g.image_len()).zip(dy.par_chunks(images * g.out_image_len()));
    blocks.for_each_init(
        || Matrices::new(g, images),
        |matrices, (dx, dy)| {
            let pixels = dy.len() / g.out_channels;
            let [columns, planes] = matrices.over(g, pixels);
            dx.fill(0.0);
            for group in 0..g.groups {
                gather_planes(g, group, dy, planes);
                let weight = Matrix::row_major(group_of(weight, group, g.groups), g.group_out(), g.taps());
                let dy = Matrix::row_major(planes, g.group_out(), pixels);
                matmul(weight.transposed(), dy, columns, Into::Replace);
                col2im(g, group, columns, dx);
            }
        },
    );
}

/// How many images go into one matrix product; a function of the sizes alone, so that the threads change nothing.
fn block_images(g: &ConvGeometry) -> usize {
    PIXELS.div_ceil(g.out_pixels().max(1)).min(g.batch.max(1))
}

/// The two matrices of a block of images, reused from block to block.
struct Matrices {
    columns: Vec<f32>,
    planes: Vec<f32>,
}

impl Matrices {
    fn new(g: &ConvGeometry, images: usize) -> Self {
        let pixels = images * g.out_pixels();
        Self { columns: vec![0.0; g.taps() * pixels], planes: vec![0.0; g.group_out() * pixels] }
    }

    /// Their parts for so many output pixels, fewer in the last block: `[taps, pixels]` and `[out_channels/groups, pixels]`.
    fn over(&mut self, g: &ConvGeometry, pixels: usize) -> [&mut [f32]; 2] {
        [&mut self.columns[..g.taps() * pixels], &mut self.planes[..g.group_out() * pixels]]
    }
}
