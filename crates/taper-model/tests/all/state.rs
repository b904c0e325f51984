//! A trainer that goes on where another stopped.

use taper_graph::{Array, BatchNorm2d, Conv2d, Dropout, Graph, Linear, MaxPool2d, Op};
use taper_model::{Model, ModelError, Optimizer, Trainer, TrainerSettings};

/// Every kind of step that has parameters, with odd numbers of channels, whose padding must not matter.
fn graph() -> Graph {
    let ops = [
        Op::Conv2d(Conv2d::new(11, 3)),
        Op::BatchNorm2d(BatchNorm2d::default()),
        Op::Relu,
        Op::Conv2d(Conv2d { bias: false, ..Conv2d::new(9, 3) }),
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::Dropout(Dropout { p: 0.25 }),
        Op::Flatten,
        Op::Linear(Linear { bias: false, ..Linear::new(13) }),
        Op::Relu,
        Op::Linear(Linear::new(5)),
    ];
    Graph::sequential("state", &[1, 9, 9], ops).unwrap()
}

fn settings(optimizer: Optimizer) -> TrainerSettings {
    TrainerSettings { optimizer, label_smoothing: 0.1, seed: 3, clip_norm: None, ema_decay: None, shards: 0 }
}

fn trainer(optimizer: Optimizer, first_weights: u64) -> Trainer {
    with(settings(optimizer), first_weights)
}

fn with(settings: TrainerSettings, first_weights: u64) -> Trainer {
    Trainer::new(Model::new(graph(), first_weights).unwrap(), settings).unwrap()
}

/// Step number `number`, on a batch of its own, the last of which are small.
fn step(trainer: &mut Trainer, number: usize) -> f64 {
    let count = [17, 17, 4][number % 3];
    let pixel = |place: usize| ((place * 31 + number * 17) % 101) as f32 / 101.0;
    let images: Vec<f32> = (0..count * 81).map(pixel).collect();
    let labels: Vec<u8> = (0..count).map(|image| ((image + number) % 5) as u8).collect();
    trainer.step(&images, &labels, 0.01 / (number + 1) as f64).unwrap().loss
}

#[test]
fn another_trainer_goes_on_bit_for_bit_with_every_update_rule() {
    let rules = [Optimizer::sgd(0.0), Optimizer::sgd(0.9), Optimizer::adam(), Optimizer::adamw()];
    let clipped = TrainerSettings { clip_norm: Some(0.5), ..settings(Optimizer::adam()) };
    let averaged = TrainerSettings { ema_decay: Some(0.9), ..settings(Optimizer::sgd(0.0)) };
    for settings in rules.map(settings).into_iter().chain([clipped, averaged]) {
        let mut whole = with(settings, 1);
        for stopped in 0..4 {
            let state = whole.state().unwrap();
            assert_eq!(state.step, stopped as u64);
            let expected = step(&mut whole, stopped);
            let mut other = with(settings, 2);
            other.restore(&state).unwrap();
            assert_eq!(other.state().unwrap(), state, "{settings:?}");
            assert_eq!(step(&mut other, stopped).to_bits(), expected.to_bits(), "{settings:?}");
            assert_eq!(other.state().unwrap(), whole.state().unwrap(), "{settings:?}");
        }
    }
}

#[test]
fn a_state_of_another_kind_is_refused_and_changes_nothing() {
    let mut adam = trainer(Optimizer::adam(), 1);
    step(&mut adam, 0);
    let state = adam.state().unwrap();
    let mut other = trainer(Optimizer::sgd(0.9), 1);
    let before = other.state().unwrap();
    let refused = |other: &mut Trainer, state| match other.restore(&state) {
        Err(ModelError::Moments { what, parameter, reason }) => (what, parameter, reason),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(
        refused(&mut other, state.clone()),
        ("the second moment", "0.bias".to_owned(), "has no place here")
    );
    assert_eq!(other.state().unwrap(), before);

    let mut missing = state.clone();
    missing.moments[0].remove("8.weight").unwrap();
    assert_eq!(refused(&mut adam, missing), ("the first moment", "8.weight".to_owned(), "is missing"));
    let mut wrong = state.clone();
    wrong.moments[1].insert("10.bias".to_owned(), Array { shape: vec![4], data: vec![0.0; 4] });
    assert_eq!(refused(&mut adam, wrong), ("the second moment", "10.bias".to_owned(), "has another shape"));
    assert_eq!(adam.state().unwrap(), state);
}

#[test]
fn a_state_with_a_moving_average_is_for_a_trainer_that_keeps_one() {
    let averaging = TrainerSettings { ema_decay: Some(0.9), ..settings(Optimizer::adam()) };
    let (mut with_average, mut without) = (with(averaging, 1), trainer(Optimizer::adam(), 1));
    step(&mut with_average, 0);
    step(&mut without, 0);
    let what = |result| match result {
        Err(ModelError::Moments { what, reason, .. }) => (what, reason),
        outcome => panic!("{outcome:?}"),
    };
    let states = [with_average.state().unwrap(), without.state().unwrap()];
    assert_eq!(what(without.restore(&states[0])), ("the moving average", "has no place here"));
    assert_eq!(what(with_average.restore(&states[1])), ("the moving average", "is missing"));
}
