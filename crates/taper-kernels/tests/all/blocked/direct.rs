use proptest::prelude::*;
use taper_graph::Conv2d;
use taper_kernels::blocked::{Blocked, DirectConv};
use taper_kernels::{ConvGeometry, Isa, KernelError, naive};

use crate::support::{assert_close, random, wide};

/// Groups, channels of a group, outputs of a group: one group, depthwise, or whole blocks.
fn channels() -> impl Strategy<Value = (usize, usize, usize)> {
    let any = prop_oneof![Just(1usize), Just(3), Just(5), Just(8), Just(9), Just(17), Just(33)];
    let dense = (any.clone(), any.clone()).prop_map(|(read, written)| (1, read, written));
    let depthwise = any.prop_map(|channels| (channels, 1, 1));
    let blocks = (2..4usize, 1..3usize, 1..4usize).prop_map(|(groups, a, b)| (groups, 8 * a, 8 * b));
    prop_oneof![3 => dense, 1 => depthwise, 1 => blocks]
}

/// Random settings and sizes that fit each other, and a halo beyond the necessary.
fn cases() -> impl Strategy<Value = (Conv2d, usize, [usize; 3], usize)> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let settings = (pair(1..5), pair(1..4), pair(0..4), pair(1..3), channels());
    (settings, 0..4usize, pair(1..12), 0..2usize).prop_filter_map("the kernel must fit", |case| {
        let ((kernel, stride, padding, dilation, (groups, read, written)), batch, [height, width], extra) =
            case;
        let out_channels = groups * written;
        let conv = Conv2d { out_channels, kernel, stride, padding, dilation, groups, bias: false };
        let image = [groups * read, height, width];
        ConvGeometry::new(&conv, batch, image).ok().map(|_| (conv, batch, image, extra))
    })
}

/// Stores the planes that are emitted: each exactly once, and zero beyond the last channel.
struct Store {
    layout: Blocked,
    y: Vec<f32>,
    seen: Vec<bool>,
}

impl Store {
    fn new(layout: Blocked, images: usize) -> Self {
        let seen = vec![false; images * layout.blocks()];
        Self { layout, y: vec![f32::NAN; images * layout.image()], seen }
    }

    fn emit(&mut self, image: usize, block: usize, plane: &mut [f32]) {
        let at = image * self.layout.blocks() + block;
        assert!(!std::mem::replace(&mut self.seen[at], true), "emitted twice");
        let lanes = (self.layout.channels - 8 * block).min(8);
        assert!(plane.chunks(8).all(|pixel| pixel[lanes..].iter().all(|x| *x == 0.0)));
        self.y[at * plane.len()..][..plane.len()].copy_from_slice(plane);
        plane.fill(f32::NAN);
    }

    fn plain(self) -> Vec<f32> {
        assert!(self.seen.iter().all(|seen| *seen), "not emitted");
        let mut plain =
            vec![0.0; self.seen.len() / self.layout.blocks() * self.layout.channels * self.layout.pixels()];
        self.layout.unpack(&self.y, &mut plain).unwrap();
        plain
    }
}

