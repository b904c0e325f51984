use proptest::prelude::*;
use taper_graph::{Conv2d, MaxPool2d};
use taper_kernels::blocked::{Blocked, Epilogue, SparseConv, SparseLists};
use taper_kernels::{ConvGeometry, Isa, KernelError, naive};

use crate::blocked_epilogue::{Tail, bias_gradient, blocked, forward, plain, tails};
use crate::support::{assert_close, distinct, random, wide};

#[derive(Debug, Clone)]
struct Case {
    conv: Conv2d,
    tail: Tail,
    image: [usize; 3],
    images: usize,
    halo: usize,
}

impl Case {
    fn fits(&self) -> bool {
        let conv = ConvGeometry::new(&self.conv, self.images, self.image);
        conv.is_ok_and(|g| self.tail.geometry(1, [g.out_channels, g.output[0], g.output[1]]).is_some())
    }

    fn geometry(&self) -> ConvGeometry {
        ConvGeometry::new(&self.conv, self.images, self.image).unwrap()
    }
}

fn convs() -> impl Strategy<Value = Conv2d> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let threes =
        (1..40usize, 0..3usize).prop_map(|(channels, padding)| Conv2d::new(channels, 3).padding(padding));
    let any = (1..20usize, pair(1..6), pair(1..3), pair(0..3), pair(1..3)).prop_map(
        |(channels, kernel, stride, padding, dilation)| Conv2d {
            kernel,
            stride,
            padding,
            dilation,
            ..Conv2d::new(channels, 1)
        },
    );
    prop_oneof![threes, any]
}

fn cases() -> impl Strategy<Value = Case> {
    let channels = prop_oneof![1..4usize, 4..40usize, Just(64usize)];
    let sizes = (channels, 1..14usize, 1..14usize, 1..8usize, 0..2usize);
    (convs(), tails(), sizes)
        .prop_map(|(conv, tail, (channels, height, width, images, extra))| {
            let halo = conv.padding[0].max(conv.padding[1]) + extra;
            Case { conv, tail, image: [channels, height, width], images, halo }
        })
        .prop_filter("the kernels must fit", Case::fits)
}

fn check(case: &Case, isa: Isa, seed: u32) -> Result<(), TestCaseError> {
    let g = case.geometry();
    let (input, out) = (Blocked::new(case.image, case.halo), [g.out_channels, g.output[0], g.output[1]]);
    let conv = Blocked::new(out, 0);
    let (x, weight) = (random(seed, g.input_len()), random(seed ^ 1, g.weight_len()));
    let (z, bias) = (distinct(seed ^ 2, g.output_len()), random(seed ^ 3, g.out_channels));
    let pooled = case.tail.geometry(case.images, out).unwrap();
    let dy = random(seed ^ 4, pooled.output_len());
    let oracle = case.tail.oracle(&z, out, &bias, &dy, 0);
    let [dx, dweight, _] = naive::conv2d_backward(&g, &wide(&x), &wide(&weight), &oracle.dz);

    let e = Epilogue::new(conv, case.tail.relu, case.tail.pool.as_ref(), case.tail.dropout, 1, isa).unwrap();
    let (_, codes) = forward(&e, conv, &z, &bias, 0);
    let dy = blocked(e.output().with_halo(0), &dy);
    let x = blocked(input, &x);
    let sparse = SparseConv::new(&case.conv, input, &e, isa).unwrap();
    let mut lists = SparseLists::new(&sparse, case.images + 1, true).unwrap();
    let mut dbias = vec![0.5; conv.blocks() * 8];
    let entries = sparse.fill(case.images, &codes, &dy, &mut lists, &mut dbias).unwrap();
    prop_assert_eq!(entries, codes.iter().filter(|code| **code != 255).count());
    prop_assert_eq!(entries, sparse.count(case.images, &codes).unwrap());
    assert_close("bias", &dbias[..out[0]], &bias_gradient(&oracle.dz, out, 0.5))?;

    let mut sums = vec![vec![f32::NAN; sparse.weight_sum_len()]; 2];
    sparse.backward_weight(case.images, &x, &mut lists, false, &mut sums[0]).unwrap();
    sparse.backward_weight(case.images, &x, &mut lists, true, &mut sums[0]).unwrap();
    sparse.backward_weight(case.images, &x, &mut lists, false, &mut sums[1]).unwrap();
    let mut found = vec![f32::NAN; g.weight_len()];
    sparse.unpack_weight_sum(&[&sums[0], &sums[1]], &mut found).unwrap();
    let third: Vec<f32> = found.iter().map(|found| found / 3.0).collect();
    assert_close("weight", &third, &dweight)?;

    let mut packed = vec![f32::NAN; sparse.backward_packed_len()];
    sparse.pack_backward(&weight, &mut packed).unwrap();
    let to = input.with_halo(0);
    let mut found = vec![f32::NAN; case.images * to.image()];
    sparse.backward_input(case.images, &lists, &packed, &mut found).unwrap();
    assert_close("input", &plain(to, &found), &dx)?;
    prop_assert_eq!(&blocked(to, &plain(to, &found)), &found);
    Ok(())
}

proptest! {
    #[test]
    fn sparse_gradients_match_the_oracle(case in cases(), seed: u32) {
        for isa in Isa::available() {
            check(&case, isa, seed)?;
        }
    }
}

