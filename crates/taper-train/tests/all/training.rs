//! Whole training runs on a dataset that takes a second.

use taper_train::{Control, Event, FitConfig, Fitted, Optimizer, Schedule, evaluate, fit};

use crate::bars::{bars, config, model};
use crate::device::kind;

fn train(p: f32, config: &FitConfig) -> Fitted {
    fit(model(p), &bars(600, 1), &bars(200, 2), config, &mut |_| Control::Continue).unwrap()
}

#[test]
fn a_small_network_learns_the_bars() {
    let fitted = train(0.0, &config(8));
    let untrained = evaluate(&model(0.0), &bars(400, 3), 50, &mut |_| {}).unwrap();
    let scores = evaluate(&fitted.model, &bars(400, 3), 50, &mut |_| {}).unwrap();
    assert!(untrained.accuracy < 0.6, "{}", untrained.accuracy);
    assert!(scores.accuracy > 0.95, "{}", scores.accuracy);
    assert!(!fitted.interrupted);
    assert_eq!(fitted.history.epochs.len(), 8);
}

#[test]
fn candle_learns_what_the_kernels_do() {
    let plan = train(0.3, &config(8));
    let model = model(0.3).on_candle(&kind().open().unwrap()).unwrap();
    let candle = fit(model, &bars(600, 1), &bars(200, 2), &config(8), &mut |_| Control::Continue).unwrap();
    let first = |fitted: &Fitted| fitted.history.steps[..10].iter().map(|step| step.loss).collect::<Vec<_>>();
    for (found, expected) in first(&candle).into_iter().zip(first(&plan)) {
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
    }
    assert!(candle.model.is_on_candle());
    let scores = evaluate(&candle.model, &bars(400, 3), 50, &mut |_| {}).unwrap();
    assert!(scores.accuracy > 0.95, "{}", scores.accuracy);
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let config = FitConfig { seed: 11, ..config(2) };
    let (first, second) = (train(0.3, &config), train(0.3, &config));
    assert_eq!(first.history.to_csv(), second.history.to_csv());
    assert_eq!(first.model.weights().unwrap(), second.model.weights().unwrap());
    let other = train(0.3, &FitConfig { seed: 12, ..config });
    assert_ne!(first.history.steps[0].loss, other.history.steps[0].loss);
}

#[test]
fn the_best_epoch_is_what_is_returned() {
    // Labels that say the opposite of the training labels: the more is learnt, the worse it gets.
    let mut wrong = bars(200, 2);
    wrong.labels.iter_mut().for_each(|label| *label = 3 - *label);
    let mut at_best = None;
    let fitted = fit(model(0.0), &bars(600, 1), &wrong, &config(4), &mut |event| {
        if let Event::NewBest { epoch, model, .. } = event {
            at_best = Some((*epoch, model.weights().unwrap()));
        }
        Control::Continue
    })
    .unwrap();
    let losses: Vec<f64> = fitted.history.epochs.iter().map(|epoch| epoch.validation_loss).collect();
    assert!(losses[0] < losses[3], "{losses:?}");
    assert_eq!(fitted.best_epoch, Some(1));
    let weights = fitted.model.weights().unwrap();
    assert_eq!(at_best, Some((1, weights)));
    assert_eq!(evaluate(&fitted.model, &wrong, 32, &mut |_| {}).unwrap().loss, losses[0]);
}

