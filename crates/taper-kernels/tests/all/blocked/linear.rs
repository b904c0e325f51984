use proptest::prelude::*;
use taper_kernels::blocked::{Blocked, BlockedLinear, LinearLists};
use taper_kernels::{Isa, KernelError, naive};

use crate::support::{assert_close, random, wide};

/// Numbers of which about `density` of 8 are not zero.
fn thinned(seed: u32, len: usize, density: u32) -> Vec<f32> {
    let keep = random(seed ^ 77, len);
    let kept = |(x, keep): (f32, f32)| if keep < density as f32 / 4.0 - 1.0 { x } else { 0.0 };
    random(seed, len).into_iter().zip(keep).map(kept).collect()
}

/// Rows of `features` values, each padded with zeros to `stride`.
fn padded(rows: &[f32], features: usize, stride: usize) -> Vec<f32> {
    rows.chunks(features)
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, stride - features)))
        .collect()
}

/// The inverse of [`padded`]; the pads must be zero.
fn unpadded(rows: &[f32], features: usize, stride: usize) -> Vec<f32> {
    assert!(rows.chunks(stride).all(|row| row[features..].iter().all(|pad| *pad == 0.0)));
    rows.chunks(stride).flat_map(|row| row[..features].iter().copied()).collect()
}

/// What a layer should find, in f64.
struct Expected {
    y: Vec<f64>,
    dx: Vec<f64>,
    dweight: Vec<f64>,
    dbias: Vec<f64>,
}

fn expected(images: usize, x: &[f32], weight: &[f32], bias: &[f32], dy: &[f32]) -> Expected {
    let (x, weight, bias, dy) = (wide(x), wide(weight), wide(bias), wide(dy));
    let conv = taper_graph::Conv2d::new(bias.len(), 1);
    let g = taper_kernels::ConvGeometry::new(&conv, images, [x.len() / images, 1, 1]).unwrap();
    let [dx, dweight, dbias] = naive::conv2d_backward(&g, &x, &weight, &dy);
    Expected { y: naive::linear(images, &x, &weight, &bias), dx, dweight, dbias }
}

/// Cuts rows of `stride` elements into groups of `images` rows.
fn groups(rows: &[f32], stride: usize, images: usize) -> Vec<&[f32]> {
    rows.chunks(stride * images).collect()
}

/// The forward weight, made a block at a time.
fn forward_weight(layer: &BlockedLinear, weight: &[f32]) -> Vec<f32> {
    let mut turned = vec![f32::NAN; weight.len()];
    let len = layer.block_len().max(1);
    for (block, (weight, turned)) in weight.chunks(len).zip(turned.chunks_mut(len)).enumerate() {
        layer.pack_forward(block..block + 1, weight, turned).unwrap();
    }
    turned
}

/// The gradient of the whole weight, in PyTorch's order.
fn weight_gradient(layer: &BlockedLinear, len: usize, x: &[f32], dy: &[f32]) -> Vec<f32> {
    let (mut lists, mut gradient) = (LinearLists::default(), vec![9.0; layer.weight_len()]);
    layer.list(&[dy], &mut lists).unwrap();
    layer.backward_weight_blocks(0..layer.blocks(), &[x], &lists, &mut gradient).unwrap();
    let mut plain = vec![9.0; len];
    layer.unpack(&gradient, &mut plain).unwrap();
    plain
}

