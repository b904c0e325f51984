//! The kernels that sum over a batch or draw random numbers give the same bits on any number of threads; convolution,
//! linear layers and optimisers say so in their own tests.

use taper_kernels::{BatchNormGeometry, DropoutKey, batch_norm_backward, batch_norm_train, dropout};

use crate::support::{on_threads, random};

fn assert_same_bits(what: &str, work: impl Fn() -> Vec<f32> + Send + Sync) {
    let bits = |threads| -> Vec<u32> { on_threads(threads, &work).iter().map(|v| v.to_bits()).collect() };
    let one = bits(1);
    assert!(one == bits(2) && one == bits(8), "{what}");
}

#[test]
fn batch_norm() {
    let g = BatchNormGeometry { batch: 33, channels: 7, pixels: 99 };
    let len = g.count() * g.channels;
    let (x, dy, weight, bias) = (random(1, len), random(2, len), random(3, 7), random(4, 7));
    assert_same_bits("batch norm", || {
        let (mut y, mut dx) = (vec![0.0; len], vec![0.0; len]);
        let statistics = batch_norm_train(g, &x, [&weight, &bias], 1e-5, &mut y).unwrap();
        let [dweight, dbias] = batch_norm_backward(g, &x, &weight, &statistics, 1e-5, &dy, &mut dx).unwrap();
        [y, dx, dweight, dbias].concat()
    });
}

#[test]
fn dropout_masks() {
    let key = DropoutKey { seed: 3, step: 5, layer: 7 };
    let x = random(1, 33 * 11 * 301);
    assert_same_bits("dropout", || {
        let mut y = vec![0.0; x.len()];
        dropout(key, 0.3, [33, 11, 301], &x, &mut y).unwrap();
        y
    });
    // A part of the batch is treated as in the whole: an element's fate depends on its place alone.
    let (mut whole, mut part) = (vec![0.0; x.len()], vec![0.0; 20 * 11 * 301]);
    dropout(key, 0.3, [33, 11, 301], &x, &mut whole).unwrap();
    dropout(key, 0.3, [20, 11, 301], &x[..part.len()], &mut part).unwrap();
    assert!(whole[..part.len()] == part[..]);
}