/// Channel counts for which the weight is cut in each of the ways.
#[test]
fn many_channels() {
    for (channels, out_channels) in [(8, 128), (24, 64), (64, 128), (72, 120), (40, 300), (9, 520)] {
        let tail = Tail { relu: true, pool: Some(MaxPool2d::new(2)), dropout: Some(0.3) };
        let conv = Conv2d::new(out_channels, 3).padding(1);
        let case = Case { conv, tail, image: [channels, 4, 5], images: 2, halo: 1 };
        check(&case, Isa::current(), 7).unwrap();
    }
}

fn small() -> (SparseConv, Epilogue, Blocked) {
    let (conv, input) = (Conv2d::new(9, 3).padding(1), Blocked::new([3, 4, 4], 1));
    let e =
        Epilogue::new(Blocked::new([9, 4, 4], 0), true, Some(&MaxPool2d::new(2)), None, 0, Isa::current());
    let e = e.unwrap();
    (SparseConv::new(&conv, input, &e, Isa::current()).unwrap(), e, input)
}

#[test]
fn codes_that_no_forward_wrote_do_no_harm() {
    let (sparse, e, input) = small();
    let codes: Vec<u8> = (0..e.codes_len(2)).map(|at| (at * 7) as u8).collect();
    let dy = vec![1.0; codes.len()];
    let mut lists = SparseLists::new(&sparse, 2, true).unwrap();
    sparse.fill(2, &codes, &dy, &mut lists, &mut [0.0; 16]).unwrap();
    let x = vec![1.0; 2 * input.image()];
    sparse.backward_weight(2, &x, &mut lists, true, &mut vec![0.0; sparse.weight_sum_len()]).unwrap();
    let packed = vec![1.0; sparse.backward_packed_len()];
    sparse.backward_input(2, &lists, &packed, &mut vec![0.0; 2 * input.with_halo(0).image()]).unwrap();
}

#[test]
fn what_does_not_fit_is_refused() {
    let (sparse, e, input) = small();
    let isa = Isa::current();
    assert!(SparseConv::new(&Conv2d::new(9, 3).padding(1), input.with_halo(0), &e, isa).is_none());
    assert!(SparseConv::new(&Conv2d::new(8, 3).padding(1), input, &e, isa).is_none());
    let grouped = Conv2d { groups: 3, ..Conv2d::new(9, 3).padding(1) };
    assert!(SparseConv::new(&grouped, input, &e, isa).is_none());

    let refused =
        |result: Result<(), KernelError>| assert!(matches!(result, Err(KernelError::Length { .. })));
    let (codes, dy) = (vec![255; e.codes_len(2)], vec![0.0; e.codes_len(2)]);
    let (mut one, mut lists) =
        (SparseLists::new(&sparse, 1, true).unwrap(), SparseLists::new(&sparse, 2, true).unwrap());
    let mut dbias = [0.0; 16];
    refused(sparse.fill(2, &codes, &dy, &mut one, &mut dbias).map(drop));
    refused(sparse.fill(2, &codes[1..], &dy, &mut lists, &mut dbias).map(drop));
    refused(sparse.fill(2, &codes, &dy[1..], &mut lists, &mut dbias).map(drop));
    refused(sparse.fill(2, &codes, &dy, &mut lists, &mut dbias[1..]).map(drop));
    refused(sparse.count(2, &codes[1..]).map(drop));
    assert_eq!(sparse.fill(2, &codes, &dy, &mut lists, &mut dbias), Ok(0));
    assert!(sparse.pays(0, 2) && !sparse.pays(2 * 9 * 16, 2));

    let (x, mut sum) = (vec![0.0; 2 * input.image()], vec![0.0; sparse.weight_sum_len()]);
    assert_eq!(sparse.backward_weight(2, &x, &mut lists, true, &mut sum), Ok(()));
    refused(sparse.backward_weight(1, &x[input.image()..], &mut lists, true, &mut sum));
    refused(sparse.backward_weight(2, &x[1..], &mut lists, true, &mut sum));
    refused(sparse.backward_weight(2, &x, &mut lists, true, &mut sum[1..]));
    let mut dweight = vec![0.0; 9 * 27];
    refused(sparse.unpack_weight_sum(&[&sum[1..]], &mut dweight));
    refused(sparse.unpack_weight_sum(&[&sum], &mut dweight[1..]));

    let mut packed = vec![0.0; sparse.backward_packed_len()];
    refused(sparse.pack_backward(&dweight[1..], &mut packed));
    refused(sparse.pack_backward(&dweight, &mut packed[1..]));
    let mut dx = vec![0.0; 2 * input.with_halo(0).image()];
    assert_eq!(sparse.backward_input(2, &lists, &packed, &mut dx), Ok(()));
    refused(sparse.backward_input(2, &lists, &packed[1..], &mut dx));
    refused(sparse.backward_input(2, &lists, &packed, &mut dx[1..]));

    let other = Conv2d { stride: [2; 2], ..Conv2d::new(9, 3).padding(1) };
    let e = Epilogue::new(Blocked::new([9, 2, 2], 0), true, None, None, 0, isa).unwrap();
    let other = SparseConv::new(&other, input, &e, isa).unwrap();
    refused(other.backward_weight(2, &x, &mut lists, true, &mut sum));
    let mut without = SparseLists::new(&sparse, 2, false).unwrap();
    assert_eq!(sparse.fill(2, &codes, &dy, &mut without, &mut dbias), Ok(0));
    refused(sparse.backward_input(2, &without, &packed, &mut dx));
}
