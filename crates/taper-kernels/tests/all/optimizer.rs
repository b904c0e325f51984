//! Optimiser steps against PyTorch's in float64, and what they remember.

use serde_json::Value;
use taper_kernels::{KernelError, Moments, Optimizer};

use crate::support::{on_threads, random};

fn fixture() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/optimizers.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|&value| value as f32).collect()
}

/// The rule and learning rate of a case; what it leaves out is the default of ours, which must be PyTorch's.
fn rule(case: &Value) -> (Optimizer, f64) {
    let options = &case["options"];
    let set = |target: &mut f64, value: &Value| *target = value.as_f64().unwrap_or(*target);
    let mut rule = match case["algorithm"].as_str().unwrap() {
        "sgd" => Optimizer::sgd(0.0),
        "adam" => Optimizer::adam(),
        "adamw" => Optimizer::adamw(),
        other => panic!("{other}"),
    };
    match &mut rule {
        Optimizer::Sgd { momentum, nesterov, weight_decay } => {
            set(momentum, &options["momentum"]);
            set(weight_decay, &options["weight_decay"]);
            *nesterov = options["nesterov"].as_bool().unwrap_or(*nesterov);
        }
        Optimizer::Adam { beta1, beta2, eps, weight_decay }
        | Optimizer::AdamW { beta1, beta2, eps, weight_decay } => {
            set(beta1, &options["betas"][0]);
            set(beta2, &options["betas"][1]);
            set(eps, &options["eps"]);
            set(weight_decay, &options["weight_decay"]);
        }
    }
    (rule, options["lr"].as_f64().unwrap())
}