#[test]
fn every_optimiser_descends_under_every_schedule() {
    let optimizers = [
        (Optimizer::adam(), 2e-2),
        (Optimizer::adamw(), 2e-2),
        (Optimizer::sgd(0.0), 0.2),
        (Optimizer::sgd(0.9), 0.05),
        (Optimizer::Sgd { momentum: 0.9, nesterov: true, weight_decay: 1e-4 }, 0.05),
    ];
    let mut failures = Vec::new();
    for (optimizer, learning_rate) in optimizers {
        for schedule in Schedule::ALL {
            let fitted = train(0.0, &FitConfig { optimizer, learning_rate, schedule, ..config(3) });
            let epochs = &fitted.history.epochs;
            if epochs[2].validation_loss > 0.5 * fitted.history.steps[0].loss {
                failures.push(format!("{} {schedule}: {epochs:?}", optimizer.name()));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn rates_follow_the_schedule_over_all_epochs() {
    let config = FitConfig { schedule: Schedule::OneCycle, ..config(2) };
    let fitted = train(0.0, &config);
    let steps = fitted.history.steps.len();
    assert_eq!(steps, 2 * 600usize.div_ceil(32));
    for (index, record) in fitted.history.steps.iter().enumerate() {
        assert_eq!(record.step, index + 1);
        assert_eq!(record.epoch, 1 + index / 19);
        assert_eq!(record.learning_rate, Schedule::OneCycle.rate(config.learning_rate, index, steps));
    }
}

#[test]
fn label_smoothing_keeps_both_losses_from_zero() {
    let smoothed = train(0.0, &FitConfig { label_smoothing: 0.2, ..config(6) });
    // The least cross-entropy with a target of 0.85, 0.05, 0.05, 0.05 is that target's entropy.
    let least: f64 = -(0.85 * 0.85f64.ln() + 3.0 * 0.05 * 0.05f64.ln());
    let lowest = smoothed.history.steps.iter().map(|step| step.loss).fold(f64::INFINITY, f64::min);
    assert!(lowest > least && lowest < 2.0 * least, "{lowest} {least}");
    let validated: Vec<f64> = smoothed.history.epochs.iter().map(|epoch| epoch.validation_loss).collect();
    assert!(validated.iter().all(|loss| *loss > least), "{validated:?} {least}");
}

#[test]
fn events_come_in_order_and_agree_with_the_history() {
    let (train, validation) = (bars(70, 1), bars(40, 2));
    let (mut log, mut images) = (Vec::new(), Vec::new());
    let fitted = fit(model(0.0), &train, &validation, &config(2), &mut |event| {
        log.push(match event {
            Event::Started { steps_per_epoch, .. } => format!("started {steps_per_epoch}"),
            Event::Step(step) => {
                images.push(step.progress.images_done);
                format!("step {} {}", step.epoch, step.step)
            }
            Event::Validating { epoch, progress, .. } => {
                format!("validating {epoch} {}", progress.images_done)
            }
            Event::EpochEnd(end) => format!("end {} {:?}", end.epoch, end.validation_loss),
            Event::NewBest { epoch, .. } => format!("best {epoch}"),
            _ => "other".to_owned(),
        });
        Control::Continue
    })
    .unwrap();
    let [first, second] = [0, 1].map(|epoch| fitted.history.epochs[epoch].validation_loss);
    let mut expected: Vec<String> =
        ["started 3", "step 1 1", "step 1 2", "step 1 3", "validating 1 32"].map(str::to_owned).to_vec();
    expected.extend(["validating 1 40".to_owned(), format!("end 1 {first:?}"), "best 1".to_owned()]);
    expected.extend(
        ["step 2 1", "step 2 2", "step 2 3", "validating 2 32", "validating 2 40"].map(str::to_owned),
    );
    expected.push(format!("end 2 {second:?}"));
    if second < first {
        expected.push("best 2".to_owned());
    }
    assert_eq!(log, expected);
    assert_eq!(images, [32, 64, 70, 32, 64, 70]);
}

#[test]
fn running_means_are_over_images_not_batches() {
    let mut last = None;
    let fitted = fit(model(0.0), &bars(70, 1), &bars(40, 2), &config(1), &mut |event| {
        if let Event::Step(step) = event {
            last = Some((step.loss, step.accuracy));
        }
        Control::Continue
    })
    .unwrap();
    let (loss, accuracy) = last.unwrap();
    let weights = [32.0, 32.0, 6.0];
    let mean = |of: &dyn Fn(usize) -> f64| (0..3).map(|i| weights[i] * of(i)).sum::<f64>() / 70.0;
    assert!((loss - mean(&|i| fitted.history.steps[i].loss)).abs() < 1e-12);
    assert!((accuracy - mean(&|i| fitted.history.steps[i].accuracy)).abs() < 1e-12);
}

#[test]
fn timings_count_every_image_and_stay_out_of_the_history() {
    let fitted = train(0.0, &config(2));
    assert_eq!(fitted.timings.iter().map(|timing| timing.images).collect::<Vec<_>>(), [600, 600]);
    assert!(fitted.timings.iter().all(|timing| timing.seconds > 0.0 && timing.images_per_second > 0.0));
    assert!(fitted.timings.iter().all(|timing| (0.0..timing.seconds).contains(&timing.data_seconds)));
    assert!(fitted.timings.iter().any(|timing| timing.data_seconds > 0.0));
    let total = fitted.throughput();
    assert_eq!(total.images, 1200);
    let seconds: f64 = fitted.timings.iter().map(|timing| timing.seconds).sum();
    assert!((total.seconds - seconds).abs() < 1e-9);
}

#[test]
fn an_evaluation_sees_every_image_once() {
    let data = bars(50, 4);
    let mut seen = Vec::new();
    let by_seven = evaluate(&model(0.0), &data, 7, &mut |progress| seen.push(progress.images_done)).unwrap();
    let whole = evaluate(&model(0.0), &data, 1000, &mut |_| {}).unwrap();
    assert_eq!(seen, [7, 14, 21, 28, 35, 42, 49, 50]);
    assert_eq!(by_seven.confusion_matrix, whole.confusion_matrix);
    assert!((by_seven.loss - whole.loss).abs() < 1e-6);
    assert_eq!(whole.images, 50);
}

#[test]
fn a_run_that_no_longer_gets_better_ends_early_and_is_whole() {
    let mut wrong = bars(200, 2);
    wrong.labels.iter_mut().for_each(|label| *label = 3 - *label);
    let mut told = Vec::new();
    let mut run = |early_stopping| {
        let config = FitConfig { early_stopping, ..config(6) };
        let mut listen = |event: &Event<'_>| {
            if let Event::StoppedEarly { epoch, best, .. } = event {
                told.push((*epoch, *best));
            }
            Control::Continue
        };
        fit(model(0.0), &bars(600, 1), &wrong, &config, &mut listen).unwrap()
    };
    let (whole, early) = (run(None), run(Some(2)));
    assert_eq!((whole.best_epoch, whole.history.epochs.len()), (Some(1), 6));
    assert_eq!((early.best_epoch, early.history.epochs.len()), (Some(1), 3));
    assert!(!early.interrupted);
    assert_eq!(early.model.weights().unwrap(), whole.model.weights().unwrap());
    assert_eq!(run(Some(6)).history, whole.history, "patience that lasts changes nothing");
    assert_eq!(told, [(3, 1)]);
}

#[test]
fn the_average_of_the_weights_is_what_is_validated_and_kept() {
    let mut heard = Vec::new();
    let config = FitConfig { ema_decay: Some(0.9), ..config(3) };
    let fitted = fit(model(0.3), &bars(600, 1), &bars(200, 2), &config, &mut |event| {
        if let Event::NewBest { model, .. } = event {
            heard.push(model.weights().unwrap());
        }
        Control::Continue
    })
    .unwrap();
    let plain = train(0.3, &FitConfig { ema_decay: None, ..config });
    assert_eq!(fitted.history.steps, plain.history.steps, "training itself is the same");
    assert_ne!(fitted.history.epochs, plain.history.epochs);
    let weights = fitted.model.weights().unwrap();
    assert_eq!(heard.last(), Some(&weights));
    assert_ne!(weights, plain.model.weights().unwrap());
    let scores = evaluate(&fitted.model, &bars(200, 2), 32, &mut |_| {}).unwrap();
    let best = fitted.history.best_epoch().unwrap();
    assert_eq!(scores.loss, best.validation_loss);
}

#[test]
fn dropout_of_the_settings_takes_the_place_of_the_networks() {
    let run = |p, dropout| train(p, &FitConfig { dropout, ..config(1) }).history;
    assert_eq!(run(0.3, Some(0.1)), run(0.1, None));
    assert_ne!(run(0.3, Some(0.1)), run(0.3, None));
}

#[test]
fn shifted_images_are_scored_on_the_mean_of_their_answers() {
    let fitted = train(0.0, &config(4));
    let data = bars(60, 3);
    let still = taper_train::evaluate_shifted(&fitted.model, &data, 25, 0, &mut |_| {}).unwrap();
    let plain = evaluate(&fitted.model, &data, 25, &mut |_| {}).unwrap();
    assert_eq!(still.accuracy, plain.accuracy);
    assert!((still.loss - plain.loss).abs() < 1e-6, "nine times the same is the same");
    // By the definition: a dataset for every shift.
    let mut mean = vec![[0.0; 4]; 60];
    for (x, y) in (-1..=1).flat_map(|x| (-1..=1).map(move |y| (x, y))) {
        for (index, mean) in mean.iter_mut().enumerate() {
            let mut image = vec![0.0; 64];
            taper_data::shift_into(&data.images.image(index).unwrap(), [1, 8, 8], [x, y], &mut image);
            let answer = taper_metrics::softmax(&fitted.model.logits(&image).unwrap());
            mean.iter_mut().zip(answer).for_each(|(mean, share)| *mean += share / 9.0);
        }
    }
    let loss = mean.iter().zip(&data.labels).map(|(mean, label)| -mean[usize::from(*label)].ln());
    let shifted = taper_train::evaluate_shifted(&fitted.model, &data, 25, 1, &mut |_| {}).unwrap();
    assert!((shifted.loss - loss.sum::<f64>() / 60.0).abs() < 1e-5, "{}", shifted.loss);
}