/// All functions of a layer on padded rows, against `expected`; `to_plain` takes input rows to PyTorch's order.
fn check(
    layer: BlockedLinear,
    images: usize,
    [x, weight, bias, dy]: [&[f32]; 4],
    expected: &Expected,
    to_plain: impl Fn(&[f32]) -> Vec<f32>,
) -> Result<(), TestCaseError> {
    let (inputs, outputs) = (layer.in_stride(), layer.out_stride());
    let mut packed = vec![f32::NAN; layer.weight_len()];
    layer.pack(weight, &mut packed).unwrap();
    let turned = forward_weight(&layer, &packed);
    let dy = padded(dy, bias.len(), outputs);
    let mut scratch = vec![f32::NAN; layer.scratch_len(images)];

    let mut y = vec![f32::NAN; images * outputs];
    layer.forward(images, x, &turned, Some(bias), &mut scratch, &mut y).unwrap();
    assert_close("y", &unpadded(&y, bias.len(), outputs), &expected.y)?;
    let mut again = vec![f32::NAN; images * outputs];
    layer.forward_turning(images, x, &packed, Some(bias), &mut scratch, &mut again).unwrap();
    prop_assert!(again == y, "turned on the way");
    // One image at a time takes another way, to the same bits.
    for (image, y) in y.chunks(outputs).enumerate() {
        let mut alone = vec![f32::NAN; outputs];
        let x = &x[image * inputs..][..inputs];
        layer.forward(1, x, &turned, Some(bias), &mut scratch, &mut alone).unwrap();
        prop_assert!(alone == y, "image {}", image);
        alone.fill(f32::NAN);
        layer.forward_turning(1, x, &packed, Some(bias), &mut scratch, &mut alone).unwrap();
        prop_assert!(alone == y, "image {}, turned on the way", image);
    }

    let middle = layer.parts() / 2;
    for parts in [0..middle, middle..layer.parts()] {
        let own = layer.part_start(parts.start)..layer.part_start(parts.end);
        let mut part = vec![f32::NAN; images * own.len()];
        layer.forward_parts(parts, images, x, &turned, Some(bias), &mut scratch, &mut part).unwrap();
        let all: Vec<f32> = y.chunks(outputs).flat_map(|y| &y[own.clone()]).copied().collect();
        prop_assert!(part == all, "outputs {:?}", own);
    }

    let mut dx = vec![f32::NAN; x.len()];
    layer.backward_input(images, &dy, &packed, &mut scratch, &mut dx).unwrap();
    assert_close("dx", &to_plain(&dx), &expected.dx)?;

    let mut dweight = vec![f32::NAN; layer.weight_len()];
    let (x_groups, dy_groups) = (groups(x, inputs, 3), groups(&dy, outputs, 3));
    let mut lists = LinearLists::default();
    layer.list(&dy_groups, &mut lists).unwrap();
    for (block, target) in dweight.chunks_mut(layer.block_len()).enumerate() {
        layer.backward_weight_blocks(block..block + 1, &x_groups, &lists, target).unwrap();
    }
    let mut at_once = vec![f32::NAN; layer.weight_len()];
    layer.list(&[&dy], &mut lists).unwrap();
    layer.backward_weight_blocks(0..layer.blocks(), &[x], &lists, &mut at_once).unwrap();
    prop_assert!(dweight == at_once);
    let mut plain = vec![f32::NAN; weight.len()];
    layer.unpack(&dweight, &mut plain).unwrap();
    assert_close("dweight", &plain, &expected.dweight)?;
    let mut dbias = vec![f32::NAN; bias.len()];
    layer.backward_bias(&dy_groups, &mut dbias).unwrap();
    assert_close("dbias", &dbias, &expected.dbias)?;

    let mut back = vec![f32::NAN; weight.len()];
    layer.unpack(&packed, &mut back).unwrap();
    prop_assert_eq!(&back[..], weight);
    // Pads of the gradient stay zero, so that those of the weight do.
    let mut again = vec![f32::NAN; packed.len()];
    layer.pack(&plain, &mut again).unwrap();
    prop_assert_eq!(again, dweight);
    Ok(())
}