/// Output, gradient of the input, gradient of the weight, all in plain layouts.
fn run(conv: &Conv2d, image: [usize; 3], halo: usize, isa: Isa, [x, w, dy]: [&[f32]; 3]) -> [Vec<f32>; 3] {
    let input = Blocked::new(image, halo);
    let direct = DirectConv::new(conv, input, isa).unwrap();
    let images = x.len() / image.iter().product::<usize>();
    let dz_layout = direct.output().with_halo(direct.gradient_halo());
    let (mut blocked, mut dz) = (vec![0.0; images * input.image()], vec![0.0; images * dz_layout.image()]);
    input.pack(x, &mut blocked).unwrap();
    dz_layout.pack(dy, &mut dz).unwrap();
    let mut scratch = vec![f32::NAN; direct.scratch_len()];

    let mut packed = vec![f32::NAN; direct.packed_len()];
    direct.pack(w, &mut packed).unwrap();
    let mut y = Store::new(direct.output(), images);
    direct.forward(images, &blocked, &packed, &mut scratch, &mut |n, b, plane| y.emit(n, b, plane)).unwrap();

    let (mut parts, middle) = (Store::new(direct.output(), images), direct.parts() / 2);
    for own in [middle..direct.parts(), 0..middle] {
        let blocks = direct.part_start(own.start)..direct.part_start(own.end);
        let mut emit = |n: usize, b: usize, plane: &mut [f32]| {
            assert!(blocks.contains(&b));
            parts.emit(n, b, plane);
        };
        direct.forward_parts(own, images, &blocked, &packed, &mut scratch, &mut emit).unwrap();
    }
    assert!(parts.y.iter().zip(&y.y).all(|(part, y)| part.to_bits() == y.to_bits()));

    let mut packed = vec![f32::NAN; direct.backward_packed_len()];
    direct.pack_backward(w, &mut packed).unwrap();
    let mut dx = Store::new(input.with_halo(0), images);
    direct
        .backward_input(images, &dz, &packed, &mut scratch, &mut |n, b, plane| dx.emit(n, b, plane))
        .unwrap();

    // In two sums, as two groups of images would.
    let first = images / 2;
    let mut sums = [vec![0.0; direct.weight_sum_len()], vec![0.0; direct.weight_sum_len()]];
    let (x, x_rest) = blocked.split_at(first * input.image());
    let (dz, dz_rest) = dz.split_at(first * dz_layout.image());
    direct.backward_weight(first, x, dz, &mut sums[0]).unwrap();
    direct.backward_weight(images - first, x_rest, dz_rest, &mut sums[1]).unwrap();
    let mut dweight = vec![f32::NAN; w.len()];
    direct.unpack_weight_sum(&[&sums[0], &sums[1]], &mut dweight).unwrap();
    [y.plain(), dx.plain(), dweight]
}

/// Compares with the oracle on every instruction set.
fn matches_oracle(
    conv: &Conv2d,
    batch: usize,
    image: [usize; 3],
    extra: usize,
    seed: u32,
) -> Result<(), TestCaseError> {
    let g = ConvGeometry::new(conv, batch, image).unwrap();
    let (x, w) = (random(seed, g.input_len()), random(seed ^ 1, g.weight_len()));
    let dy = random(seed ^ 2, g.output_len());
    let expected_y = naive::conv2d(&g, &wide(&x), &wide(&w), None);
    let [expected_dx, expected_dw, _] = naive::conv2d_backward(&g, &wide(&x), &wide(&w), &wide(&dy));
    for isa in Isa::available() {
        let [y, dx, dw] = run(conv, image, DirectConv::halo(conv) + extra, isa, [&x, &w, &dy]);
        assert_close("y", &y, &expected_y)?;
        assert_close("dx", &dx, &expected_dx)?;
        assert_close("dweight", &dw, &expected_dw)?;
    }
    Ok(())
}

proptest! {
    #[test]
    fn direct_convolution_and_its_gradients_match_the_oracle((conv, batch, image, extra) in cases(), seed: u32) {
        matches_oracle(&conv, batch, image, extra, seed)?;
    }
}

/// Every number of pixels modulo the tile, more taps than one pass, more pixels than one part of the weight gradient.
#[test]
fn direct_convolution_of_particular_sizes() {
    let same = |out| Conv2d::new(out, 3).padding(1);
    let cases = [
        (same(17), 1, [40, 3, 4]),
        (Conv2d::new(9, 1), 2, [300, 2, 2]),
        (same(32), 1, [1, 28, 28]),
        (same(8), 5, [3, 7, 7]),
        (Conv2d::new(16, 7).padding(3).stride(2), 1, [3, 32, 32]),
        (Conv2d::new(8, 1).padding(1).stride(2), 1, [2, 1, 1]),
        (Conv2d::new(24, 4).stride(4), 2, [3, 16, 16]),
        (Conv2d { groups: 20, ..Conv2d::new(20, 5).padding(2).stride(2) }, 2, [20, 17, 15]),
    ];
    for (at, (conv, batch, image)) in cases.into_iter().enumerate() {
        matches_oracle(&conv, batch, image, 0, at as u32).unwrap_or_else(|error| panic!("{conv:?}: {error}"));
    }
    for width in 1..50 {
        matches_oracle(&Conv2d::new(9, 1), 1, [2, 1, width], 0, 7).unwrap();
    }
}

