use proptest::prelude::*;
use taper_kernels::blocked::{Blocked, BlockedNorm, Values, ValuesMut};
use taper_kernels::{
    BatchNormGeometry, BatchStatistics, Isa, batch_norm_backward, batch_norm_eval, batch_norm_eval_backward,
    batch_norm_train,
};

use crate::blocked_elementwise::{blocked, filled, len, sizes, unfilled};
use crate::support::random;

const EPS: f64 = 1e-5;

fn geometry(sizes: Blocked, batch: usize) -> BatchNormGeometry {
    BatchNormGeometry { batch, channels: sizes.channels, pixels: sizes.pixels() }
}

fn none() -> BatchStatistics {
    BatchStatistics { mean: Vec::new(), variance: Vec::new() }
}

fn near(what: &str, found: &[f32], expected: &[f32], tolerance: f32) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let close = (found - expected).abs() <= tolerance * (1.0 + expected.abs());
        prop_assert!(close, "{}: {} for {}", what, found, expected);
    }
    Ok(())
}

/// The sums of a batch that is cut into groups of up to `group` images.
fn groups(images: usize, group: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    (0..images).step_by(group).map(move |first| (first, group.min(images - first)))
}

/// Statistics of a whole batch by groups.
fn statistics(
    norm: &BlockedNorm,
    layout: Blocked,
    [images, group]: [usize; 2],
    x: &[f32],
) -> BatchStatistics {
    let sums: Vec<(usize, Vec<f64>)> = groups(images, group)
        .map(|(first, count)| {
            let mut sums = vec![f64::NAN; norm.sums_len()];
            let x = &x[layout.elements(first)..layout.elements(first + count)];
            norm.sums(count, Values::new(x, layout.halo), &mut sums).unwrap();
            (count, sums)
        })
        .collect();
    let mut statistics = none();
    norm.merge(sums.iter().map(|(count, sums)| (*count, &sums[..])), &mut statistics).unwrap();
    statistics
}

