use std::ops::Range;

use proptest::prelude::*;
use taper_graph::Activation;
use taper_kernels::blocked::{Blocked, ChannelSlice, Elementwise, Values, ValuesMut};
use taper_kernels::{Isa, KernelError, activate, activate_backward, softmax, softmax_backward};

use crate::support::{random, wide};

/// What the halo of an output has before, and must have after.
const HALO: f32 = 7.0;

/// Where every element of images `[N, C, H, W]` stands in `layout`, as its definition reads.
fn places(layout: Blocked, images: usize) -> Vec<usize> {
    let mut places = Vec::new();
    for image in 0..images {
        for channel in 0..layout.channels {
            for (row, column) in (0..layout.height).flat_map(|y| (0..layout.width).map(move |x| (y, x))) {
                places.push(image * layout.image() + layout.at(channel / 8, row, column) + channel % 8);
            }
        }
    }
    places
}

/// The elements of every row of pixels, without the halo.
fn rows(layout: Blocked, images: usize) -> impl Iterator<Item = Range<usize>> {
    let lines = (0..layout.blocks()).flat_map(move |block| (0..layout.height).map(move |row| (block, row)));
    (0..images).flat_map(move |image| {
        let starts = lines.clone().map(move |(block, row)| image * layout.image() + layout.at(block, row, 0));
        starts.map(move |start| start..start + layout.width * 8)
    })
}

/// Images `[N, C, H, W]` in `layout`, with zeros around.
pub(crate) fn blocked(layout: Blocked, images: usize, plain: &[f32]) -> Vec<f32> {
    let mut data = vec![0.0; layout.elements(images)];
    places(layout, images).into_iter().zip(plain).for_each(|(at, value)| data[at] = *value);
    data
}

/// An output before a kernel has filled it.
pub(crate) fn unfilled(layout: Blocked, images: usize) -> Vec<f32> {
    let mut data = vec![HALO; layout.elements(images)];
    rows(layout, images).for_each(|row| data[row].fill(f32::NAN));
    data
}

/// The images `[N, C, H, W]` that a kernel has written to what was [`unfilled`]: the halo must be as it was, and the channels
/// beyond the last zero.
pub(crate) fn filled(layout: Blocked, images: usize, data: &[f32]) -> Result<Vec<f32>, TestCaseError> {
    let mut rest = data.to_vec();
    let mut plain = Vec::new();
    for at in places(layout, images) {
        plain.push(data[at]);
        rest[at] = 0.0;
    }
    rows(layout, images).for_each(|row| {
        rest[row.clone()].iter_mut().for_each(|value| *value = if *value == 0.0 { HALO } else { f32::NAN });
    });
    prop_assert!(rest.iter().all(|&value| value == HALO), "the halo or the pads of {:?}: {:?}", layout, rest);
    Ok(plain)
}

/// Sizes of images with few and odd channels, and how many images.
pub(crate) fn sizes() -> impl Strategy<Value = (Blocked, usize)> {
    (1..20usize, 1..10usize, 1..20usize, 0..4usize)
        .prop_map(|(channels, height, width, images)| (Blocked::new([channels, height, width], 0), images))
}

pub(crate) fn len(sizes: Blocked, images: usize) -> usize {
    images * sizes.channels * sizes.pixels()
}

fn near(found: &[f32], expected: &[f32]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        prop_assert!((found - expected).abs() <= 1e-6 * (1.0 + expected.abs()), "{} for {}", found, expected);
    }
    Ok(())
}

