use taper_graph::Activation;
use taper_kernels::{Isa, activate, activate_backward, activate_backward_part, activate_part};

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

/// Each derivative in f64, from its definition, written so that no digits cancel.
fn derivative(function: Activation, x: f64) -> f64 {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    match function {
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Gelu => {
            let cdf = 0.5 * libm::erfc(-x / std::f64::consts::SQRT_2);
            cdf + x * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
        }
        Activation::Silu => sigmoid(x) * (1.0 + x * sigmoid(-x)),
        Activation::Tanh => 4.0 * sigmoid(2.0 * x) * sigmoid(-2.0 * x),
        Activation::Sigmoid => sigmoid(x) * sigmoid(-x),
    }
}

#[test]
fn every_digit_is_right_over_the_whole_range() {
    // From 2⁻³⁰ to 2⁷, both signs, 200 to a doubling.
    let sizes = (-6000..1400).map(|step| 2f32.powf(step as f32 / 200.0));
    let x: Vec<f32> = sizes.flat_map(|x| [x, -x]).collect();
    let dy = vec![1.0; x.len()];
    let mut failures = Vec::new();
    for isa in Isa::available() {
        for function in Activation::ALL {
            let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
            activate_part(isa, function, &x, &mut y).unwrap();
            activate_backward_part(isa, function, &x, &dy, &mut dx).unwrap();
            let (mut worst, mut worst_slope) = ((0.0, 0.0), (0.0, 0.0));
            for ((&x, &y), &dx) in x.iter().zip(&y).zip(&dx) {
                let wide = f64::from(x);
                let error = |found: f32, expected: f64, scale: f64| {
                    // Below 2⁻¹²⁶ f32 has fewer digits.
                    ((f64::from(found) - expected).abs() - 1.2e-38 * (1.0 + wide.abs())) / scale.max(1e-300)
                };
                let value = definition(function, wide);
                let slope = derivative(function, wide);
                let relative = error(y, value, value.abs());
                // Where two terms of a derivative cancel, what counts is one of them, f(x)/x.
                let cancels = matches!(function, Activation::Gelu | Activation::Silu);
                let terms = if cancels { slope.abs().max((value / wide).abs()) } else { slope.abs() };
                let relative_slope = error(dx, slope, terms);
                worst = if relative > worst.0 { (relative, wide) } else { worst };
                worst_slope =
                    if relative_slope > worst_slope.0 { (relative_slope, wide) } else { worst_slope };
            }
            if worst.0 > 4e-7 || worst_slope.0 > 1e-6 {
                failures.push(format!("{isa:?} {function:?}: {worst:?}, slope {worst_slope:?}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn parts_of_any_length_have_the_same_bits() {
    let x: Vec<f32> = (0..1000).map(|i| (i as f32 - 500.0) / 50.0).collect();
    for function in Activation::ALL {
        let (mut whole, mut parts) = (vec![0.0; 1000], vec![1.0; 1000]);
        activate(function, &x, &mut whole).unwrap();
        for (x, y) in x.chunks(13).zip(parts.chunks_mut(13)) {
            activate_part(Isa::current(), function, x, y).unwrap();
        }
        assert_eq!(parts, whole);
        activate_backward(function, &x, &whole.clone(), &mut whole).unwrap();
        let dy = parts.clone();
        for ((x, dy), dx) in x.chunks(13).zip(dy.chunks(13)).zip(parts.chunks_mut(13)) {
            activate_backward_part(Isa::current(), function, x, dy, dx).unwrap();
        }
        assert_eq!(parts, whole);
    }
    assert!(activate_part(Isa::current(), Activation::Relu, &[1.0], &mut []).is_err());
    assert!(activate_backward_part(Isa::current(), Activation::Relu, &[1.0], &[], &mut [1.0]).is_err());
}