proptest! {
    #[test]
    fn training_matches_the_definition_and_the_plain_kernel(
        (sizes, images) in sizes(), more in 1..3usize, group in 1..4usize, halos in [0..3usize, 0..3usize],
        offset in prop_oneof![Just(0f32), Just(300.0), Just(-1e4)], relu: bool, add: bool, seed: u32,
    ) {
        let images = images + more;
        prop_assume!(images * sizes.pixels() > 1);
        let g = geometry(sizes, images);
        let x: Vec<f32> = random(seed, len(sizes, images)).iter().map(|x| x + offset).collect();
        let (residual, dy) = (random(seed ^ 1, x.len()), random(seed ^ 2, x.len()));
        let (weight, bias) = (random(seed ^ 3, sizes.channels), random(seed ^ 4, sizes.channels));
        let mut y = vec![0.0; x.len()];
        let expected = batch_norm_train(g, &x, [&weight, &bias], EPS, &mut y).unwrap();
        // From the definition: the plain kernel rounds the mean to f32, which tells where the mean is large and the
        // deviation small.
        for (at, y) in y.iter_mut().enumerate() {
            let channel = at / sizes.pixels() % sizes.channels;
            let scale = f64::from(weight[channel]) / (expected.variance[channel] + EPS).sqrt();
            let normed = (f64::from(x[at]) - expected.mean[channel]) * scale + f64::from(bias[channel]);
            let value = normed + if add { f64::from(residual[at]) } else { 0.0 };
            *y = if relu { value.max(0.0) } else { value } as f32;
        }
        let masked: Vec<f32> =
            dy.iter().zip(&y).map(|(dy, y)| if relu && *y <= 0.0 { 0.0 } else { *dy }).collect();
        let mut dx = vec![0.0; x.len()];
        let [dweight, dbias] = batch_norm_backward(g, &x, &weight, &expected, EPS, &masked, &mut dx).unwrap();
        let layouts = halos.map(|halo| sizes.with_halo(halo));
        for isa in Isa::available() {
            let norm = BlockedNorm::new(sizes, isa);
            let x_data = blocked(layouts[0], images, &x);
            let found = statistics(&norm, layouts[0], [images, group], &x_data);
            for channel in 0..sizes.channels {
                prop_assert!((found.mean[channel] - expected.mean[channel]).abs() < 1e-9);
                let off = found.variance[channel] - expected.variance[channel];
                prop_assert!(off.abs() <= 1e-11 * expected.variance[channel] + 1e-13, "{}", off);
            }
            let mut affine = vec![f32::NAN; norm.affine_len()];
            norm.affine(&found, [&weight, &bias], EPS, &mut affine).unwrap();
            let x_in = Values::new(&x_data, halos[0]);
            let residual_data = blocked(layouts[1], images, &residual);
            let added = add.then_some(Values::new(&residual_data, halos[1]));
            let mut out = unfilled(layouts[1], images);
            norm.apply(images, x_in, &affine, added, relu, ValuesMut::new(&mut out, halos[1])).unwrap();
            near("y", &filled(layouts[1], images, &out)?, &y, 2e-6)?;

            // The mask of the plain kernel's own output: rounding may say otherwise where it is next to 0.
            let (y_data, dy_data) = (blocked(layouts[1], images, &y), blocked(sizes, images, &dy));
            let mask = relu.then_some(Values::new(&y_data, halos[1]));
            let sums: Vec<Vec<f64>> = groups(images, group).map(|(first, count)| {
                let part = |layout: Blocked| layout.elements(first)..layout.elements(first + count);
                let mut sums = vec![f64::NAN; norm.sums_len()];
                let x_in = Values::new(&x_data[part(layouts[0])], halos[0]);
                let mask = relu.then_some(Values::new(&y_data[part(layouts[1])], halos[1]));
                norm.backward_sums(count, x_in, &found, mask, dy_data[part(sizes)].into(), &mut sums).unwrap();
                sums
            }).collect();
            let mut gradients = [vec![f32::NAN; sizes.channels], vec![f32::NAN; sizes.channels]];
            let [dw, db] = &mut gradients;
            let mut affine = vec![f32::NAN; norm.backward_affine_len()];
            let sums = sums.iter().map(|sums| &sums[..]);
            norm.backward_merge(sums, Some(images), &found, &weight, EPS, [dw, db], &mut affine).unwrap();
            near("dweight", dw, &dweight, 1e-6)?;
            near("dbias", db, &dbias, 1e-6)?;
            let mut out = unfilled(layouts[1], images);
            let to = ValuesMut::new(&mut out, halos[1]);
            norm.backward_apply(images, x_in, &affine, mask, dy_data[..].into(), to).unwrap();
            // Relative to weight/std·dy: of two values, for one, the terms cancel almost wholly.
            let scaled = |dx: &[f32]| -> Vec<f32> {
                let scale = |channel: usize| f64::from(weight[channel]) / (expected.variance[channel] + EPS).sqrt();
                let channels = (0..dx.len()).map(|at| at / sizes.pixels() % sizes.channels);
                dx.iter().zip(channels).map(|(dx, channel)| dx / scale(channel) as f32).collect()
            };
            near("dx", &scaled(&filled(layouts[1], images, &out)?), &scaled(&dx), 1e-6)?;
        }
    }

    #[test]
    fn evaluation_matches_the_plain_kernel((sizes, images) in sizes(), seed: u32) {
        let g = geometry(sizes, images);
        let (x, dy) = (random(seed, len(sizes, images)), random(seed ^ 1, len(sizes, images)));
        let parameters = [2, 3, 4, 5].map(|which| random(seed ^ which, sizes.channels));
        let variance: Vec<f32> = parameters[3].iter().map(|x| x.abs() + 0.1).collect();
        let [weight, bias, mean, _] = &parameters;
        let (mut y, mut dx) = (vec![0.0; x.len()], vec![0.0; x.len()]);
        batch_norm_eval(g, &x, [weight, bias, mean, &variance], EPS, &mut y).unwrap();
        let [dweight, dbias] =
            batch_norm_eval_backward(g, &x, weight, [mean, &variance], EPS, &dy, &mut dx).unwrap();
        let wide = |values: &[f32]| values.iter().map(|&value| f64::from(value)).collect();
        let running = BatchStatistics { mean: wide(mean), variance: wide(&variance) };
        for isa in Isa::available() {
            let norm = BlockedNorm::new(sizes, isa);
            let (x, dy) = (blocked(sizes, images, &x), blocked(sizes, images, &dy));
            let (mut affine, mut out) = (vec![0.0; norm.affine_len()], unfilled(sizes, images));
            norm.affine(&running, [weight, bias], EPS, &mut affine).unwrap();
            norm.apply(images, x[..].into(), &affine, None, false, (&mut out[..]).into()).unwrap();
            near("y", &filled(sizes, images, &out)?, &y, 2e-6)?;
            let (mut sums, mut affine) = (vec![0.0; norm.sums_len()], vec![0.0; norm.backward_affine_len()]);
            norm.backward_sums(images, x[..].into(), &running, None, dy[..].into(), &mut sums).unwrap();
            let (mut dw, mut db) = (dweight.clone(), dbias.clone());
            norm.backward_merge([&sums[..]], None, &running, weight, EPS, [&mut dw, &mut db], &mut affine).unwrap();
            near("dweight", &dw, &dweight, 1e-6)?;
            near("dbias", &db, &dbias, 1e-6)?;
            let mut out = unfilled(sizes, images);
            norm.backward_apply(images, x[..].into(), &affine, None, dy[..].into(), (&mut out[..]).into()).unwrap();
            near("dx", &filled(sizes, images, &out)?, &dx, 2e-6)?;
        }
    }
}

