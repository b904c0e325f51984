use proptest::prelude::*;
use taper_graph::MaxPool2d;
use taper_kernels::blocked::{self, Blocked, Epilogue};
use taper_kernels::{DropoutKey, Isa, KernelError, PoolGeometry, dropout, naive};

use crate::support::{assert_close, distinct, random};

pub(crate) const KEY: DropoutKey = DropoutKey { seed: 3, step: 5, layer: 7 };

/// What follows a convolution.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) relu: bool,
    pub(crate) pool: Option<MaxPool2d>,
    pub(crate) dropout: Option<f32>,
}

pub(crate) fn tails() -> impl Strategy<Value = Tail> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let any_pool = (pair(1..4), pair(1..4), pair(0..2), pair(1..3), any::<bool>()).prop_map(
        |(kernel, stride, padding, dilation, ceil_mode)| {
            Some(MaxPool2d { kernel, stride, padding, dilation, ceil_mode })
        },
    );
    let halves =
        (0..2usize).prop_map(|padding| Some(MaxPool2d { padding: [padding; 2], ..MaxPool2d::new(2) }));
    let pool = prop_oneof![1 => Just(None), 2 => halves, 2 => any_pool];
    (any::<bool>(), pool, proptest::option::of(0.0..0.9f32)).prop_map(|(relu, pool, dropout)| Tail {
        relu,
        pool,
        dropout,
    })
}

/// The result of a tail and the gradient of its input, in f64, by the kernels without blocks.
pub(crate) struct Oracle {
    pub(crate) y: Vec<f64>,
    pub(crate) dz: Vec<f64>,
}

impl Tail {
    pub(crate) fn geometry(&self, images: usize, image: [usize; 3]) -> Option<PoolGeometry> {
        let none = MaxPool2d { stride: [1; 2], ..MaxPool2d::new(1) };
        PoolGeometry::max(self.pool.as_ref().unwrap_or(&none), images, image).ok()
    }

    pub(crate) fn oracle(
        &self,
        z: &[f32],
        image: [usize; 3],
        bias: &[f32],
        dy: &[f32],
        first: usize,
    ) -> Oracle {
        let [channels, height, width] = image;
        let images = z.len() / (channels * height * width);
        let g = self.geometry(images, image).unwrap();
        let bias_of = |at: usize| bias[at / (height * width) % channels];
        let relu = |v: f32| if self.relu && v < 0.0 { 0.0 } else { v };
        let v: Vec<f64> = z.iter().enumerate().map(|(at, z)| f64::from(relu(z + bias_of(at)))).collect();
        let pixels = g.output_len() / (images * channels);
        let mask = match self.dropout {
            None => vec![1.0; dy.len()],
            Some(p) => {
                let all = (first + images) * channels * pixels;
                let mut mask = vec![0.0; all];
                dropout(KEY, p, [first + images, channels, pixels], &vec![1.0; all], &mut mask).unwrap();
                mask.split_off(first * channels * pixels)
            }
        };
        let y: Vec<f64> = naive::max_pool2d(&g, &v)
            .iter()
            .zip(&mask)
            .map(|(y, &m)| if m == 0.0 { 0.0 } else { y * f64::from(m) })
            .collect();
        let dy: Vec<f64> = dy.iter().zip(&mask).map(|(dy, m)| f64::from(dy * m)).collect();
        let mut dz = naive::max_pool2d_backward(&g, &v, &dy);
        if self.relu {
            dz.iter_mut().zip(&v).filter(|(_, v)| **v == 0.0).for_each(|(dz, _)| *dz = 0.0);
        }
        Oracle { y, dz }
    }
}

pub(crate) fn blocked(layout: Blocked, plain: &[f32]) -> Vec<f32> {
    let images = plain.len() / (layout.channels * layout.pixels());
    let mut blocked = vec![f32::NAN; images * layout.image()];
    layout.pack(plain, &mut blocked).unwrap();
    blocked
}

pub(crate) fn plain(layout: Blocked, blocked: &[f32]) -> Vec<f32> {
    let mut plain = vec![0.0; blocked.len() / layout.image() * layout.channels * layout.pixels()];
    layout.unpack(blocked, &mut plain).unwrap();
    plain
}

pub(crate) fn padded(bias: &[f32]) -> Vec<f32> {
    let mut bias = bias.to_vec();
    bias.resize(bias.len().next_multiple_of(8), 0.0);
    bias
}

/// The results and codes of all images.
pub(crate) fn forward(
    e: &Epilogue,
    conv: Blocked,
    z: &[f32],
    bias: &[f32],
    first: usize,
) -> (Vec<f32>, Vec<u8>) {
    let (conv, bias) = (conv.with_halo(0), padded(bias));
    let mut raw = blocked(conv, z);
    let images = raw.len() / conv.image();
    let (mut y, mut codes) = (vec![0.0; images * e.output().image()], vec![9; e.codes_len(images)]);
    for image in 0..images {
        let y = &mut y[image * e.output().image()..][..e.output().image()];
        let codes = &mut codes[image * e.codes_len(1)..][..e.codes_len(1)];
        for block in 0..conv.blocks() {
            let plane = &mut raw[image * conv.image() + block * conv.plane()..][..conv.plane()];
            let bias = &bias[block * 8..][..8];
            let y = &mut y[block * e.output().plane()..][..e.output().plane()];
            let codes = &mut codes[block * e.output().pixels() * 8..][..e.output().pixels() * 8];
            e.forward(plane, Some(bias), y, Some(codes), block, Some((KEY, first + image))).unwrap();
        }
    }
    (y, codes)
}

