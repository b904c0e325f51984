//! Slices of the wrong length are refused by name, and empty ones are no reason to panic.

use taper_graph::{Activation, AvgPool2d, Conv2d, MaxPool2d};
use taper_kernels::{
    BatchNormGeometry, BatchStatistics, ConvGeometry, ConvGradients, DropoutKey, KernelError, LinearGeometry,
    PoolGeometry, activate, activate_backward, avg_pool2d, avg_pool2d_backward, batch_norm_backward,
    batch_norm_eval, batch_norm_eval_backward, batch_norm_train, conv2d_backward, cross_entropy, dropout,
    linear, linear_backward_input, linear_backward_params, max_pool2d, max_pool2d_backward, softmax,
    softmax_backward,
};

type Outcome = Result<(), KernelError>;

/// Runs `kernel` with slices of the right lengths, and then with each in turn one element short.
fn check<const N: usize>(name: &str, lens: [usize; N], kernel: impl Fn([&mut [f32]; N]) -> Outcome) {
    let run = |lens: [usize; N]| {
        let mut slices = lens.map(|len| vec![0.5f32; len]);
        kernel(slices.each_mut().map(|slice| &mut slice[..]))
    };
    assert_eq!(run(lens), Ok(()), "{name}");
    for short in 0..N {
        let mut wrong = lens;
        wrong[short] -= 1;
        let error = run(wrong);
        assert!(matches!(error, Err(KernelError::Length { .. })), "{name}, slice {short}: {error:?}");
    }
}

#[test]
fn convolution_and_linear() {
    let g = ConvGeometry::new(&Conv2d::new(2, 3), 3, [2, 4, 5]).unwrap();
    let lens = [g.input_len(), g.weight_len(), g.output_len(), g.input_len(), g.weight_len(), 2];
    check("conv2d_backward", lens, |[x, weight, dy, dx, dweight, dbias]| {
        conv2d_backward(&g, x, weight, dy, ConvGradients { x: Some(dx), weight: dweight, bias: Some(dbias) })
    });
    let g = LinearGeometry { batch: 3, in_features: 4, out_features: 5 };
    check("linear", [12, 20, 5, 15], |[x, weight, bias, y]| linear(g, x, weight, Some(bias), y));
    check("linear_backward_input", [20, 15, 12], |[weight, dy, dx]| linear_backward_input(g, weight, dy, dx));
    check("linear_backward_params", [12, 15, 20, 5], |[x, dy, dweight, dbias]| {
        linear_backward_params(g, x, dy, dweight, Some(dbias))
    });
}

#[test]
fn pooling() {
    let g = PoolGeometry::max(&MaxPool2d::new(2), 2, [3, 4, 4]).unwrap();
    let indices = vec![0; g.output_len()];
    check("max_pool2d", [g.input_len(), g.output_len()], |[x, y]| {
        max_pool2d(&g, x, y, &mut indices.clone())?;
        assert!(max_pool2d(&g, x, y, &mut indices.clone()[1..]).is_err());
        Ok(())
    });
    check("max_pool2d_backward", [g.output_len(), g.input_len()], |[dy, dx]| {
        max_pool2d_backward(&g, &indices, dy, dx)?;
        assert!(max_pool2d_backward(&g, &indices[1..], dy, dx).is_err());
        Ok(())
    });
    let g = PoolGeometry::avg(&AvgPool2d::new(2), 2, [3, 4, 4]).unwrap();
    check("avg_pool2d", [g.input_len(), g.output_len()], |[x, y]| avg_pool2d(&g, x, y));
    check("avg_pool2d_backward", [g.output_len(), g.input_len()], |[dy, dx]| avg_pool2d_backward(&g, dy, dx));
}

