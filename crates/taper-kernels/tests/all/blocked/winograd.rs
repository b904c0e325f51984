use std::fmt;

use proptest::prelude::*;
use taper_graph::Conv2d;
use taper_kernels::blocked::{Blocked, WinogradConv};
use taper_kernels::{ConvGeometry, Isa, naive};

use crate::support::{random, wide};

/// A case with its data in `[N, C, H, W]`.
struct Case {
    conv: Conv2d,
    g: ConvGeometry,
    halo: usize,
    x: Vec<f32>,
    weight: Vec<f32>,
    dz: Vec<f32>,
}

/// Without the data: they follow from the seed.
impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}, halo {}", self.g, self.halo)
    }
}

impl Case {
    fn new(conv: Conv2d, batch: usize, image: [usize; 3], halo: usize, seed: u32) -> Option<Self> {
        let g = ConvGeometry::new(&conv, batch, image).ok()?;
        let (x, weight) = (random(seed, g.input_len()), random(seed ^ 1, g.weight_len()));
        let dz = random(seed ^ 2, g.output_len());
        Some(Self { conv, g, halo, x, weight, dz })
    }

    fn input(&self) -> Blocked {
        Blocked::new([self.g.in_channels, self.g.input[0], self.g.input[1]], self.halo)
    }

    fn winograd(&self, isa: Isa) -> WinogradConv {
        WinogradConv::new(&self.conv, self.input(), isa).unwrap()
    }

    fn forward(&self, isa: Isa) -> Vec<f32> {
        let kernel = self.winograd(isa);
        let x = pack(self.input(), &self.x, self.g.batch);
        let mut packed = vec![f32::NAN; kernel.packed_len()];
        kernel.pack(&self.weight, &mut packed).unwrap();
        gather(kernel.output(), self.g.batch, |emit| {
            let mut scratch = vec![f32::NAN; kernel.scratch_len(self.g.batch)];
            kernel.forward(self.g.batch, &x, &packed, &mut scratch, emit).unwrap();
        })
    }

    /// [`Case::forward`] in two parts of the output channels, the later one first.
    fn forward_in_parts(&self, isa: Isa) -> Vec<f32> {
        let kernel = self.winograd(isa);
        let x = pack(self.input(), &self.x, self.g.batch);
        let mut packed = vec![f32::NAN; kernel.packed_len()];
        kernel.pack(&self.weight, &mut packed).unwrap();
        let middle = kernel.parts() / 2;
        gather(kernel.output(), self.g.batch, |emit| {
            let mut scratch = vec![f32::NAN; kernel.scratch_len(self.g.batch)];
            for parts in [middle..kernel.parts(), 0..middle] {
                let blocks = kernel.part_start(parts.start)..kernel.part_start(parts.end);
                let mut emit = |image: usize, block: usize, plane: &mut [f32]| {
                    assert!(blocks.contains(&block));
                    emit(image, block, plane);
                };
                kernel.forward_parts(parts, self.g.batch, &x, &packed, &mut scratch, &mut emit).unwrap();
            }
        })
    }

    fn backward_input(&self, isa: Isa) -> Vec<f32> {
        let kernel = self.winograd(isa);
        let dz = pack(kernel.output().with_halo(kernel.gradient_halo()), &self.dz, self.g.batch);
        let mut packed = vec![f32::NAN; kernel.backward_packed_len()];
        kernel.pack_backward(&self.weight, &mut packed).unwrap();
        gather(self.input().with_halo(0), self.g.batch, |emit| {
            let mut scratch = vec![f32::NAN; kernel.scratch_len(self.g.batch)];
            kernel.backward_input(self.g.batch, &dz, &packed, &mut scratch, emit).unwrap();
        })
    }

    /// Half of the images are added to one sum, half to another.
    fn backward_weight(&self, isa: Isa) -> Vec<f32> {
        let kernel = self.winograd(isa);
        let gradient = kernel.output().with_halo(kernel.gradient_halo());
        let x = pack(self.input(), &self.x, self.g.batch);
        let dz = pack(gradient, &self.dz, self.g.batch);
        let mut sums = [vec![0.0; kernel.weight_sum_len()], vec![0.0; kernel.weight_sum_len()]];
        let half = self.g.batch / 2;
        for (sum, images) in sums.iter_mut().zip([0..half, half..self.g.batch]) {
            let part = |data: &[f32], layout: Blocked| {
                data[images.start * layout.image()..images.end * layout.image()].to_vec()
            };
            let mut scratch = vec![f32::NAN; kernel.scratch_len(images.len())];
            let (x, dz) = (part(&x, self.input()), part(&dz, gradient));
            kernel.backward_weight(images.len(), &x, &dz, &mut scratch, sum).unwrap();
        }
        let mut dweight = vec![f32::NAN; self.g.weight_len()];
        kernel.unpack_weight_sum(&[&sums[0], &sums[1]], &mut dweight).unwrap();
        dweight
    }

