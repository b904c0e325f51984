//! Random changes to training images.

use std::num::NonZeroUsize;

use proptest::prelude::*;
use taper_data::synthetic::{Part, digits};
use taper_data::{Augment, Batches, Draw, shift_into};

fn all() -> Augment {
    Augment {
        shift: 2,
        rotation: 15.0,
        scale: 0.1,
        shear: 5.0,
        elastic: 1.0,
        cutout: 3,
        ..Augment::default()
    }
}

fn draw(image: u64) -> Draw {
    Draw { seed: 1, epoch: 2, image }
}

/// A bright disc in the middle of 29×29 pixels.
fn disc() -> Vec<u8> {
    let inside = |pixel: usize| {
        let (row, column) = (pixel as i32 / 29 - 14, pixel as i32 % 29 - 14);
        row * row + column * column <= 36
    };
    (0..29 * 29).map(|pixel| if inside(pixel) { 255 } else { 0 }).collect()
}

fn changed(augment: Augment, image: &[u8], draw: Draw) -> Vec<f32> {
    let mut changed = vec![f32::NAN; image.len()];
    augment.apply(image, [1, 29, 29], draw, &mut changed);
    changed
}

/// Sum, centre along x and y, and spread along x and y, of brightness.
fn moments(image: &[f32]) -> [f64; 5] {
    let sum: f64 = image.iter().map(|&value| f64::from(value)).sum();
    let mean = |of: &dyn Fn(usize) -> f64| {
        image.iter().enumerate().map(|(pixel, &value)| of(pixel) * f64::from(value)).sum::<f64>() / sum
    };
    let (x, y) = (mean(&|pixel| (pixel % 29) as f64), mean(&|pixel| (pixel / 29) as f64));
    let spread_x = mean(&|pixel| ((pixel % 29) as f64 - x).powi(2)).sqrt();
    let spread_y = mean(&|pixel| ((pixel / 29) as f64 - y).powi(2)).sqrt();
    [sum, x, y, spread_x, spread_y]
}

#[test]
fn a_shift_moves_whole_pixels_as_often_to_every_side() {
    let mut point = vec![0u8; 29 * 29];
    point[14 * 29 + 14] = 255;
    let mut places = std::collections::BTreeMap::<usize, usize>::new();
    for image in 0..5000 {
        let image = changed(Augment { shift: 2, ..Augment::default() }, &point, draw(image));
        let lit: Vec<usize> = (0..image.len()).filter(|&pixel| image[pixel] != 0.0).collect();
        assert_eq!((lit.len(), image[lit[0]]), (1, 1.0));
        *places.entry(lit[0]).or_default() += 1;
    }
    assert_eq!(places.len(), 25);
    for (place, count) in places {
        let (row, column) = (place / 29, place % 29);
        assert!((12..=16).contains(&row) && (12..=16).contains(&column), "{row} {column}");
        assert!((130..=270).contains(&count), "{row} {column}: {count} of 5000");
    }
}