proptest! {
    #[test]
    fn packing_follows_the_definition((sizes, images) in sizes(), halo in 0..3usize, seed: u32) {
        let x = random(seed, len(sizes, images));
        let layout = sizes.with_halo(halo);
        let mut packed = vec![f32::NAN; layout.elements(images)];
        layout.pack(&x, &mut packed).unwrap();
        prop_assert_eq!(&packed, &blocked(layout, images, &x));
        let mut unpacked = vec![f32::NAN; x.len()];
        layout.unpack(&packed, &mut unpacked).unwrap();
        prop_assert_eq!(unpacked, x);
    }

    #[test]
    fn repacking_keeps_the_images((sizes, images) in sizes(), halos in [0..3usize, 0..3usize], seed: u32) {
        let x = random(seed, len(sizes, images));
        let [from, to] = halos.map(|halo| sizes.with_halo(halo));
        let mut y = unfilled(to, images);
        let packed = blocked(from, images, &x);
        sizes.repack(images, Values::new(&packed, halos[0]), ValuesMut::new(&mut y, halos[1])).unwrap();
        prop_assert_eq!(filled(to, images, &y)?, x);
    }

    #[test]
    fn functions_of_two_values_match_their_definitions(
        (sizes, images) in sizes(), halos in [0..3usize, 0..3usize, 0..3usize], seed: u32,
    ) {
        let (a, b) = (random(seed, len(sizes, images)), random(seed ^ 1, len(sizes, images)));
        let layouts = halos.map(|halo| sizes.with_halo(halo));
        let (a_data, b_data) = (blocked(layouts[0], images, &a), blocked(layouts[1], images, &b));
        let (a_in, b_in) = (Values::new(&a_data, halos[0]), Values::new(&b_data, halos[1]));
        let pairs = || a.iter().zip(&b);
        for isa in Isa::available() {
            let map = Elementwise::new(sizes, isa);
            let check = |run: &dyn Fn(ValuesMut<'_>) -> Result<(), KernelError>, expected: Vec<f32>| {
                let mut y = unfilled(layouts[2], images);
                run(ValuesMut::new(&mut y, halos[2])).unwrap();
                prop_assert_eq!(filled(layouts[2], images, &y)?, expected);
                Ok(())
            };
            let added = || pairs().map(|(a, b)| a + b);
            check(&|y| map.add(images, a_in, b_in, false, y), added().collect())?;
            check(&|y| map.add(images, a_in, b_in, true, y), added().map(|x| x.max(0.0)).collect())?;
            check(&|y| map.relu(images, a_in, y), a.iter().map(|x| x.max(0.0)).collect())?;
            let masked = || pairs().map(|(&y, &dy)| if y > 0.0 { dy } else { 0.0 });
            check(&|dx| map.relu_backward(images, a_in, b_in, dx), masked().collect())?;
        }
    }

    #[test]
    fn any_function_can_be_mapped((sizes, images) in sizes(), halos in [0..3usize, 0..3usize], seed: u32) {
        let (x, dy) = (random(seed, len(sizes, images)), random(seed ^ 1, len(sizes, images)));
        let layouts = halos.map(|halo| sizes.with_halo(halo));
        let (x_data, dy_data) = (blocked(layouts[0], images, &x), blocked(layouts[0], images, &dy));
        let (x_in, dy_in) = (Values::new(&x_data, halos[0]), Values::new(&dy_data, halos[0]));
        let mut expected = [vec![0.0; x.len()], vec![0.0; x.len()]];
        activate(Activation::Sigmoid, &x, &mut expected[0]).unwrap();
        activate_backward(Activation::Sigmoid, &x, &dy, &mut expected[1]).unwrap();
        let map = Elementwise::new(sizes, Isa::current());
        let mut y = [unfilled(layouts[1], images), unfilled(layouts[1], images)];
        let [y, dx] = &mut y;
        map.map(images, x_in, ValuesMut::new(y, halos[1]), |x, y| {
            activate(Activation::Sigmoid, x, y).unwrap();
        }).unwrap();
        map.map2(images, x_in, dy_in, ValuesMut::new(dx, halos[1]), |x, dy, dx| {
            activate_backward(Activation::Sigmoid, x, dy, dx).unwrap();
        }).unwrap();
        near(&filled(layouts[1], images, y)?, &expected[0])?;
        near(&filled(layouts[1], images, dx)?, &expected[1])?;
    }

    #[test]
    fn softmax_matches_the_plain_kernel(
        (sizes, images) in sizes(), halos in [0..3usize, 0..3usize, 0..3usize], scale in 0.1..100f32, seed: u32,
    ) {
        let x: Vec<f32> = random(seed, len(sizes, images)).iter().map(|x| scale * x).collect();
        let dy = random(seed ^ 1, x.len());
        let plain = [images, sizes.channels, sizes.pixels()];
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        softmax(plain, &x, &mut y).unwrap();
        softmax_backward(plain, &y, &dy, &mut dx).unwrap();
        let layouts = halos.map(|halo| sizes.with_halo(halo));
        for isa in Isa::available() {
            let map = Elementwise::new(sizes, isa);
            let mut found = unfilled(layouts[1], images);
            let from = blocked(layouts[0], images, &x);
            map.softmax(images, Values::new(&from, halos[0]), ValuesMut::new(&mut found, halos[1])).unwrap();
            near(&filled(layouts[1], images, &found)?, &y)?;
            let (y, dy) = (blocked(layouts[0], images, &y), blocked(layouts[1], images, &dy));
            let mut found = unfilled(layouts[2], images);
            let arguments = (Values::new(&y, halos[0]), Values::new(&dy, halos[1]));
            let to = ValuesMut::new(&mut found, halos[2]);
            map.softmax_backward(images, arguments.0, arguments.1, to).unwrap();
            near(&filled(layouts[2], images, &found)?, &dx)?;
        }
    }

    #[test]
    fn concatenation_and_its_gradient(
        channels in prop::collection::vec(prop_oneof![1..20usize, Just(8), Just(16)], 1..5),
        height in 1..4usize, width in 1..6usize, images in 0..3usize, halos in [0..3usize, 0..3usize], seed: u32,
    ) {
        let whole = Blocked::new([channels.iter().sum(), height, width], halos[1]);
        let x = random(seed, len(whole, images));
        // The elements of some channels of each image.
        let part_of = |range: Range<usize>| -> Vec<f32> {
            let image = whole.channels * whole.pixels();
            let pixels = range.start * whole.pixels()..range.end * whole.pixels();
            x.chunks(image).flat_map(|image| image[pixels.clone()].to_vec()).collect()
        };
        for isa in Isa::available() {
            let mut joined = unfilled(whole, images);
            let mut first = 0;
            for channels in &channels {
                let range = first..first + channels;
                first = range.end;
                let slice = ChannelSlice::new(whole, range.clone(), isa).unwrap();
                let layout = slice.part().with_halo(halos[0]);
                let part = blocked(layout, images, &part_of(range.clone()));
                slice.insert(images, Values::new(&part, halos[0]), ValuesMut::new(&mut joined, halos[1])).unwrap();
                let mut found = unfilled(layout, images);
                let from = blocked(whole, images, &x);
                slice.extract(images, Values::new(&from, halos[1]), ValuesMut::new(&mut found, halos[0])).unwrap();
                prop_assert_eq!(filled(layout, images, &found)?, part_of(range));
            }
            prop_assert_eq!(filled(whole, images, &joined)?, x.clone());
        }
    }
}

