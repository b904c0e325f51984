use proptest::prelude::*;
use taper_graph::{AvgPool2d, MaxPool2d};
use taper_kernels::blocked::{Blocked, BlockedAvgPool, BlockedMaxPool, Values, ValuesMut};
use taper_kernels::{Isa, PoolGeometry, max_pool2d, max_pool2d_backward, naive};

use crate::blocked_elementwise::{blocked, filled, len, unfilled};
use crate::support::{assert_close, random, wide};

#[derive(Debug, Clone)]
struct Case {
    max: MaxPool2d,
    avg: AvgPool2d,
    images: usize,
    sizes: Blocked,
    halos: [usize; 2],
}

/// Random settings and sizes that fit each other.
fn cases() -> impl Strategy<Value = Case> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let settings = (pair(1..5), pair(1..5), pair(0..3), pair(1..3), any::<bool>(), any::<bool>());
    let sizes = (0..4usize, 1..20usize, pair(1..12), pair(0..3));
    (settings, sizes).prop_filter_map(
        "the kernel must fit",
        |(settings, (images, channels, [h, w], halos))| {
            let (kernel, stride, padding, dilation, ceil_mode, count_include_pad) = settings;
            let max = MaxPool2d { kernel, stride, padding, dilation, ceil_mode };
            let avg = AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad };
            PoolGeometry::max(&max, images, [channels, h, w]).ok()?;
            PoolGeometry::avg(&avg, images, [channels, h, w]).ok()?;
            Some(Case { max, avg, images, sizes: Blocked::new([channels, h, w], 0), halos })
        },
    )
}

fn image(sizes: Blocked) -> [usize; 3] {
    [sizes.channels, sizes.height, sizes.width]
}

/// Max pooling forward and backward against the plain kernel, which must agree to the last bit, and NaN for NaN.
fn check_max(case: &Case, x: &[f32], seed: u32) -> Result<(), TestCaseError> {
    let &Case { images, sizes, halos, .. } = case;
    let g = PoolGeometry::max(&case.max, images, image(sizes)).unwrap();
    let dy = random(seed, g.output_len());
    let (mut y, mut indices, mut dx) = (vec![0.0; dy.len()], vec![0; dy.len()], vec![0.0; x.len()]);
    max_pool2d(&g, x, &mut y, &mut indices).unwrap();
    max_pool2d_backward(&g, &indices, &dy, &mut dx).unwrap();
    for isa in Isa::available() {
        let pool = BlockedMaxPool::new(&case.max, sizes, isa).unwrap();
        let (from, to) = (sizes.with_halo(halos[0]), pool.output().with_halo(halos[1]));
        let (data, mut found) = (blocked(from, images, x), unfilled(to, images));
        let mut codes = vec![9; pool.codes_len(images)];
        let arguments = Values::new(&data, halos[0]);
        pool.forward(images, arguments, ValuesMut::new(&mut found, halos[1]), Some(&mut codes)).unwrap();
        let bits = |data: &[f32]| -> Vec<u32> { data.iter().map(|x| x.to_bits()).collect() };
        prop_assert_eq!(bits(&filled(to, images, &found)?), bits(&y));
        found = unfilled(to, images);
        pool.forward(images, arguments, ValuesMut::new(&mut found, halos[1]), None).unwrap();
        prop_assert_eq!(bits(&filled(to, images, &found)?), bits(&y));
        let (data, mut found) = (blocked(to, images, &dy), unfilled(from, images));
        let target = ValuesMut::new(&mut found, halos[0]);
        pool.backward(images, &codes, Values::new(&data, halos[1]), target).unwrap();
        prop_assert_eq!(filled(from, images, &found)?, dx.clone());
    }
    Ok(())
}

