//! Pooling: all windows are gathered beside each other, and one tap of each is taken, or their mean.

use candle_core::{D, DType, Result, Tensor};
use taper_graph::{AvgPool2d, MaxPool2d};
use taper_kernels::PoolGeometry;

use crate::ops::storage::{image_dims, refuse};

/// See [`ops::max_pool2d`](crate::ops::max_pool2d).
///
/// # Errors
/// A window that does not fit.
pub fn max_pool2d(x: &Tensor, pool: &MaxPool2d) -> Result<Tensor> {
    let (batch, image) = image_dims(x.shape())?;
    let g = PoolGeometry::max(pool, batch, image).map_err(refuse)?;
    let taps = taps(x, &g, f32::NEG_INFINITY)?;
    let first = first_maximum(&taps.detach())?;
    taps.gather(&first, D::Minus1)?.reshape((batch, image[0], g.output[0], g.output[1]))
}

/// See [`ops::avg_pool2d`](crate::ops::avg_pool2d).
///
/// # Errors
/// A window that does not fit.
pub fn avg_pool2d(x: &Tensor, pool: &AvgPool2d) -> Result<Tensor> {
    let (batch, image) = image_dims(x.shape())?;
    let g = PoolGeometry::avg(pool, batch, image).map_err(refuse)?;
    let sums = taps(x, &g, 0.0)?.sum(D::Minus1)?.reshape((batch, image[0], g.output[0], g.output[1]))?;
    let divisors = Tensor::from_vec(divisors(&g), (1, 1, g.output[0], g.output[1]), x.device())?;
    sums.broadcast_div(&divisors)
}

/// See [`ops::global_avg_pool`](crate::ops::global_avg_pool).
///
/// # Errors
/// A tensor that is not a batch of images.
pub fn global_avg_pool(x: &Tensor) -> Result<Tensor> {
    x.mean_keepdim((2, 3))
}

/// The windows of `[N, C, H, W]`, `[N, C, H'·W', taps]`; taps outside the image are `outside`.
fn taps(x: &Tensor, g: &PoolGeometry, outside: f32) -> Result<Tensor> {
    let (batch, [channels, height, width]) = image_dims(x.shape())?;
    let plane = x.reshape((batch, channels, height * width))?;
    let beyond = Tensor::full(outside, (batch, channels, 1), x.device())?;
    let places = places(g);
    let windows = g.output[0] * g.output[1];
    let per_window = places.len() / windows.max(1);
    let places = Tensor::from_vec(places, windows * per_window, x.device())?;
    Tensor::cat(&[&plane, &beyond], 2)?
        .index_select(&places, 2)?
        .reshape((batch, channels, windows, per_window))
}

/// For every tap of every window its place in a plane, the one behind the last if it lies outside.
fn places(g: &PoolGeometry) -> Vec<u32> {
    let beyond = (g.input[0] * g.input[1]) as u32;
    let [rows, columns] = [0, 1].map(|axis| elements(g, axis));
    let mut places = Vec::new();
    for rows in &rows {
        for columns in &columns {
            for row in rows {
                let place =
                    |column: &Option<usize>| row.zip(*column).map(|(y, x)| (y * g.input[1] + x) as u32);
                places.extend(columns.iter().map(|column| place(column).unwrap_or(beyond)));
            }
        }
    }
    places
}

/// Along one axis, the input element under every tap at every position, if there is one.
fn elements(g: &PoolGeometry, axis: usize) -> Vec<Vec<Option<usize>>> {
    let (window, input) = (g.windows[axis], g.input[axis]);
    let at = |position| {
        let inside = window.taps(position, input);
        let element = |tap| inside.contains(&tap).then(|| window.element(position, tap));
        (0..window.kernel).map(element).collect()
    };
    (0..g.output[axis]).map(at).collect()
}

/// What the mean of every window divides by.
fn divisors(g: &PoolGeometry) -> Vec<f32> {
    let row = |row| (0..g.output[1]).map(move |column| g.divisor([row, column]) as f32);
    (0..g.output[0]).flat_map(row).collect()
}

/// Where in every window the maximum stands: the first of equal ones, or the first that is not a number. `[…, taps]` → `[…, 1]`.
fn first_maximum(taps: &Tensor) -> Result<Tensor> {
    let count = taps.dim(D::Minus1)? as f64;
    let order = Tensor::arange(0f32, count as f32, taps.device())?.broadcast_as(taps.shape())?;
    let last = Tensor::full(count as f32, taps.shape(), taps.device())?;
    let is_maximum = taps.broadcast_eq(&taps.max_keepdim(D::Minus1)?)?;
    let is_nan = taps.ne(taps)?;
    let maxima = is_maximum.where_cond(&order, &last)?;
    // Before all that are numbers.
    let places = is_nan.where_cond(&(&order - count)?, &maxima)?.min_keepdim(D::Minus1)?;
    let is_before = places.lt(0f32)?;
    is_before
        .where_cond(&(&places + count)?, &places)?
        .clamp(0f32, (count - 1.0) as f32)?
        .to_dtype(DType::U32)
}
