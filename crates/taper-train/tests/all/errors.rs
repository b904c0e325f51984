//! What does not fit is refused before the first step.

use taper_data::{Dataset, Images};
use taper_graph::{Graph, Linear, Op};
use taper_model::Model;
use taper_train::{Control, FitConfig, Optimizer, TrainError, evaluate, fit};

use crate::bars::{bars, config, model};

/// The error of a run that must not get as far as an event.
fn refused(train: &Dataset, validation: &Dataset, config: &FitConfig) -> String {
    fit(model(0.0), train, validation, config, &mut |event| panic!("{event:?}")).unwrap_err().to_string()
}

#[test]
fn datasets_that_do_not_fit_the_network() {
    let good = bars(8, 1);
    let empty = good.take(0);
    let small =
        Dataset::new(Images::new(1, 3, 4, 5, vec![0; 60]).unwrap(), vec![0], good.class_names.clone())
            .unwrap();
    let mut many = good.clone();
    many.class_names.push("fifth".to_owned());
    let cases = [
        (&empty, &good, "there are no training images"),
        (&good, &empty, "there are no validation images"),
        (&small, &good, "the training images are [3, 4, 5]"),
        (&good, &small, "the validation images are [3, 4, 5]"),
        (&many, &good, "the training images have 5 classes, but the network `bars` gives [N, 4]"),
        (&good, &many, "the validation images have 5 classes"),
    ];
    for (train, validation, start) in cases {
        let message = refused(train, validation, &config(1));
        assert!(message.starts_with(start), "{message}");
    }
    assert!(refused(&small, &good, &config(1)).contains("`bars` takes [N, 1, 8, 8]"));
}

#[test]
fn settings_out_of_range() {
    let message = refused(&bars(8, 1), &bars(8, 2), &FitConfig { epochs: 0, ..config(1) });
    assert_eq!(message, "epochs is 0; it must be at least 1");
}

#[test]
fn an_evaluation_checks_too() {
    let data = bars(8, 1);
    let error =
        |data: &Dataset, batch| evaluate(&model(0.0), data, batch, &mut |_| {}).unwrap_err().to_string();
    assert!(error(&data, 0).starts_with("batch_size is 0"), "{}", error(&data, 0));
    assert!(
        error(&data.take(0), 1).starts_with("there are no evaluation images"),
        "{}",
        error(&data.take(0), 1)
    );
}

#[test]
fn a_network_without_a_flat_output_is_refused() {
    let graph = Graph::sequential("flat", &[1, 8, 8], [Op::Relu]).unwrap();
    let result =
        fit(Model::new(graph, 0).unwrap(), &bars(8, 1), &bars(8, 2), &config(1), &mut |_| Control::Continue);
    assert!(matches!(result, Err(TrainError::Classes { classes: 4, .. })), "{result:?}");
}

#[test]
fn a_diverging_run_names_the_step_and_the_remedy() {
    let graph = Graph::sequential("linear", &[1, 8, 8], [Op::Flatten, Op::Linear(Linear::new(4))]).unwrap();
    let config = FitConfig { optimizer: Optimizer::sgd(0.0), learning_rate: 1e300, ..config(2) };
    let result =
        fit(Model::new(graph, 0).unwrap(), &bars(96, 1), &bars(8, 2), &config, &mut |_| Control::Continue);
    let error = result.unwrap_err();
    assert!(matches!(error, TrainError::Diverged { epoch: 1, step: 2, .. }), "{error}");
    assert!(error.to_string().contains("lower the learning rate"), "{error}");
}