proptest! {
    #[test]
    fn max_pooling_matches_the_plain_kernel(case in cases(), seed: u32) {
        let x = random(seed, len(case.sizes, case.images));
        check_max(&case, &x, seed)?;
        // Few different values: many ties, NaN among them.
        let coarse: Vec<f32> = x.iter().map(|x| if *x > 0.9 { f32::NAN } else { (x * 3.0).round() }).collect();
        check_max(&case, &coarse, seed)?;
    }

    #[test]
    fn average_pooling_matches_the_oracle(case in cases(), seed: u32) {
        let Case { images, sizes, halos, .. } = case;
        let g = PoolGeometry::avg(&case.avg, images, image(sizes)).unwrap();
        let (x, dy) = (random(seed, g.input_len()), random(seed ^ 1, g.output_len()));
        let expected = [naive::avg_pool2d(&g, &wide(&x)), naive::avg_pool2d_backward(&g, &wide(&dy))];
        for isa in Isa::available() {
            let pool = BlockedAvgPool::new(&case.avg, sizes, isa).unwrap();
            check_avg(&pool, images, [&x, &dy], [sizes.with_halo(halos[0]), pool.output().with_halo(halos[1])], &expected)?;
        }
    }

    #[test]
    fn the_mean_of_each_channel_matches_the_oracle(
        channels in 1..20usize, height in 1..40usize, width in 1..40usize, images in 0..3usize, halo in 0..2usize,
        seed: u32,
    ) {
        let sizes = Blocked::new([channels, height, width], halo);
        let (x, dy) = (random(seed, len(sizes, images)), random(seed ^ 1, images * channels));
        let pixels = sizes.pixels() as f64;
        let y = wide(&x).chunks(sizes.pixels()).map(|plane| plane.iter().sum::<f64>() / pixels).collect();
        let dx = wide(&dy).iter().flat_map(|dy| vec![dy / pixels; sizes.pixels()]).collect();
        for isa in Isa::available() {
            let pool = BlockedAvgPool::global(sizes, isa).unwrap();
            prop_assert_eq!(pool.output(), Blocked::new([channels, 1, 1], 0));
            check_avg(&pool, images, [&x, &dy], [sizes, pool.output()], &[Vec::clone(&y), Vec::clone(&dx)])?;
        }
    }
}

fn check_avg(
    pool: &BlockedAvgPool,
    images: usize,
    [x, dy]: [&[f32]; 2],
    [from, to]: [Blocked; 2],
    [y, dx]: &[Vec<f64>; 2],
) -> Result<(), TestCaseError> {
    let (data, mut found) = (blocked(from, images, x), unfilled(to, images));
    pool.forward(images, Values::new(&data, from.halo), ValuesMut::new(&mut found, to.halo)).unwrap();
    assert_close("y", &filled(to, images, &found)?, y)?;
    let (data, mut found) = (blocked(to, images, dy), unfilled(from, images));
    pool.backward(images, Values::new(&data, to.halo), ValuesMut::new(&mut found, from.halo)).unwrap();
    assert_close("dx", &filled(from, images, &found)?, dx)
}

/// More taps than one byte counts.
#[test]
fn large_windows_have_wide_codes() {
    for kernel in [15, 16] {
        let case = Case {
            max: MaxPool2d::new(kernel),
            avg: AvgPool2d::new(2),
            images: 2,
            sizes: Blocked::new([9, 17, 35], 0),
            halos: [1, 0],
        };
        let pool = BlockedMaxPool::new(&case.max, case.sizes, Isa::current()).unwrap();
        assert_eq!(pool.code_bytes(), if kernel == 15 { 1 } else { 4 });
        check_max(&case, &random(3, len(case.sizes, 2)), 5).unwrap();
    }
}

#[test]
fn a_window_on_padding_alone_has_no_maximum_and_takes_no_gradient() {
    // Taps at −1 and 3 of an input of 3.
    let max = MaxPool2d { dilation: [1, 4], padding: [0, 1], ..MaxPool2d::new(2) };
    let case =
        Case { max, avg: AvgPool2d::new(1), images: 1, sizes: Blocked::new([3, 2, 3], 0), halos: [0, 1] };
    check_max(&case, &[1.0; 18], 1).unwrap();
}

#[test]
fn wrong_lengths_are_refused() {
    let pool = BlockedMaxPool::new(&MaxPool2d::new(2), Blocked::new([3, 2, 2], 0), Isa::current()).unwrap();
    let (x, mut y, mut codes) = ([0.0; 32], [0.0; 8], [0; 8]);
    assert!(pool.forward(1, x[..].into(), (&mut y[..]).into(), Some(&mut codes[1..])).is_err());
    assert!(pool.forward(1, x[1..].into(), (&mut y[..]).into(), None).is_err());
    assert!(pool.forward(2, x[..].into(), (&mut y[..]).into(), None).is_err());
    assert!(pool.backward(1, &codes[1..], y[..].into(), (&mut [0.0; 32][..]).into()).is_err());
}
