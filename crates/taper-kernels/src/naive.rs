//! The oracle: every kernel once more, in f64 and as its definition reads. Slow and obviously right; the tests of this
//! crate and of those above it compare against it. Lengths that do not fit together are no concern of it.
//!
//! ```
//! use taper_graph::MaxPool2d;
//! use taper_kernels::{PoolGeometry, naive};
//! let geometry = PoolGeometry::max(&MaxPool2d::new(2), 1, [1, 2, 2])?;
//! assert_eq!(naive::max_pool2d(&geometry, &[1.0, 4.0, 4.0, 2.0]), [4.0]);
//! assert_eq!(naive::max_pool2d_backward(&geometry, &[1.0, 4.0, 4.0, 2.0], &[5.0]), [0.0, 5.0, 0.0, 0.0]);
//! # Ok::<(), taper_graph::ShapeError>(())
//! ```

use crate::geometry::{ConvGeometry, PoolGeometry};

/// Calls `visit(output element, weight element, input element)` for every product of a convolution that does not
/// fall on the padding.
fn for_each_product(g: &ConvGeometry, mut visit: impl FnMut(usize, usize, usize)) {
    let ([in_h, in_w], [out_h, out_w]) = (g.input, g.output);
    let [vertical, horizontal] = g.windows;
    let (group_in, group_out) = (g.in_channels / g.groups, g.out_channels / g.groups);
    for n in 0..g.batch {
        for oc in 0..g.out_channels {
            for (oy, ox) in (0..out_h).flat_map(|oy| (0..out_w).map(move |ox| (oy, ox))) {
                for ic in 0..group_in {
                    let channel = oc / group_out * group_in + ic;
                    for ky in 0..vertical.kernel {
                        for kx in 0..horizontal.kernel {
                            let iy = vertical.start(oy) + (ky * vertical.dilation) as isize;
                            let ix = horizontal.start(ox) + (kx * horizontal.dilation) as isize;
                            if !(0..in_h as isize).contains(&iy) || !(0..in_w as isize).contains(&ix) {
                                continue;
                            }
                            let y = ((n * g.out_channels + oc) * out_h + oy) * out_w + ox;
                            let w = ((oc * group_in + ic) * vertical.kernel + ky) * horizontal.kernel + kx;
                            let x = ((n * g.in_channels + channel) * in_h + iy as usize) * in_w + ix as usize;
                            visit(y, w, x);
                        }
                    }
                }
            }
        }
    }
}

/// Convolution; see [`crate::conv2d`].
pub fn conv2d(g: &ConvGeometry, x: &[f64], weight: &[f64], bias: Option<&[f64]>) -> Vec<f64> {
    let pixels = g.output[0] * g.output[1];
    let mut y: Vec<f64> =
        (0..g.output_len()).map(|at| bias.map_or(0.0, |bias| bias[at / pixels % g.out_channels])).collect();
    for_each_product(g, |at, w, from| y[at] += weight[w] * x[from]);
    y
}

/// Gradients of convolution: input, weight, bias.
pub fn conv2d_backward(g: &ConvGeometry, x: &[f64], weight: &[f64], dy: &[f64]) -> [Vec<f64>; 3] {
    let (mut dx, mut dweight) = (vec![0.0; g.input_len()], vec![0.0; g.weight_len()]);
    for_each_product(g, |at, w, from| {
        dx[from] += weight[w] * dy[at];
        dweight[w] += x[from] * dy[at];
    });
    let mut dbias = vec![0.0; g.out_channels];
    let pixels = g.output[0] * g.output[1];
    dy.iter().enumerate().for_each(|(at, dy)| dbias[at / pixels % g.out_channels] += dy);
    [dx, dweight, dbias]
}

/// The input elements under each window of pooling, row by row, and the divisor of average pooling.
fn windows(g: &PoolGeometry) -> Vec<(Vec<usize>, f64)> {
    let mut all = Vec::new();
    for plane in 0..g.planes {
        for (oy, ox) in (0..g.output[0]).flat_map(|oy| (0..g.output[1]).map(move |ox| (oy, ox))) {
            let (mut inside, mut counted) = (Vec::new(), 0);
            for ky in 0..g.windows[0].kernel {
                for kx in 0..g.windows[1].kernel {
                    let iy = g.windows[0].start(oy) + (ky * g.windows[0].dilation) as isize;
                    let ix = g.windows[1].start(ox) + (kx * g.windows[1].dilation) as isize;
                    let beyond =
                        |i: isize, axis: usize| i >= (g.input[axis] + g.windows[axis].padding) as isize;
                    counted += usize::from(!beyond(iy, 0) && !beyond(ix, 1));
                    if (0..g.input[0] as isize).contains(&iy) && (0..g.input[1] as isize).contains(&ix) {
                        inside.push((plane * g.input[0] + iy as usize) * g.input[1] + ix as usize);
                    }
                }
            }
            let divisor = if g.count_include_pad { counted } else { inside.len() };
            all.push((inside, divisor as f64));
        }
    }
    all
}

/// Max pooling; see [`crate::max_pool2d`].
pub fn max_pool2d(g: &PoolGeometry, x: &[f64]) -> Vec<f64> {
    let greatest = |inside: &[usize]| inside.iter().map(|&at| x[at]).fold(f64::NEG_INFINITY, f64::max);
    windows(g).iter().map(|(inside, _)| greatest(inside)).collect()
}

/// Gradient of max pooling; the first of equal values gets it.
pub fn max_pool2d_backward(g: &PoolGeometry, x: &[f64], dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; g.input_len()];
    for ((inside, _), dy) in windows(g).iter().zip(dy) {
        let mut best = None;
        for &at in inside {
            if best.is_none_or(|best: usize| x[at] > x[best]) {
                best = Some(at);
            }
        }
        if let Some(best) = best {
            dx[best] += dy;
        }
    }
    dx
}

/// Average pooling; see [`crate::avg_pool2d`].
pub fn avg_pool2d(g: &PoolGeometry, x: &[f64]) -> Vec<f64> {
    let mean = |(inside, divisor): &(Vec<usize>, f64)| inside.iter().map(|&at| x[at]).sum::<f64>() / divisor;
    windows(g).iter().map(mean).collect()
}

/// Gradient of average pooling.
pub fn avg_pool2d_backward(g: &PoolGeometry, dy: &[f64]) -> Vec<f64> {
    let mut dx = vec![0.0; g.input_len()];
    for ((inside, divisor), dy) in windows(g).iter().zip(dy) {
        inside.iter().for_each(|&at| dx[at] += dy / divisor);
    }
    dx
}

/// Linear layer; see [`crate::linear`]. `in_features` and `out_features` follow from the lengths and `batch`.
pub fn linear(batch: usize, x: &[f64], weight: &[f64], bias: &[f64]) -> Vec<f64> {
    let features = x.len() / batch;
    let row = |x: &[f64]| -> Vec<f64> {
        let rows = weight.chunks(features).zip(bias);
        rows.map(|(weight, bias)| bias + x.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>()).collect()
    };
    x.chunks(features).flat_map(row).collect()
}