#[test]
fn relu_keeps_nan_and_gives_it_no_gradient() {
    let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.5, 0.0, 0.5, f32::NAN, 1.0];
    for isa in Isa::available() {
        let map = Elementwise::new(Blocked::new([8, 1, 1], 0), isa);
        let (mut y, mut dx) = ([0.0; 8], [9.0; 8]);
        map.relu(1, x[..].into(), (&mut y[..]).into()).unwrap();
        assert!(y[0].is_nan() && y[6].is_nan());
        assert_eq!(y[1..6], [f32::INFINITY, 0.0, 0.0, 0.0, 0.5]);
        map.relu_backward(1, x[..].into(), [2.0; 8][..].into(), (&mut dx[..]).into()).unwrap();
        assert_eq!(dx, [0.0, 2.0, 0.0, 0.0, 0.0, 2.0, 0.0, 2.0]);
    }
}

#[test]
fn softmax_of_nan_and_infinity_is_as_in_the_plain_kernel() {
    let cases = [
        [f32::NAN, 1.0, 2.0],
        [f32::NEG_INFINITY, 1.0, 2.0],
        [f32::NEG_INFINITY; 3],
        [f32::INFINITY, 1.0, 2.0],
        [-200.0, 0.0, -90.0],
    ];
    for (isa, x) in Isa::available().into_iter().flat_map(|isa| cases.map(|x| (isa, x))) {
        let map = Elementwise::new(Blocked::new([3, 1, 1], 0), isa);
        let (mut y, mut expected) = ([9.0; 8], [0.0; 3]);
        map.softmax(1, blocked(Blocked::new([3, 1, 1], 0), 1, &x)[..].into(), (&mut y[..]).into()).unwrap();
        softmax([1, 3, 1], &x, &mut expected).unwrap();
        for (found, expected) in wide(&y).into_iter().zip(wide(&expected)) {
            let same = found.is_nan() && expected.is_nan() || (found - expected).abs() <= 3e-7;
            assert!(same, "{found} for {expected} of {x:?}");
        }
        assert_eq!(y[3..], [0.0; 5]);
    }
}

#[test]
fn wrong_lengths_and_channels_are_refused() {
    let sizes = Blocked::new([3, 2, 2], 0);
    let map = Elementwise::new(sizes, Isa::current());
    let (x, mut y) = ([0.0; 32], [0.0; 32]);
    assert!(map.relu(2, x[..].into(), (&mut y[..]).into()).is_err());
    assert!(map.relu(1, Values::new(&x, 1), (&mut y[..]).into()).is_err());
    // So many that the product of the sizes would overflow.
    assert!(map.relu(usize::MAX / 16, x[..].into(), (&mut y[..]).into()).is_err());
    assert!(sizes.repack(1, x[..].into(), ValuesMut::new(&mut y, usize::MAX)).is_err());
    for range in [2..2, 2..4, 4..5] {
        assert!(ChannelSlice::new(sizes, range, Isa::current()).is_err());
    }
}