#[test]
fn rotation_keeps_a_disc_and_turns_a_line() {
    let (disc, rotation) = (disc(), Augment { rotation: 90.0, ..Augment::default() });
    let [sum, x, y, ..] = moments(&changed(Augment::default(), &disc, draw(0)));
    let mut line = vec![0u8; 29 * 29];
    line[14 * 29 + 5..14 * 29 + 24].fill(255);
    let mut angles = Vec::new();
    for image in 0..50 {
        let turned = moments(&changed(rotation, &disc, draw(image)));
        assert!((turned[0] - sum).abs() < 0.02 * sum, "{turned:?}");
        assert!((turned[1] - x).abs() < 0.1 && (turned[2] - y).abs() < 0.1, "{turned:?}");
        let [_, _, _, across, along] = moments(&changed(rotation, &line, draw(image)));
        angles.push(along.atan2(across).to_degrees());
    }
    let (least, most) = angles.iter().fold((90.0f64, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
    assert!(least < 10.0 && most > 80.0, "{least} to {most} degrees");
}

#[test]
fn scale_and_shear_stay_within_their_bounds_and_reach_them() {
    let disc = disc();
    let before = moments(&changed(Augment::default(), &disc, draw(0)));
    let (scale, shear) =
        (Augment { scale: 0.2, ..Augment::default() }, Augment { shear: 30.0, ..Augment::default() });
    let (mut sizes, mut leanings) = (Vec::new(), Vec::new());
    for image in 0..200 {
        let grown = moments(&changed(scale, &disc, draw(image)));
        sizes.push(grown[3] / before[3]);
        assert!((grown[3] - grown[4]).abs() < 0.05 * before[3], "{grown:?}");
        let leaning = moments(&changed(shear, &disc, draw(image)));
        // x' = x + tan(a)·y makes the variance along x grow by 1 + tan²(a).
        leanings.push((leaning[3] / before[3]).powi(2) - 1.0);
        assert!((leaning[4] / before[4] - 1.0).abs() < 0.05, "{leaning:?}");
    }
    let bounds = |values: &[f64]| values.iter().fold((9.0f64, 0.0f64), |(a, b), &x| (a.min(x), b.max(x)));
    let (small, large) = bounds(&sizes);
    assert!((0.78..0.85).contains(&small) && (1.15..1.22).contains(&large), "{small} to {large}");
    let (upright, most) = bounds(&leanings);
    let tangent = 30f64.to_radians().tan().powi(2);
    assert!(upright < 0.03 && (0.8 * tangent..1.15 * tangent).contains(&most), "{upright} to {most}");
}

#[test]
fn elastic_distortion_moves_a_disc_and_strength_decides_how_far() {
    let disc = disc();
    let moved = |elastic: f64| {
        let augment = Augment { elastic, ..Augment::default() };
        let far = |image| {
            let [_, x, y, ..] = moments(&changed(augment, &disc, draw(image)));
            (x - 14.0).powi(2) + (y - 14.0).powi(2)
        };
        ((0..200).map(far).sum::<f64>() / 400.0).sqrt()
    };
    let (weak, strong) = (moved(0.5), moved(2.0));
    // The disc is larger than what moves alike, so its centre moves less than its pixels do.
    assert!((0.2..0.5).contains(&weak) && (0.8..2.0).contains(&strong), "{weak} and {strong}");
}

#[test]
fn cutout_paints_one_square_black() {
    let white = vec![255u8; 29 * 29];
    let mut cut_off = 0;
    for image in 0..300 {
        let image = changed(Augment { cutout: 6, ..Augment::default() }, &white, draw(image));
        let black: Vec<usize> = (0..image.len()).filter(|&pixel| image[pixel] == 0.0).collect();
        let (rows, columns): (std::collections::BTreeSet<_>, std::collections::BTreeSet<_>) =
            black.iter().map(|pixel| (pixel / 29, pixel % 29)).unzip();
        assert_eq!(black.len(), rows.len() * columns.len());
        assert!((3..=6).contains(&rows.len()) && (3..=6).contains(&columns.len()), "{rows:?} {columns:?}");
        cut_off += usize::from(black.len() < 36);
    }
    assert!((20..200).contains(&cut_off), "{cut_off} of 300 reach over the edge");
}

#[test]
fn every_image_of_every_epoch_is_another_and_the_same_draw_is_the_same() {
    let disc = disc();
    let one = changed(all(), &disc, draw(0));
    assert_eq!(one, changed(all(), &disc, draw(0)));
    for other in [draw(1), Draw { epoch: 3, ..draw(0) }, Draw { seed: 2, ..draw(0) }] {
        assert_ne!(one, changed(all(), &disc, other));
    }
}

#[test]
fn batches_are_the_same_on_any_number_of_threads_and_in_the_order_of_plain_ones() {
    let data = digits(70, 3, Part::Train);
    let size = NonZeroUsize::new(32).unwrap();
    let pass = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let mut batches = Batches::augmented(&data, size, 5, 2, &all());
        let (mut images, mut labels) = (Vec::new(), Vec::new());
        let (mut all_images, mut all_labels) = (Vec::new(), Vec::new());
        while pool.install(|| batches.next_into(&mut images, &mut labels).unwrap()) {
            all_images.extend_from_slice(&images);
            all_labels.extend_from_slice(&labels);
        }
        (all_images, all_labels)
    };
    let (images, labels) = pass(1);
    assert_eq!((images.len(), labels.len()), (70 * 784, 70));
    for threads in [2, 8] {
        assert_eq!(pass(threads), (images.clone(), labels.clone()));
    }
    let (mut plain, mut plain_labels) = (Vec::new(), Vec::new());
    Batches::shuffled(&data, NonZeroUsize::new(70).unwrap(), 5, 2)
        .next_into(&mut plain, &mut plain_labels)
        .unwrap();
    assert_eq!(labels, plain_labels);
    assert_ne!(images, plain);
    let off = Augment::default();
    let mut batches = Batches::augmented(&data, NonZeroUsize::new(70).unwrap(), 5, 2, &off);
    let (mut same, mut labels) = (Vec::new(), Vec::new());
    batches.next_into(&mut same, &mut labels).unwrap();
    assert_eq!(same, plain);
}

#[test]
fn the_bits_are_those_of_every_machine() {
    let image: Vec<u8> = (0..2 * 9 * 7).map(|place| (place * 89 % 256) as u8).collect();
    let mut bits = 0xcbf2_9ce4_8422_2325u64; // FNV-1a
    for number in 0..20 {
        let mut changed = vec![0.0; image.len()];
        all().apply(&image, [2, 9, 7], draw(number), &mut changed);
        for value in changed {
            for byte in value.to_le_bytes() {
                bits = (bits ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
            }
        }
    }
    assert_eq!(bits, 0xa663_acaa_42b1_1149, "{bits:#x}");
}

#[test]
fn every_setting_out_of_bounds_is_named() {
    let off = Augment::default();
    let cases = [
        (Augment { shift: 2_000_000, ..off }, "augment.shift"),
        (Augment { rotation: -1.0, ..off }, "augment.rotation"),
        (Augment { scale: 1.0, ..off }, "augment.scale"),
        (Augment { shear: 90.0, ..off }, "augment.shear"),
        (Augment { elastic: f64::NAN, ..off }, "augment.elastic"),
        (Augment { elastic_sigma: 0.0, ..off }, "augment.elastic_sigma"),
        (Augment { cutout: usize::MAX, ..off }, "augment.cutout"),
    ];
    for (augment, name) in cases {
        assert_eq!(augment.refused().unwrap().0, name);
    }
    assert_eq!(all().refused(), None);
}

proptest! {
    #[test]
    fn brightness_stays_in_bounds_and_nothing_fails(
        shape in (1usize..4, 1usize..13, 1usize..13),
        strengths in prop::collection::vec(0.0f64..=1.0, 7),
        image in any::<u64>(),
    ) {
        let (channels, height, width) = shape;
        let augment = Augment {
            shift: (strengths[0] * 20.0) as usize,
            rotation: strengths[1] * 180.0,
            scale: strengths[2] * 0.9,
            shear: strengths[3] * 80.0,
            elastic: strengths[4] * 50.0,
            elastic_sigma: 0.5 + 20.0 * strengths[5],
            cutout: (strengths[6] * 20.0) as usize,
        };
        prop_assert_eq!(augment.refused(), None);
        let bytes: Vec<u8> = (0..channels * height * width).map(|place| (place * 31 % 256) as u8).collect();
        let mut changed = vec![f32::NAN; bytes.len()];
        augment.apply(&bytes, [channels, height, width], draw(image), &mut changed);
        prop_assert!(changed.iter().all(|value| (-1e-6..=1.000_001).contains(value)), "{changed:?}");
    }

    #[test]
    fn a_shift_is_what_its_definition_says(
        shape in (1usize..3, 1usize..8, 1usize..8),
        x in -9isize..9,
        y in -9isize..9,
    ) {
        let (channels, height, width) = shape;
        let bytes: Vec<u8> = (0..channels * height * width).map(|place| (place * 7 % 256) as u8).collect();
        let mut shifted = vec![f32::NAN; bytes.len()];
        shift_into(&bytes, [channels, height, width], [x, y], &mut shifted);
        for (place, &value) in shifted.iter().enumerate() {
            let (channel, row, column) = (place / (height * width), place / width % height, place % width);
            let (from_row, from_column) = (row as isize - y, column as isize - x);
            let inside = (0..height as isize).contains(&from_row) && (0..width as isize).contains(&from_column);
            let from = channel * height * width + (from_row * width as isize + from_column).max(0) as usize;
            let expected = if inside { f32::from(bytes[from]) / 255.0 } else { 0.0 };
            prop_assert_eq!(value, expected);
        }
    }
}