    fn check(&self) -> Result<(), TestCaseError> {
        let (x, weight, dz) = (wide(&self.x), wide(&self.weight), wide(&self.dz));
        let y = naive::conv2d(&self.g, &x, &weight, None);
        let [dx, dweight, _] = naive::conv2d_backward(&self.g, &x, &weight, &dz);
        for isa in Isa::available() {
            assert_close("y", isa, &self.forward(isa), &y)?;
            assert_close("dx", isa, &self.backward_input(isa), &dx)?;
            assert_close("dweight", isa, &self.backward_weight(isa), &dweight)?;
        }
        Ok(())
    }
}

fn pack(layout: Blocked, plain: &[f32], images: usize) -> Vec<f32> {
    let mut blocked = vec![f32::NAN; images * layout.image()];
    layout.pack(plain, &mut blocked).unwrap();
    blocked
}

/// The planes that `run` emits, each exactly once, as `[N, C, H, W]`.
fn gather(
    layout: Blocked,
    images: usize,
    run: impl FnOnce(&mut dyn FnMut(usize, usize, &mut [f32])),
) -> Vec<f32> {
    let mut blocked = vec![f32::NAN; images * layout.image()];
    let mut seen = vec![0; images * layout.blocks()];
    run(&mut |image, block, plane| {
        assert_eq!(plane.len(), layout.plane());
        seen[image * layout.blocks() + block] += 1;
        blocked[image * layout.image() + block * layout.plane()..][..plane.len()].copy_from_slice(plane);
        plane.fill(f32::NAN);
    });
    assert!(seen.iter().all(|&seen| seen == 1));
    let mut plain = vec![f32::NAN; images * layout.channels * layout.pixels()];
    layout.unpack(&blocked, &mut plain).unwrap();
    plain
}

/// ‖found − expected‖ must stay within a few roundings of Winograd's transforms.
fn assert_close(what: &str, isa: Isa, found: &[f32], expected: &[f64]) -> Result<(), TestCaseError> {
    prop_assert_eq!(found.len(), expected.len(), "{}", what);
    let pairs = found.iter().map(|&f| f64::from(f)).zip(expected);
    let error = pairs.map(|(f, e)| (f - e).powi(2)).sum::<f64>().sqrt();
    let norm = expected.iter().map(|e| e * e).sum::<f64>().sqrt();
    let bound = 8e-6 * (norm + (found.len() as f64).sqrt());
    prop_assert!(error <= bound, "{} on {:?}: off by {} of {}", what, isa, error, norm);
    Ok(())
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = || prop_oneof![1..=3usize, prop::sample::select(vec![5usize, 8, 9, 16, 17, 33])];
    let sizes = ([1..20usize, 1..20usize], 0..6usize);
    (channels(), channels(), sizes, [0..3usize, 0..3usize], 0..4usize, any::<u32>()).prop_filter_map(
        "the kernel must fit",
        |(inputs, outputs, ([height, width], batch), padding, halo, seed)| {
            let conv = Conv2d { padding, ..Conv2d::new(outputs, 3) };
            Case::new(conv, batch, [inputs, height, width], halo, seed)
        },
    )
}

proptest! {
    #[test]
    fn convolution_and_its_gradients_match_the_oracle(case in cases()) {
        case.check()?;
    }
}

#[test]
fn chunks_of_images_and_parts_of_one_match_the_oracle() {
    // 33 inputs in groups of six images; an image of many tiles; more terms than are summed at a time.
    for (batch, [inputs, outputs], [height, width]) in
        [(6, [33, 24], [14, 14]), (2, [32, 20], [45, 50]), (1, [300, 8], [9, 9]), (3, [8, 150], [7, 7])]
    {
        let conv = Conv2d::new(outputs, 3).padding(1);
        Case::new(conv, batch, [inputs, height, width], 1, 7).unwrap().check().unwrap();
    }
}

#[test]
fn the_images_of_a_group_do_not_change_the_bits() {
    let case = |batch| Case::new(Conv2d::new(16, 3).padding(1), batch, [8, 14, 14], 1, 3).unwrap();
    let (five, one) = (case(5), case(1));
    for isa in Isa::available() {
        let (five, one) = (five.forward(isa), one.forward(isa));
        assert!(five[..one.len()].iter().zip(&one).all(|(a, b)| a.to_bits() == b.to_bits()));
    }
}