proptest! {
    #[test]
    fn epilogue_matches_the_oracle(
        tail in tails(), image in [1..20usize, 1..13usize, 1..13usize], images in 1..4usize,
        halos in [0..3usize, 0..3usize], first in 0..3usize, seed: u32,
    ) {
        prop_assume!(tail.geometry(images, image).is_some());
        let conv = Blocked::new(image, 1);
        let z = distinct(seed, images * image.iter().product::<usize>());
        let bias = random(seed ^ 1, image[0]).iter().map(|b| b / 4.0).collect::<Vec<_>>();
        let g = tail.geometry(images, image).unwrap();
        let dy = random(seed ^ 2, g.output_len());
        let expected = tail.oracle(&z, image, &bias, &dy, first);
        for isa in Isa::available() {
            let e = Epilogue::new(conv, tail.relu, tail.pool.as_ref(), tail.dropout, halos[0], isa).unwrap();
            let (y, codes) = forward(&e, conv, &z, &bias, first);
            assert_close("y", &plain(e.output(), &y), &expected.y)?;
            // The halo and the channels beyond the last are zero.
            prop_assert_eq!(&blocked(e.output(), &plain(e.output(), &y)), &y);
            let dy = blocked(e.output().with_halo(0), &dy);
            let to = conv.with_halo(halos[1]);
            let mut dz = vec![f32::NAN; images * to.image()];
            let mut dbias = vec![0.5; to.blocks() * 8];
            e.backward_dense(&codes, &dy, &mut dz, halos[1], images, &mut dbias).unwrap();
            assert_close("dz", &plain(to, &dz), &expected.dz)?;
            prop_assert_eq!(&blocked(to, &plain(to, &dz)), &dz);
            assert_close("bias", &dbias[..image[0]], &bias_gradient(&expected.dz, image, 0.5))?;
        }
    }

    #[test]
    fn blocked_dropout_is_the_plain_one(
        image in [1..20usize, 1..9usize, 1..9usize], images in 1..4usize, halo in 0..3usize,
        first in 0..3usize, p in 0.0..0.9f32, seed: u32,
    ) {
        let [channels, height, width] = image;
        let (layout, len) = (Blocked::new(image, halo), channels * height * width);
        let x = random(seed, (first + images) * len);
        let mut expected = vec![0.0; x.len()];
        dropout(KEY, p, [first + images, channels, height * width], &x, &mut expected).unwrap();
        for isa in Isa::available() {
            let mut y = blocked(layout, &x[first * len..]);
            blocked::dropout(KEY, p, layout, first, images, &mut y, isa).unwrap();
            prop_assert!(plain(layout, &y) == expected[first * len..]);
        }
    }
}

pub(crate) fn bias_gradient(dz: &[f64], [channels, height, width]: [usize; 3], start: f64) -> Vec<f64> {
    let mut sums = vec![start; channels];
    dz.iter().enumerate().for_each(|(at, dz)| sums[at / (height * width) % channels] += dz);
    sums
}

#[test]
fn evaluation_gives_the_values_of_training_without_dropout() {
    let conv = Blocked::new([11, 7, 7], 0);
    let pool = MaxPool2d { padding: [1; 2], ..MaxPool2d::new(2) };
    for isa in Isa::available() {
        let e = Epilogue::new(conv, true, Some(&pool), Some(0.3), 1, isa).unwrap();
        let without = Epilogue::new(conv, true, Some(&pool), None, 1, isa).unwrap();
        let mut z = blocked(conv, &random(1, 11 * 49));
        let (mut y, mut expected) = (vec![0.0; e.output().image()], vec![0.0; e.output().image()]);
        let planes = y.chunks_mut(e.output().plane()).zip(expected.chunks_mut(e.output().plane()));
        for (block, (plane, (y, expected))) in z.chunks_mut(conv.plane()).zip(planes).enumerate() {
            e.forward(plane, None, y, None, block, None).unwrap();
            let mut codes = vec![0; e.output().pixels() * 8];
            without.forward(plane, None, expected, Some(&mut codes), block, None).unwrap();
        }
        assert_eq!(y, expected);
    }
}

