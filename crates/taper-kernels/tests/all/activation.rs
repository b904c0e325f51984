use taper_graph::Activation;
use taper_kernels::{activate, activate_backward};

/// Each function in f64, from its definition.
fn definition(function: Activation, x: f64) -> f64 {
    let sigmoid = 1.0 / (1.0 + (-x).exp());
    match function {
        Activation::Relu => x.max(0.0),
        Activation::Gelu => x * 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2),
        Activation::Silu => x * sigmoid,
        Activation::Tanh => x.tanh(),
        Activation::Sigmoid => sigmoid,
    }
}

#[test]
fn values_and_derivatives_match_the_definitions() {
    // 0.013 keeps the points off the kink at 0.
    let x: Vec<f32> = (-900..900).map(|i| i as f32 / 100.0 + 0.013).collect();
    for function in Activation::ALL {
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        activate(function, &x, &mut y).unwrap();
        activate_backward(function, &x, &vec![2.0; x.len()], &mut dx).unwrap();
        for ((&x, &y), &dx) in x.iter().zip(&y).zip(&dx) {
            let (x, step) = (f64::from(x), 1e-5);
            let value = definition(function, x);
            let slope = (definition(function, x + step) - definition(function, x - step)) / (2.0 * step);
            // exp(−x²/2) turns the rounding of its argument into a relative error that grows with x².
            let tolerance = 1e-7 * (4.0 + x * x) * value.abs().max(1e-3);
            assert!((f64::from(y) - value).abs() <= tolerance, "{function:?}({x}) = {y}");
            assert!((f64::from(dx) - 2.0 * slope).abs() <= 2e-6, "{function:?}'({x}) = {dx} / 2");
        }
    }
}

#[test]
fn extremes_neither_overflow_nor_lose_nan() {
    let x = [f32::NEG_INFINITY, -1e30, -100.0, 0.0, 100.0, 1e30, f32::INFINITY, f32::NAN];
    for function in Activation::ALL {
        let mut y = [0.0; 8];
        activate(function, &x, &mut y).unwrap();
        assert!(y[7].is_nan(), "{function:?}(NaN) = {}", y[7]);
        assert!(y[1..6].iter().all(|y| y.is_finite()), "{function:?}: {y:?}");
        let mut dx = [0.0; 8];
        activate_backward(function, &x, &[1.0; 8], &mut dx).unwrap();
        assert!(dx[1..6].iter().all(|dx| dx.is_finite()), "{function:?}': {dx:?}");
    }
}

#[test]
fn the_derivative_of_relu_at_zero_is_zero() {
    let mut dx = [9.0; 2];
    activate_backward(Activation::Relu, &[0.0, -0.0], &[1.0; 2], &mut dx).unwrap();
    assert_eq!(dx, [0.0; 2]);
}
