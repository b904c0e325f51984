//! A caller who answers `Stop` gets what there is.

use taper_train::{Control, Event, Fitted, fit};

use crate::bars::{bars, config, model};

/// Trains for three epochs of three steps, and stops at the first event that `stop` picks. Gives the result and the
/// place that the `Interrupted` event named; after it nothing may come.
fn stopped_at(stop: &dyn Fn(&Event<'_>) -> bool) -> (Fitted, Option<(usize, usize)>) {
    let mut place = None;
    let fitted = fit(model(0.0), &bars(96, 1), &bars(40, 2), &config(3), &mut |event| {
        assert_eq!(place, None, "{event:?} after the end");
        if let Event::Interrupted { epoch, step, .. } = event {
            place = Some((*epoch, *step));
        }
        if stop(event) { Control::Stop } else { Control::Continue }
    })
    .unwrap();
    (fitted, place)
}

#[test]
fn in_the_middle_of_an_epoch() {
    let (fitted, place) = stopped_at(&|event| matches!(event, Event::Step(s) if (s.epoch, s.step) == (2, 2)));
    assert_eq!(place, Some((2, 2)));
    assert!(fitted.interrupted);
    assert_eq!(fitted.best_epoch, Some(1));
    assert_eq!((fitted.history.steps.len(), fitted.history.epochs.len()), (5, 1));
    assert_eq!(fitted.timings.iter().map(|timing| timing.images).collect::<Vec<_>>(), [96, 64]);
    assert_eq!(fitted.history.to_csv().lines().count(), 6);
}

#[test]
fn in_the_first_epoch_the_last_weights_are_returned() {
    let (fitted, place) = stopped_at(&|event| matches!(event, Event::Step(_)));
    assert_eq!(place, Some((1, 1)));
    assert_eq!((fitted.best_epoch, fitted.history.steps.len()), (None, 1));
    assert_ne!(fitted.model.weights().unwrap(), model(0.0).weights().unwrap());
}

#[test]
fn before_the_first_step_nothing_changes() {
    let (fitted, place) = stopped_at(&|event| matches!(event, Event::Started { .. }));
    assert_eq!(place, Some((1, 0)));
    assert!(fitted.interrupted && fitted.history.steps.is_empty() && fitted.timings.is_empty());
    assert_eq!(fitted.model.weights().unwrap(), model(0.0).weights().unwrap());
}

#[test]
fn during_a_validation_it_is_finished_first() {
    let (fitted, place) = stopped_at(&|event| matches!(event, Event::Validating { epoch: 2, .. }));
    assert_eq!(place, Some((2, 3)));
    assert_eq!(fitted.history.epochs.len(), 2);
    assert!(fitted.interrupted);
}

#[test]
fn after_the_last_epoch_the_run_is_whole() {
    let (fitted, place) = stopped_at(&|event| matches!(event, Event::EpochEnd(end) if end.epoch == 3));
    assert_eq!(place, None);
    assert!(!fitted.interrupted);
    assert_eq!(fitted.history.epochs.len(), 3);
}
