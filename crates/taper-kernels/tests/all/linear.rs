use proptest::prelude::*;
use taper_kernels::{LinearGeometry, linear, linear_backward_input, linear_backward_params, naive};

use crate::support::{assert_close, on_threads, random, wide};

proptest! {
    #[test]
    fn linear_and_its_gradients_match_the_oracle(
        batch in 1..40usize, in_features in 1..70usize, out_features in 1..70usize, seed: u32,
    ) {
        let g = LinearGeometry { batch, in_features, out_features };
        let (x, weight) = (random(seed, g.input_len()), random(seed ^ 1, g.weight_len()));
        let (bias, dy) = (random(seed ^ 2, out_features), random(seed ^ 3, g.output_len()));
        let mut y = vec![f32::NAN; g.output_len()];
        linear(g, &x, &weight, Some(&bias), &mut y).unwrap();
        assert_close("y", &y, &naive::linear(batch, &wide(&x), &wide(&weight), &wide(&bias)))?;

        // A linear layer is a 1×1 convolution of a 1×1 image, whose oracle has the gradients.
        let conv = taper_graph::Conv2d::new(out_features, 1);
        let as_conv = taper_kernels::ConvGeometry::new(&conv, batch, [in_features, 1, 1]).unwrap();
        let [dx, dweight, dbias] = naive::conv2d_backward(&as_conv, &wide(&x), &wide(&weight), &wide(&dy));
        let mut found = [vec![f32::NAN; x.len()], vec![f32::NAN; weight.len()], vec![f32::NAN; out_features]];
        let [found_dx, found_dweight, found_dbias] = &mut found;
        linear_backward_input(g, &weight, &dy, found_dx).unwrap();
        linear_backward_params(g, &x, &dy, found_dweight, Some(found_dbias)).unwrap();
        assert_close("dx", found_dx, &dx)?;
        assert_close("dweight", found_dweight, &dweight)?;
        assert_close("dbias", found_dbias, &dbias)?;
    }
}

#[test]
fn the_same_bits_for_1_2_and_8_threads() {
    // Large enough for the product to be shared out, and no multiple of anything.
    let g = LinearGeometry { batch: 101, in_features: 515, out_features: 259 };
    let (x, weight, dy) = (random(1, g.input_len()), random(2, g.weight_len()), random(3, g.output_len()));
    let work = || {
        let mut y = vec![0.0; g.output_len()];
        let (mut dx, mut dweight) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
        linear(g, &x, &weight, None, &mut y).unwrap();
        linear_backward_input(g, &weight, &dy, &mut dx).unwrap();
        linear_backward_params(g, &x, &dy, &mut dweight, None).unwrap();
        [y, dx, dweight].concat().iter().map(|v| v.to_bits()).collect::<Vec<u32>>()
    };
    let one = on_threads(1, work);
    assert!(one == on_threads(2, work) && one == on_threads(8, work));
}
