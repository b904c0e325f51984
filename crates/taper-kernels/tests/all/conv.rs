use proptest::prelude::*;
use taper_graph::Conv2d;
use taper_kernels::{ConvGeometry, ConvGradients, conv2d, conv2d_backward, naive};

use crate::support::{assert_close, on_threads, random, wide};

/// Random settings and sizes that fit each other.
fn cases() -> impl Strategy<Value = (Conv2d, usize, [usize; 3])> {
    let pair = |range: std::ops::Range<usize>| [range.clone(), range];
    let settings =
        (pair(1..5), pair(1..4), pair(0..3), pair(1..3), 1..4usize, 1..4usize, 1..4usize, any::<bool>());
    let sizes = (0..14usize, pair(1..12));
    (settings, sizes).prop_filter_map("the kernel must fit", |(settings, (batch, [height, width]))| {
        let (kernel, stride, padding, dilation, groups, group_in, group_out, bias) = settings;
        let conv =
            Conv2d { out_channels: groups * group_out, kernel, stride, padding, dilation, groups, bias };
        let image = [groups * group_in, height, width];
        ConvGeometry::new(&conv, batch, image).ok().map(|_| (conv, batch, image))
    })
}

struct Run {
    y: Vec<f32>,
    dx: Vec<f32>,
    dweight: Vec<f32>,
    dbias: Vec<f32>,
}

fn run(g: &ConvGeometry, x: &[f32], weight: &[f32], bias: Option<&[f32]>, dy: &[f32]) -> Run {
    let mut run = Run {
        // Outputs start as NaN: every element must be written.
        y: vec![f32::NAN; g.output_len()],
        dx: vec![f32::NAN; x.len()],
        dweight: vec![f32::NAN; weight.len()],
        dbias: vec![f32::NAN; g.out_channels],
    };
    conv2d(g, x, weight, bias, &mut run.y).unwrap();
    let gradients =
        ConvGradients { x: Some(&mut run.dx), weight: &mut run.dweight, bias: Some(&mut run.dbias) };
    conv2d_backward(g, x, weight, dy, gradients).unwrap();
    run
}

proptest! {
    #[test]
    fn convolution_and_its_gradients_match_the_oracle((conv, batch, image) in cases(), seed: u32) {
        let g = ConvGeometry::new(&conv, batch, image).unwrap();
        let (x, weight) = (random(seed, g.input_len()), random(seed ^ 1, g.weight_len()));
        let (bias, dy) = (random(seed ^ 2, g.out_channels), random(seed ^ 3, g.output_len()));
        let bias = conv.bias.then_some(&bias[..]);
        let found = run(&g, &x, &weight, bias, &dy);
        let (x, weight, dy) = (wide(&x), wide(&weight), wide(&dy));
        assert_close("y", &found.y, &naive::conv2d(&g, &x, &weight, bias.map(wide).as_deref()))?;
        let [dx, dweight, dbias] = naive::conv2d_backward(&g, &x, &weight, &dy);
        assert_close("dx", &found.dx, &dx)?;
        assert_close("dweight", &found.dweight, &dweight)?;
        assert_close("dbias", &found.dbias, &dbias)?;
    }
}

#[test]
fn the_same_bits_for_1_2_and_8_threads() {
    let g = ConvGeometry::new(&Conv2d::new(7, 3).padding(1), 33, [5, 11, 9]).unwrap();
    let (x, weight) = (random(1, g.input_len()), random(2, g.weight_len()));
    let (bias, dy) = (random(3, g.out_channels), random(4, g.output_len()));
    let work = || {
        let run = run(&g, &x, &weight, Some(&bias), &dy);
        [run.y, run.dx, run.dweight, run.dbias].concat().iter().map(|v| v.to_bits()).collect::<Vec<u32>>()
    };
    let one = on_threads(1, work);
    assert!(one == on_threads(2, work) && one == on_threads(8, work));
}

#[test]
fn wrong_lengths_are_refused() {
    let g = ConvGeometry::new(&Conv2d::new(2, 3), 1, [1, 4, 4]).unwrap();
    let mut y = [0.0; 8];
    let error = conv2d(&g, &[0.0; 15], &[0.0; 18], None, &mut y).unwrap_err();
    assert_eq!(error.to_string(), "`x` has 15 elements, but its shape has 16");
    assert!(conv2d(&g, &[0.0; 16], &[0.0; 17], None, &mut y).is_err());
    assert!(conv2d(&g, &[0.0; 16], &[0.0; 18], Some(&[0.0]), &mut y).is_err());
    assert!(conv2d(&g, &[0.0; 16], &[0.0; 18], None, &mut y[1..]).is_err());
}

#[test]
fn nan_reaches_exactly_the_outputs_that_see_it() {
    let g = ConvGeometry::new(&Conv2d::new(1, 3).padding(1), 1, [1, 5, 5]).unwrap();
    let mut x = [1.0; 25];
    x[0] = f32::NAN;
    let mut y = [0.0; 25];
    conv2d(&g, &x, &[1.0; 9], None, &mut y).unwrap();
    let seen: Vec<usize> = (0..25).filter(|&at| y[at].is_nan()).collect();
    assert_eq!(seen, [0, 1, 5, 6]);
}
