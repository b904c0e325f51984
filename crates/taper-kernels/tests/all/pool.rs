use proptest::prelude::*;
use taper_graph::{AvgPool2d, MaxPool2d};
use taper_kernels::{PoolGeometry, avg_pool2d, avg_pool2d_backward, max_pool2d, max_pool2d_backward, naive};

use crate::support::{assert_close, distinct, random, wide};

#[derive(Debug, Clone)]
struct Case {
    max: MaxPool2d,
    avg: AvgPool2d,
    batch: usize,
    image: [usize; 3],
}

/// 2×2 windows side by side, which have code of their own, on random sizes.
fn halves() -> impl Strategy<Value = Case> {
    (0..3usize, 1..4usize, 2..14usize, 2..14usize).prop_map(|(batch, channels, h, w)| Case {
        max: MaxPool2d::new(2),
        avg: AvgPool2d::new(2),
        batch,
        image: [channels, h, w],
    })
}

/// Random settings and sizes that fit each other.
fn cases() -> impl Strategy<Value = Case> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let settings = (pair(1..5), pair(1..5), pair(0..3), pair(1..3), any::<bool>(), any::<bool>());
    let sizes = (0..4usize, 1..4usize, pair(1..12));
    (settings, sizes).prop_filter_map("the kernel must fit", |(settings, (batch, channels, [h, w]))| {
        let (kernel, stride, padding, dilation, ceil_mode, count_include_pad) = settings;
        let max = MaxPool2d { kernel, stride, padding, dilation, ceil_mode };
        let avg = AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad };
        let image = [channels, h, w];
        PoolGeometry::max(&max, batch, image).ok()?;
        PoolGeometry::avg(&avg, batch, image).ok()?;
        Some(Case { max, avg, batch, image })
    })
}

proptest! {
    #[test]
    fn max_pooling_matches_the_oracle(case in prop_oneof![3 => cases(), 1 => halves()], seed: u32) {
        let g = PoolGeometry::max(&case.max, case.batch, case.image).unwrap();
        let (x, dy) = (distinct(seed, g.input_len()), random(seed, g.output_len()));
        let (mut y, mut indices) = (vec![f32::NAN; dy.len()], vec![9; dy.len()]);
        max_pool2d(&g, &x, &mut y, &mut indices).unwrap();
        assert_close("y", &y, &naive::max_pool2d(&g, &wide(&x)))?;
        let mut dx = vec![f32::NAN; x.len()];
        max_pool2d_backward(&g, &indices, &dy, &mut dx).unwrap();
        assert_close("dx", &dx, &naive::max_pool2d_backward(&g, &wide(&x), &wide(&dy)))?;
    }

    #[test]
    fn average_pooling_matches_the_oracle(case in cases(), seed: u32) {
        let g = PoolGeometry::avg(&case.avg, case.batch, case.image).unwrap();
        let (x, dy) = (random(seed, g.input_len()), random(seed ^ 1, g.output_len()));
        let mut y = vec![f32::NAN; dy.len()];
        avg_pool2d(&g, &x, &mut y).unwrap();
        assert_close("y", &y, &naive::avg_pool2d(&g, &wide(&x)))?;
        let mut dx = vec![f32::NAN; x.len()];
        avg_pool2d_backward(&g, &dy, &mut dx).unwrap();
        assert_close("dx", &dx, &naive::avg_pool2d_backward(&g, &wide(&dy)))?;
    }
}

#[test]
fn of_equal_values_the_first_gets_the_gradient() {
    let g = PoolGeometry::max(&MaxPool2d::new(2), 1, [1, 2, 4]).unwrap();
    let (mut y, mut indices, mut dx) = ([0.0; 2], [0; 2], [9.0; 8]);
    max_pool2d(&g, &[0.0, 0.0, 1.0, 3.0, 0.0, 0.0, 3.0, 3.0], &mut y, &mut indices).unwrap();
    max_pool2d_backward(&g, &indices, &[1.0, 2.0], &mut dx).unwrap();
    assert_eq!(dx, [1.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn nan_and_infinity_pass_through_max_pooling() {
    let (nan, low, high) = (f32::NAN, f32::NEG_INFINITY, f32::INFINITY);
    let x = [nan, 5.0, low, low, 1.0, high, 9.0, 2.0, low, low, 2.0, 3.0];
    // The same windows by the code for 2×2 windows and, as ceil mode changes nothing here, by the general one.
    for ceil_mode in [false, true] {
        let pool = MaxPool2d { ceil_mode, ..MaxPool2d::new(2) };
        let g = PoolGeometry::max(&pool, 1, [1, 2, 6]).unwrap();
        let (mut y, mut indices) = ([0.0; 3], [0; 3]);
        max_pool2d(&g, &x, &mut y, &mut indices).unwrap();
        assert!(y[0].is_nan() && y[1] == low && y[2] == high, "{y:?}");
        assert_eq!(indices, [0, 2, 5]);
    }
}

#[test]
fn a_window_on_padding_alone_has_no_maximum_and_takes_no_gradient() {
    // Taps at −1 and 3 of an input of 3.
    let pool = MaxPool2d { dilation: [1, 4], padding: [0, 1], ..MaxPool2d::new(2) };
    let g = PoolGeometry::max(&pool, 1, [1, 2, 3]).unwrap();
    let (mut y, mut indices, mut dx) = ([0.0], [0], [9.0; 6]);
    max_pool2d(&g, &[1.0; 6], &mut y, &mut indices).unwrap();
    max_pool2d_backward(&g, &indices, &[1.0], &mut dx).unwrap();
    assert_eq!((y, dx), ([f32::NEG_INFINITY], [0.0; 6]));
}
