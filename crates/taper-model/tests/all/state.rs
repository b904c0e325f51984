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

fn trainer(optimizer: Optimizer, first_weights: u64) -> Trainer {
    let settings = TrainerSettings { optimizer, label_smoothing: 0.1, seed: 3 };
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
    for optimizer in [Optimizer::sgd(0.0), Optimizer::sgd(0.9), Optimizer::adam(), Optimizer::adamw()] {
        let mut whole = trainer(optimizer, 1);
        for stopped in 0..4 {
            let state = whole.state().unwrap();
            assert_eq!(state.step, stopped as u64);
            let expected = step(&mut whole, stopped);
            let mut other = trainer(optimizer, 2);
            other.restore(&state).unwrap();
            assert_eq!(other.state().unwrap(), state, "{optimizer:?}");
            assert_eq!(step(&mut other, stopped).to_bits(), expected.to_bits(), "{optimizer:?}");
            assert_eq!(other.state().unwrap(), whole.state().unwrap(), "{optimizer:?}");
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
        Err(ModelError::Moments { order, parameter, reason }) => (order, parameter, reason),
        outcome => panic!("{outcome:?}"),
    };
    assert_eq!(refused(&mut other, state.clone()), (2, "0.bias".to_owned(), "has no place here"));
    assert_eq!(other.state().unwrap(), before);

    let mut missing = state.clone();
    missing.moments[0].remove("8.weight").unwrap();
    assert_eq!(refused(&mut adam, missing), (1, "8.weight".to_owned(), "is missing"));
    let mut wrong = state.clone();
    wrong.moments[1].insert("10.bias".to_owned(), Array { shape: vec![4], data: vec![0.0; 4] });
    assert_eq!(refused(&mut adam, wrong), (2, "10.bias".to_owned(), "has another shape"));
    assert_eq!(adam.state().unwrap(), state);
}