#[test]
fn batch_norm() {
    let g = BatchNormGeometry { batch: 2, channels: 3, pixels: 4 };
    let statistics = BatchStatistics { mean: vec![0.0; 3], variance: vec![1.0; 3] };
    check("batch_norm_train", [24, 3, 3, 24], |[x, weight, bias, y]| {
        batch_norm_train(g, x, [weight, bias], 1e-5, y).map(drop)
    });
    check("batch_norm_eval", [24, 3, 3, 3, 3, 24], |[x, weight, bias, mean, variance, y]| {
        batch_norm_eval(g, x, [weight, bias, mean, variance], 1e-5, y)
    });
    check("batch_norm_backward", [24, 3, 24, 24], |[x, weight, dy, dx]| {
        batch_norm_backward(g, x, weight, &statistics, 1e-5, dy, dx).map(drop)
    });
    check("batch_norm_eval_backward", [24, 3, 3, 3, 24, 24], |[x, weight, mean, variance, dy, dx]| {
        batch_norm_eval_backward(g, x, weight, [mean, variance], 1e-5, dy, dx).map(drop)
    });
}

#[test]
fn element_wise_and_loss() {
    let relu = Activation::Relu;
    check("activate", [7, 7], |[x, y]| activate(relu, x, y));
    check("activate_backward", [7, 7, 7], |[x, dy, dx]| activate_backward(relu, x, dy, dx));
    let key = DropoutKey { seed: 1, step: 1, layer: 1 };
    check("dropout", [42, 42], |[x, y]| dropout(key, 0.5, [2, 7, 3], x, y));
    check("softmax", [24, 24], |[x, y]| softmax([2, 3, 4], x, y));
    check("softmax_backward", [24, 24, 24], |[y, dy, dx]| softmax_backward([2, 3, 4], y, dy, dx));
    check("cross_entropy", [6, 6], |[logits, gradient]| {
        cross_entropy(3, logits, &[0, 2], 0.0, gradient).map(drop)
    });
}

#[test]
fn nothing_at_all_is_no_reason_to_panic() {
    for (batch, in_features, out_features) in [(0, 4, 5), (3, 4, 0), (3, 0, 0), (0, 0, 0)] {
        let g = LinearGeometry { batch, in_features, out_features };
        let (x, weight) = (vec![0.5; g.input_len()], vec![0.5; g.weight_len()]);
        let (bias, dy) = (vec![0.5; out_features], vec![0.5; g.output_len()]);
        let mut y = dy.clone();
        linear(g, &x, &weight, Some(&bias), &mut y).unwrap();
        linear_backward_input(g, &weight, &dy, &mut x.clone()).unwrap();
        linear_backward_params(g, &x, &dy, &mut weight.clone(), Some(&mut bias.clone())).unwrap();
    }
    // Without an input feature, all that is left is the bias, and of the gradients zeros.
    let g = LinearGeometry { batch: 2, in_features: 0, out_features: 1 };
    let mut y = [9.0; 2];
    linear(g, &[], &[], Some(&[0.5]), &mut y).unwrap();
    assert_eq!(y, [0.5; 2]);

    let g = ConvGeometry::new(&Conv2d::new(2, 3), 0, [1, 4, 4]).unwrap();
    let (mut dweight, mut dbias) = ([9.0; 18], [9.0; 2]);
    let gradients = ConvGradients { x: Some(&mut []), weight: &mut dweight, bias: Some(&mut dbias) };
    conv2d_backward(&g, &[], &[0.5; 18], &[], gradients).unwrap();
    assert_eq!((dweight, dbias), ([0.0; 18], [0.0; 2]));

    for (batch, channels, pixels) in [(0, 3, 4), (2, 0, 4), (2, 3, 0)] {
        let g = BatchNormGeometry { batch, channels, pixels };
        let parameter = vec![0.5; channels];
        let statistics = batch_norm_train(g, &[], [&parameter, &parameter], 1e-5, &mut []).unwrap();
        batch_norm_backward(g, &[], &parameter, &statistics, 1e-5, &[], &mut []).unwrap();
    }
    assert!(cross_entropy(3, &[], &[], 0.0, &mut []).unwrap().mean.is_nan());
    assert!(cross_entropy(0, &[], &[], 0.0, &mut []).unwrap().mean.is_nan());
    let no_class = cross_entropy(0, &[], &[1], 0.0, &mut []);
    assert_eq!(no_class, Err(KernelError::Label { item: 0, label: 1, classes: 0 }));
    for sizes in [[0, 3, 4], [2, 0, 4], [2, 3, 0]] {
        softmax(sizes, &[], &mut []).unwrap();
    }
}