/// The first value, about which sums are taken, must not harm the others' digits.
#[test]
fn statistics_keep_their_digits_beside_an_outlier_or_far_from_zero() {
    let sizes = Blocked::new([2, 8, 8], 0);
    let mut x = random(1, len(sizes, 3));
    x.iter_mut().enumerate().for_each(|(at, x)| *x += if at / 64 % 2 == 1 { 1e6 } else { 0.0 });
    x[0] = 1e7;
    let mut y = vec![0.0; x.len()];
    let expected = batch_norm_train(geometry(sizes, 3), &x, [&[1.0; 2], &[0.0; 2]], EPS, &mut y).unwrap();
    for isa in Isa::available() {
        let found = statistics(&BlockedNorm::new(sizes, isa), sizes, [3, 2], &blocked(sizes, 3, &x));
        for channel in 0..2 {
            let ratios = [
                found.mean[channel] / expected.mean[channel],
                found.variance[channel] / expected.variance[channel],
            ];
            assert!(ratios.iter().all(|ratio| (ratio - 1.0).abs() < 1e-12), "{ratios:?}");
        }
    }
}

#[test]
fn nan_and_infinity_reach_the_statistics() {
    let sizes = Blocked::new([3, 1, 2], 0);
    for isa in Isa::available() {
        // An infinity is the first value of a channel, or a later one.
        let x = [f32::NAN, 1.0, f32::INFINITY, 1.0, 2.0, f32::NEG_INFINITY];
        let found = statistics(&BlockedNorm::new(sizes, isa), sizes, [1, 1], &blocked(sizes, 1, &x));
        assert!(found.mean[0].is_nan() && found.variance.iter().all(|variance| variance.is_nan()));
        assert_eq!(found.mean[1..], [f64::INFINITY, f64::NEG_INFINITY]);
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let norm = BlockedNorm::new(Blocked::new([3, 1, 2], 0), Isa::current());
    let (x, mut y, mut sums) = ([0.0; 16], [0.0; 16], [0.0; 16]);
    assert!(norm.sums(2, x[..].into(), &mut sums).is_err());
    assert!(norm.sums(1, x[..].into(), &mut sums[1..]).is_err());
    assert!(norm.merge([(1, &sums[1..])], &mut none()).is_err());
    assert!(norm.affine(&none(), [&[1.0; 3], &[1.0; 3]], EPS, &mut [0.0; 24]).is_err());
    assert!(norm.apply(1, x[..].into(), &[0.0; 8], None, false, (&mut y[..]).into()).is_err());
    assert!(norm.backward_sums(1, x[..].into(), &none(), None, x[..].into(), &mut sums).is_err());
    let result = norm.backward_apply(1, x[..].into(), &[0.0; 24], None, x[..].into(), (&mut y[..]).into());
    assert!(result.is_err());
    assert!(norm.merge([], &mut none()).is_err());
}
