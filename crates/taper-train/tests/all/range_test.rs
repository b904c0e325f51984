//! The search for a learning rate.

use taper_train::{Control, FitConfig, RangeCurve};
use taper_train::{Optimizer, RangeTest, TrainError, find_learning_rate, fit};

use crate::bars::{bars, config, model};

fn find(range: &RangeTest, config: &FitConfig) -> RangeCurve {
    find_learning_rate(model(0.1), &bars(200, 1), config, range, &mut |_| true).unwrap()
}

#[test]
fn the_suggestion_trains_well_and_far_more_explodes() {
    let config = FitConfig { optimizer: Optimizer::sgd(0.9), ..config(3) };
    let range = RangeTest { from: 1e-5, to: 1e3, steps: 120 };
    let curve = find(&range, &config);
    let rates: Vec<f64> = curve.points.iter().map(|point| point.learning_rate).collect();
    assert!(rates.len() < 120, "the loss explodes on the way, at {:?}", rates.last());
    assert!(rates.windows(2).all(|pair| pair[1] > pair[0]));
    let suggestion = curve.suggestion.unwrap();
    let accuracy = |learning_rate| {
        let config = FitConfig { learning_rate, ..config };
        let fitted =
            fit(model(0.1), &bars(600, 1), &bars(200, 2), &config, &mut |_| Control::Continue).unwrap();
        fitted.history.best_epoch().unwrap().validation_accuracy
    };
    assert!(accuracy(suggestion) > 0.9, "{suggestion}");
    assert!(accuracy(1e-5) < 0.6);
}

#[test]
fn it_is_the_same_for_the_same_seed_and_goes_through_the_images_again() {
    // 200 images are 7 batches; 40 steps go through them more than five times.
    let range = RangeTest { steps: 40, ..RangeTest::default() };
    let curve = find(&range, &config(1));
    assert_eq!(curve.points.len(), 40);
    assert_eq!(curve, find(&range, &config(1)));
    assert_ne!(curve, find(&range, &FitConfig { seed: 9, ..config(1) }));
    let first = curve.points[0];
    assert_eq!(first.loss, first.smoothed);
}

#[test]
fn it_stops_when_it_is_told_and_refuses_a_range_without_sense() {
    let mut heard = 0;
    let mut on_point = |_: &_| {
        heard += 1;
        heard < 5
    };
    let range = RangeTest::default();
    let curve = find_learning_rate(model(0.1), &bars(60, 1), &config(1), &range, &mut on_point).unwrap();
    assert_eq!(curve.points.len(), 5);
    let wrong = [
        (RangeTest { from: 0.0, ..range }, "from is 0"),
        (RangeTest { to: 1e-7, ..range }, "to is 0.0000001"),
        (RangeTest { to: f64::INFINITY, ..range }, "to is inf"),
        (RangeTest { steps: 9, ..range }, "steps is 9"),
        (RangeTest { steps: 10_001, ..range }, "steps is 10001"),
    ];
    for (range, start) in wrong {
        let error = find_learning_rate(model(0.1), &bars(60, 1), &config(1), &range, &mut |_| true);
        match error.unwrap_err() {
            TrainError::Config(error) => assert!(error.to_string().starts_with(start), "{error}"),
            other => panic!("{other}"),
        }
    }
}