#[test]
fn parts_of_the_channels_have_the_bits_of_all() {
    for (outputs, size) in [(8, 7), (40, 7), (64, 14), (150, 45)] {
        let case = Case::new(Conv2d::new(outputs, 3).padding(1), 2, [9, size, size], 1, 3).unwrap();
        for isa in Isa::available() {
            assert_eq!(case.forward(isa), case.forward_in_parts(isa), "{outputs} channels of {size}×{size}");
        }
    }
}

#[test]
fn nan_stays_in_the_tiles_that_read_it() {
    for isa in Isa::available() {
        let mut case = Case::new(Conv2d::new(8, 3).padding(1), 1, [8, 12, 12], 1, 5).unwrap();
        case.x[5 * 12 + 5] = f32::NAN;
        for (at, y) in case.forward(isa).into_iter().enumerate() {
            let (row, column) = (at / 12 % 12, at % 12);
            let tile = (4..8).contains(&row) && (4..8).contains(&column);
            assert_eq!(y.is_nan(), tile, "{isa:?}: row {row}, column {column}");
        }
    }
}

#[test]
fn other_convolutions_are_left_to_others() {
    let image = Blocked::new([8, 9, 9], 1);
    let new = |conv: Conv2d| WinogradConv::new(&conv, image, Isa::portable());
    assert!(new(Conv2d::new(8, 3)).is_some());
    assert!(new(Conv2d::new(8, 5)).is_none());
    assert!(new(Conv2d::new(8, 3).stride(2)).is_none());
    assert!(new(Conv2d::new(8, 3).padding(3)).is_none());
    assert!(new(Conv2d { dilation: [2, 1], ..Conv2d::new(8, 3) }).is_none());
    assert!(new(Conv2d { groups: 8, ..Conv2d::new(8, 3) }).is_none());
    assert!(WinogradConv::new(&Conv2d::new(8, 3), Blocked::new([8, 2, 9], 0), Isa::portable()).is_none());
}

#[test]
fn few_channels_or_outputs_are_not_worthwhile() {
    let worthwhile = |image, conv: Conv2d| WinogradConv::worthwhile(&conv, Blocked::new(image, 1));
    assert!(worthwhile([32, 14, 14], Conv2d::new(64, 3).padding(1)));
    assert!(worthwhile([64, 7, 7], Conv2d::new(128, 3).padding(1)));
    assert!(!worthwhile([1, 28, 28], Conv2d::new(32, 3).padding(1)));
    assert!(!worthwhile([64, 1, 1], Conv2d::new(64, 3).padding(1)));
    assert!(!worthwhile([64, 14, 14], Conv2d::new(64, 3).stride(2)));
}

#[test]
fn wrong_lengths_are_refused() {
    let image = Blocked::new([3, 5, 5], 1);
    let kernel = WinogradConv::new(&Conv2d::new(9, 3).padding(1), image, Isa::current()).unwrap();
    let zeros = |len| vec![0.0f32; len];
    let (x, dz) = (zeros(2 * image.image()), zeros(2 * kernel.output().with_halo(1).image()));
    let mut packed = zeros(kernel.packed_len());
    let mut back = zeros(kernel.backward_packed_len());
    let mut scratch = zeros(kernel.scratch_len(2));
    let short = scratch.len() - 1;
    let none = &mut |_: usize, _: usize, _: &mut [f32]| panic!("nothing is to be computed");
    assert!(kernel.pack(&zeros(242), &mut packed).is_err());
    assert!(kernel.pack(&zeros(243), &mut packed[1..]).is_err());
    assert!(kernel.pack_backward(&zeros(243), &mut back[1..]).is_err());
    assert!(kernel.forward(2, &x[1..], &packed, &mut scratch, none).is_err());
    assert!(kernel.forward(2, &x, &packed[1..], &mut scratch, none).is_err());
    assert!(kernel.forward(2, &x, &packed, &mut [], none).is_err());
    assert!(kernel.backward_input(2, &dz[1..], &back, &mut scratch, none).is_err());
    assert!(kernel.backward_input(2, &dz, &back[1..], &mut scratch, none).is_err());
    let mut sum = zeros(kernel.weight_sum_len());
    assert!(kernel.backward_weight(2, &x[1..], &dz, &mut scratch, &mut sum).is_err());
    assert!(kernel.backward_weight(2, &x, &dz[1..], &mut scratch, &mut sum).is_err());
    assert!(kernel.backward_weight(2, &x, &dz, &mut scratch, &mut sum[1..]).is_err());
    assert!(kernel.backward_weight(2, &x, &dz, &mut scratch[..short / 99], &mut sum).is_err());
    assert!(kernel.unpack_weight_sum(&[&sum[1..]], &mut zeros(243)).is_err());
    assert!(kernel.unpack_weight_sum(&[&sum], &mut zeros(244)).is_err());
}