#[test]
fn direct_nan_and_infinity_reach_what_sees_them() {
    for isa in Isa::available() {
        for value in [f32::NAN, f32::INFINITY] {
            let (mut x, dy) = ([1.0; 25], [1.0; 50]);
            x[0] = value;
            let conv = Conv2d::new(2, 3).padding(1);
            let [y, dx, dw] = run(&conv, [1, 5, 5], 1, isa, [&x, &[1.0; 18], &dy]);
            let lost = |y: &[f32]| (0..y.len()).filter(|&at| !y[at].is_finite()).collect::<Vec<_>>();
            assert_eq!(lost(&y), [0, 1, 5, 6, 25, 26, 30, 31]);
            assert!(lost(&dx).is_empty());
            assert_eq!(lost(&dw), [0, 1, 3, 4, 9, 10, 12, 13]);
        }
    }
}

#[test]
fn direct_groups_that_are_not_whole_blocks_are_refused() {
    let new =
        |conv: Conv2d, channels| DirectConv::new(&conv, Blocked::new([channels, 4, 4], 0), Isa::current());
    assert!(new(Conv2d { groups: 2, ..Conv2d::new(8, 1) }, 8).is_none());
    assert!(new(Conv2d { groups: 4, ..Conv2d::new(8, 1) }, 4).is_none());
    assert!(new(Conv2d { groups: 2, ..Conv2d::new(16, 1) }, 32).is_some());
    assert!(new(Conv2d::new(4, 5), 8).is_none());
}

#[test]
fn direct_wrong_lengths_are_refused() {
    let conv = Conv2d::new(3, 3).padding(1);
    let direct = DirectConv::new(&conv, Blocked::new([2, 4, 4], 1), Isa::current()).unwrap();
    let (image, plane, scratch) = (8 * 36, 8 * 36, direct.scratch_len());
    let (zeros, packed) = ([0.0; 600], direct.packed_len());
    let forward = |x: usize, w: usize, s: usize| {
        direct.forward(2, &vec![0.0; x], &vec![0.0; w], &mut vec![0.0; s], &mut |_, _, _| ())
    };
    let refused = |result: Result<(), KernelError>| matches!(result, Err(KernelError::Length { .. }));
    assert!(forward(2 * image, packed, scratch).is_ok());
    assert!(refused(forward(2 * image - 1, packed, scratch)));
    assert!(refused(forward(2 * image, packed + 1, scratch)));
    assert!(refused(forward(2 * image, packed, scratch - 1)));
    let mut sum = vec![0.0; direct.weight_sum_len()];
    assert!(direct.backward_weight(1, &zeros[..image], &zeros[..plane], &mut sum).is_ok());
    assert!(refused(direct.backward_weight(1, &zeros[..image], &zeros[..plane - 1], &mut sum)));
    assert!(refused(direct.backward_weight(2, &zeros[..image], &zeros[..plane], &mut sum)));
    assert!(refused(direct.backward_weight(1, &zeros[..image], &zeros[..plane], &mut sum[1..])));
    assert!(refused(direct.unpack_weight_sum(&[&sum[1..]], &mut [0.0; 54])));
    assert!(refused(direct.unpack_weight_sum(&[&sum], &mut [0.0; 53])));
    assert!(refused(direct.pack(&[0.0; 53], &mut vec![0.0; packed])));
    assert!(refused(direct.pack_backward(&[0.0; 54], &mut [0.0; 1])));
    let mut space = vec![0.0; scratch];
    let backward = vec![0.0; direct.backward_packed_len()];
    assert!(direct.backward_input(1, &zeros[..plane], &backward, &mut space, &mut |_, _, _| ()).is_ok());
    assert!(refused(direct.backward_input(0, &zeros[..plane], &backward, &mut space, &mut |_, _, _| ())));
}