#[test]
fn nan_passes_through_relu_and_wins_the_pooling() {
    let conv = Blocked::new([1, 2, 6], 0);
    let (nan, low, high) = (f32::NAN, f32::NEG_INFINITY, f32::INFINITY);
    let z = [nan, 5.0, low, low, 1.0, high, 9.0, 2.0, low, low, 2.0, 3.0];
    let pools = [MaxPool2d::new(2), MaxPool2d { kernel: [2, 3], stride: [2, 2], ..MaxPool2d::new(2) }];
    for (isa, pool) in Isa::available().into_iter().flat_map(|isa| pools.clone().map(|pool| (isa, pool))) {
        let three = pool.kernel[1] == 3;
        for relu in [false, true] {
            let e = Epilogue::new(conv, relu, Some(&pool), None, 0, isa).unwrap();
            let mut raw = blocked(conv, &z);
            // What stands beyond the last channel does not matter.
            raw.iter_mut().skip(1).step_by(8).for_each(|beyond| *beyond = f32::NAN);
            let (mut y, mut codes) = (vec![9.0; e.output().image()], vec![0; e.codes_len(1)]);
            e.forward(&mut raw, None, &mut y, Some(&mut codes), 0, None).unwrap();
            assert!(y[0].is_nan() && codes[0] == 0 && y[1] == 0.0 && codes[1] == 255, "{y:?} {codes:?}");
            if !three {
                let none = if relu { (0.0, 255) } else { (low, 0) };
                assert_eq!((y[8], codes[8]), none);
                assert_eq!((y[16], codes[16]), (high, 1));
            }
        }
    }
}

#[test]
fn of_equal_values_the_first_gets_the_gradient_and_a_kept_zero_has_one() {
    let conv = Blocked::new([1, 2, 4], 0);
    let e = Epilogue::new(conv, false, Some(&MaxPool2d::new(2)), Some(0.0), 0, Isa::current()).unwrap();
    let (y, codes) = forward(&e, conv, &[0.0, 0.0, 1.0, 3.0, 0.0, 0.0, 3.0, 3.0], &[0.0], 0);
    assert_eq!((y[0], codes[0], y[8], codes[8]), (0.0, 0, 3.0, 1));
}

#[test]
fn wrong_arguments_are_refused() {
    let conv = Blocked::new([9, 4, 4], 0);
    let e = Epilogue::new(conv, true, Some(&MaxPool2d::new(2)), None, 1, Isa::current()).unwrap();
    let (lens, codes) = ([conv.plane(), 8, e.output().plane()], e.output().pixels() * 8);
    let run = |[plane, bias, y]: [usize; 3], codes: usize, block: usize| {
        let (mut plane, bias, mut y, mut codes) =
            (vec![0.0; plane], vec![0.0; bias], vec![0.0; y], vec![0; codes]);
        e.forward(&mut plane, Some(&bias), &mut y, Some(&mut codes), block, None)
    };
    assert_eq!(run(lens, codes, 1), Ok(()));
    for wrong in 0..3 {
        let mut lens = lens;
        lens[wrong] -= 1;
        assert!(matches!(run(lens, codes, 0), Err(KernelError::Length { .. })));
    }
    assert!(run(lens, codes + 1, 0).is_err());
    assert!(run(lens, codes, 2).is_err());
    let codes = e.codes_len(1);
    let back = |lens: [usize; 4]| {
        let [codes, dy, dz, dbias] = lens;
        e.backward_dense(&vec![0; codes], &vec![0.0; dy], &mut vec![0.0; dz], 1, 1, &mut vec![0.0; dbias])
    };
    let lens = [codes, codes, conv.with_halo(1).image(), 16];
    assert_eq!(back(lens), Ok(()));
    for wrong in 0..4 {
        let mut lens = lens;
        lens[wrong] -= 1;
        assert!(matches!(back(lens), Err(KernelError::Length { .. })));
    }
    let large = MaxPool2d::new(16);
    let error = Epilogue::new(Blocked::new([1, 16, 16], 0), true, Some(&large), None, 0, Isa::current());
    assert!(error.unwrap_err().to_string().contains("254 taps"));
    for p in [f32::NAN, -0.1, 1.5] {
        let error = Epilogue::new(conv, true, None, Some(p), 0, Isa::current()).unwrap_err();
        assert_eq!(error.to_string(), format!("dropout is {p}; use a probability from 0 to 1"));
        let dropped = blocked::dropout(KEY, p, conv, 0, 1, &mut vec![0.0; conv.image()], Isa::current());
        assert!(matches!(dropped, Err(KernelError::Probability { .. })));
    }
}

#[test]
fn dropout_of_everything_leaves_zeros_and_no_gradient() {
    let conv = Blocked::new([8, 2, 2], 0);
    for (isa, p) in Isa::available().into_iter().flat_map(|isa| [1.0, 0.999_999].map(|p| (isa, p))) {
        let e = Epilogue::new(conv, true, None, Some(p), 0, isa).unwrap();
        let (y, codes) = forward(&e, conv, &[f32::INFINITY; 32], &[0.0; 8], 0);
        assert!(y.iter().all(|&y| y == 0.0) && codes.iter().all(|&code| code == 255));
        let (mut dz, mut dbias) = ([9.0; 32], [0.0; 8]);
        e.backward_dense(&codes, &[f32::INFINITY; 32], &mut dz, 0, 1, &mut dbias).unwrap();
        assert_eq!((dz, dbias), ([0.0; 32], [0.0; 8]));
        let mut y = [f32::INFINITY; 32];
        blocked::dropout(KEY, p, conv, 0, 1, &mut y, isa).unwrap();
        assert_eq!(y, [0.0; 32]);
    }
}