#[test]
fn every_step_is_pytorchs() {
    let fixture = fixture();
    let gradients: Vec<Vec<f64>> = fixture["gradients"].as_array().unwrap().iter().map(numbers).collect();
    let cases = fixture["cases"].as_array().unwrap();
    assert!(cases.len() >= 13 && gradients.len() == 10);
    let mut failures = Vec::new();
    for case in cases {
        let (rule, learning_rate) = rule(case);
        let (mut parameter, mut moments) = (narrow(&numbers(&fixture["start"])), Moments::default());
        for (step, gradient) in gradients.iter().enumerate() {
            rule.step(&mut parameter, &narrow(gradient), &mut moments, learning_rate).unwrap();
            let expected = numbers(&case["parameters"][step]);
            for (at, (&found, &expected)) in parameter.iter().zip(&expected).enumerate() {
                if (f64::from(found) - expected).abs() > 1e-5 * expected.abs().max(0.01) {
                    failures.push(format!(
                        "{}, step {}, {at}: {found}, not {expected}",
                        case["name"],
                        step + 1
                    ));
                }
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn moments_are_the_averages_they_should_be() {
    let gradients: Vec<Vec<f64>> = fixture()["gradients"].as_array().unwrap().iter().map(numbers).collect();
    let run = |rule: Optimizer| {
        let (mut parameter, mut moments) = (vec![0.0; 6], Moments::default());
        for gradient in &gradients {
            rule.step(&mut parameter, &narrow(gradient), &mut moments, 1e-3).unwrap();
        }
        assert_eq!(moments.step, gradients.len() as u64);
        moments
    };
    // Σ weight(age) · value over the gradients, the youngest of age 0.
    let weighted = |at: usize, weight: &dyn Fn(i32) -> f64, value: &dyn Fn(f64) -> f64| -> f64 {
        gradients.iter().rev().enumerate().map(|(age, g)| weight(age as i32) * value(g[at])).sum()
    };
    let close = |what: &str, found: &[f32], expected: &dyn Fn(usize) -> f64| {
        assert_eq!(found.len(), 6, "{what}");
        for (at, &found) in found.iter().enumerate() {
            let expected = expected(at);
            // Gradients reach 1024; a sum that cancels keeps that rounding.
            let tolerance = 1e-6 * expected.abs().max(1e-3);
            assert!((f64::from(found) - expected).abs() <= tolerance, "{what} {at}: {found}, not {expected}");
        }
    };
    let adam = run(Optimizer::adam());
    close("mean", &adam.first, &|at| weighted(at, &|age| 0.1 * 0.9f64.powi(age), &|g| g));
    close("mean square", &adam.second, &|at| weighted(at, &|age| 0.001 * 0.999f64.powi(age), &|g| g * g));
    assert_eq!(run(Optimizer::adamw()), adam);
    let sgd = run(Optimizer::sgd(0.9));
    close("velocity", &sgd.first, &|at| weighted(at, &|age| 0.9f64.powi(age), &|g| g));
    assert!(sgd.second.is_empty());
    let plain = run(Optimizer::sgd(0.0));
    assert!(plain.first.is_empty() && plain.second.is_empty());
}

#[test]
fn wrong_lengths_are_refused_and_change_nothing() {
    for rule in [Optimizer::sgd(0.9), Optimizer::adam(), Optimizer::adamw()] {
        let (mut parameter, mut moments) = ([1.0, 2.0, 3.0], Moments::default());
        let error = rule.step(&mut parameter, &[1.0; 2], &mut moments, 0.1).unwrap_err();
        assert_eq!(error, KernelError::Length { what: "gradient", expected: 3, found: 2 });
        assert_eq!((parameter, moments.clone()), ([1.0, 2.0, 3.0], Moments::default()));

        rule.step(&mut parameter, &[1.0; 3], &mut moments, 0.1).unwrap();
        let before = moments.clone();
        let error = rule.step(&mut [1.0; 4], &[1.0; 4], &mut moments, 0.1).unwrap_err();
        assert_eq!(error, KernelError::Length { what: "first moment", expected: 4, found: 3 });
        assert_eq!(moments, before);
    }
    // Momentum cannot begin in the middle of a run without it.
    let mut moments = Moments::default();
    Optimizer::sgd(0.0).step(&mut [1.0], &[1.0], &mut moments, 0.1).unwrap();
    assert!(Optimizer::sgd(0.9).step(&mut [1.0], &[1.0], &mut moments, 0.1).is_err());
}

#[test]
fn a_large_parameter_is_updated_as_its_parts_are_on_any_number_of_threads() {
    let nesterov = Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01 };
    for rule in [Optimizer::sgd(0.0), nesterov, Optimizer::adam(), Optimizer::adamw()] {
        let steps = |start: &[f32], gradient: &[f32]| {
            let (mut parameter, mut moments) = (start.to_vec(), Moments::default());
            for _ in 0..3 {
                rule.step(&mut parameter, gradient, &mut moments, 0.01).unwrap();
            }
            parameter
        };
        let (start, gradient) = (random(1, 50_001), random(2, 50_001));
        let parts = start.chunks(777).zip(gradient.chunks(777));
        let expected: Vec<f32> = parts.flat_map(|(start, gradient)| steps(start, gradient)).collect();
        for threads in [1, 2, 8] {
            assert!(
                on_threads(threads, || steps(&start, &gradient)) == expected,
                "{rule:?} on {threads} threads"
            );
        }
    }
}

#[test]
fn parts_of_any_length_take_the_same_step() {
    let nesterov = Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01 };
    for rule in [Optimizer::sgd(0.0), nesterov, Optimizer::adam(), Optimizer::adamw()] {
        let gradient = random(2, 1001);
        let (mut whole, mut moments) = (random(1, 1001), Moments::default());
        let (mut cut, mut first, mut second) = (whole.clone(), vec![0.0; 1001], vec![0.0; 1001]);
        for step in 1..4 {
            rule.step(&mut whole, &gradient, &mut moments, 0.01).unwrap();
            let moments = first.chunks_mut(13).zip(second.chunks_mut(13));
            for ((part, gradient), (first, second)) in
                cut.chunks_mut(13).zip(gradient.chunks(13)).zip(moments)
            {
                rule.step_part(part, gradient, [first, second], step, 0.01).unwrap();
            }
        }
        assert_eq!(cut, whole, "{rule:?}");
        assert!(moments.first.is_empty() || moments.first == first);
        assert!(moments.second.is_empty() || moments.second == second);
    }
    let mut part = [1.0; 3];
    let wrong = [[2, 3, 3], [3, 2, 3], [3, 3, 2]].map(|[gradient, first, second]| {
        let moments = [&mut vec![0.0; first][..], &mut vec![0.0; second][..]];
        Optimizer::adam().step_part(&mut part, &vec![1.0; gradient], moments, 1, 0.1).is_err()
    });
    assert_eq!((wrong, part), ([true; 3], [1.0; 3]));
}