fn rows(
    [images, in_features, out_features]: [usize; 3],
    densities: [u32; 2],
    seed: u32,
) -> Result<(), TestCaseError> {
    let x = thinned(seed, images * in_features, densities[0]);
    let dy = thinned(seed ^ 1, images * out_features, densities[1]);
    let (weight, bias) = (random(seed ^ 2, in_features * out_features), random(seed ^ 3, out_features));
    let expected = expected(images, &x, &weight, &bias, &dy);
    for isa in Isa::available() {
        let layer = BlockedLinear::new(in_features, out_features, isa);
        let stride = layer.in_stride();
        let x = padded(&x, in_features, stride);
        check(layer, images, [&x, &weight, &bias, &dy], &expected, |x| unpadded(x, in_features, stride))?;
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn rows_match_the_oracle(
        images in 1..20usize, in_features in 1..150usize, out_features in 1..150usize,
        densities in [0..9u32, 0..9u32], seed: u32,
    ) {
        rows([images, in_features, out_features], densities, seed)?;
    }

    #[test]
    fn images_match_the_oracle(
        images in 1..9usize, channels in 1..18usize, height in 1..4usize, width in 1..4usize, halo in 0..2usize,
        out_features in 1..40usize, density in 0..9u32, seed: u32,
    ) {
        let plain = thinned(seed, images * channels * height * width, density);
        let dy = thinned(seed ^ 1, images * out_features, 3);
        let weight = random(seed ^ 2, channels * height * width * out_features);
        let bias = random(seed ^ 3, out_features);
        let expected = expected(images, &plain, &weight, &bias, &dy);
        let image = Blocked::new([channels, height, width], halo);
        let mut x = vec![f32::NAN; images * image.image()];
        image.pack(&plain, &mut x).unwrap();
        for isa in Isa::available() {
            let layer = BlockedLinear::of_image(image, out_features, isa);
            check(layer, images, [&x, &weight, &bias, &dy], &expected, |x| {
                let mut plain = vec![f32::NAN; plain.len()];
                image.unpack(x, &mut plain).unwrap();
                plain
            })?;
        }
    }
}

/// More rows, depth and columns than a block of each.
#[test]
fn large_layers_match_the_oracle() {
    for density in [2, 8] {
        rows([150, 70, 203], [density; 2], 1).unwrap();
        rows([7, 2300, 20], [density; 2], 2).unwrap();
        rows([9, 20, 2300], [density; 2], 3).unwrap();
    }
}

#[test]
fn nan_and_infinity_reach_what_they_should() {
    for isa in Isa::available() {
        let layer = BlockedLinear::new(8, 8, isa);
        let mut weight = vec![0.0; 64];
        layer.pack(&[1.0; 64], &mut weight).unwrap();
        for images in [1, 8] {
            let mut scratch = vec![0.0; layer.scratch_len(images)];
            let (mut x, mut y) = (vec![0.0; 8 * images], vec![0.0; 8 * images]);
            for value in [f32::NAN, f32::INFINITY] {
                x[3] = value;
                layer.forward(images, &x, &weight, None, &mut scratch, &mut y).unwrap();
                assert!(y[..8].iter().all(|y| y.to_bits() == value.to_bits()), "{isa:?}: {y:?}");
                assert!(y[8..].iter().all(|y| *y == 0.0));
                let mut dx = vec![0.0; 8 * images];
                layer.backward_input(images, &x, &weight, &mut scratch, &mut dx).unwrap();
                assert!(dx[..8].iter().all(|dx| dx.to_bits() == value.to_bits()));
                let dweight = weight_gradient(&layer, 64, &x, &vec![1.0; 8 * images]);
                assert!(dweight.chunks(8).all(|w| w[3].to_bits() == value.to_bits()));
                let dweight = weight_gradient(&layer, 64, &vec![1.0; 8 * images], &x);
                assert!(dweight[24..32].iter().all(|w| w.to_bits() == value.to_bits()));
            }
        }
    }
}

#[test]
fn no_features_and_no_images_are_no_reason_to_panic() {
    for (images, in_features, out_features) in [(0, 4, 5), (3, 4, 0), (3, 0, 4), (0, 0, 0)] {
        let layer = BlockedLinear::new(in_features, out_features, Isa::current());
        let (inputs, outputs) = (images * layer.in_stride(), images * layer.out_stride());
        let (weight, bias) = (vec![0.5; layer.weight_len()], vec![0.5; out_features]);
        let mut scratch = vec![0.0; layer.scratch_len(images)];
        let (x, mut y) = (vec![0.5; inputs], vec![9.0; outputs]);
        layer.forward(images, &x, &weight, Some(&bias), &mut scratch, &mut y).unwrap();
        layer.backward_input(images, &y, &weight, &mut scratch, &mut vec![9.0; inputs]).unwrap();
        let dweight = weight_gradient(&layer, in_features * out_features, &x, &y);
        layer.backward_bias(&[&y], &mut vec![9.0; out_features]).unwrap();
        if images == 0 {
            assert!(dweight.iter().all(|w| *w == 0.0));
        }
    }
}

#[test]
fn wrong_lengths_are_refused() {
    let layer = BlockedLinear::new(9, 3, Isa::current());
    let refused =
        |outcome: Result<(), KernelError>| assert!(matches!(outcome, Err(KernelError::Length { .. })));
    let (x, dy, weight) = (vec![0.5; 32], vec![0.5; 16], vec![0.5; 128]);
    let mut scratch = vec![0.0; layer.scratch_len(2)];
    for short in 0..5 {
        let cut = |which: usize, len: usize| if short == which { len - 1 } else { len };
        let (x, dy, weight) = (&x[..cut(0, 32)], &dy[..cut(1, 16)], &weight[..cut(2, 128)]);
        let needed = cut(3, scratch.len());
        let bias = vec![0.0; cut(4, 3)];
        refused(layer.forward(2, x, weight, Some(&bias), &mut scratch[..needed], &mut dy.to_vec()));
        refused(layer.forward_turning(2, x, weight, Some(&bias), &mut scratch[..needed], &mut dy.to_vec()));
        if short < 4 {
            refused(layer.backward_input(2, dy, weight, &mut scratch[..needed], &mut x.to_vec()));
        }
    }
    let mut lists = LinearLists::default();
    refused(layer.list(&[&dy[1..]], &mut lists));
    layer.list(&[&dy], &mut lists).unwrap();
    let mut block = vec![0.0; 128];
    refused(layer.backward_weight_blocks(1..2, &[&x], &lists, &mut block));
    refused(layer.backward_weight_blocks(0..2, &[&x], &lists, &mut block));
    refused(layer.backward_weight_blocks(0..1, &[&x], &lists, &mut block[1..]));
    refused(layer.backward_weight_blocks(0..1, &[&x[..16]], &lists, &mut block));
    refused(layer.backward_weight_blocks(0..1, &[&x[1..]], &lists, &mut block));
    refused(layer.backward_weight_blocks(0..1, &[&x, &x], &lists, &mut block));
    refused(BlockedLinear::new(9, 9, Isa::current()).backward_weight_blocks(
        0..1,
        &[&x],
        &lists,
        &mut [0.0; 256],
    ));
    refused(layer.pack_forward(0..1, &weight[1..], &mut block));
    refused(layer.pack_forward(0..1, &weight, &mut block[1..]));
    refused(layer.pack_forward(1..2, &weight, &mut block));
    refused(layer.backward_bias(&[&dy[1..]], &mut [0.0; 3]));
    refused(layer.backward_bias(&[&dy], &mut [0.0; 2]));
    refused(layer.pack(&[0.0; 26], &mut weight.clone()));
    refused(layer.unpack(&weight[1..], &mut [0.0; 27]));
}
