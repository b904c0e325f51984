//! The history as CSV.

use taper_train::{EpochRecord, History, StepRecord};

/// Two epochs of two steps, with numbers that need all their digits.
fn history() -> History {
    let step = |step: usize| StepRecord {
        epoch: step.div_ceil(2),
        step,
        loss: 1.0 / (step as f64 + 2.0),
        accuracy: step as f64 / 7.0,
        learning_rate: 1e-9 / step as f64,
    };
    let epoch = |epoch: usize, loss| EpochRecord {
        epoch,
        step: 2 * epoch,
        validation_loss: loss,
        validation_accuracy: 1.0 / 3.0,
    };
    History { steps: (1..=4).map(step).collect(), epochs: vec![epoch(1, 0.1 + 0.2), epoch(2, 0.25)] }
}

#[test]
fn every_number_reads_back_bit_for_bit() {
    let history = history();
    let csv = history.to_csv();
    let mut lines = csv.lines();
    let header = "epoch,step,loss,accuracy,learning_rate,validation_loss,validation_accuracy";
    assert_eq!(lines.next(), Some(header));
    let mut epochs = history.epochs.iter();
    for record in &history.steps {
        let cells: Vec<&str> = lines.next().unwrap().split(',').collect();
        let number = |column: usize| cells[column].parse::<f64>().unwrap();
        assert_eq!(cells.len(), 7);
        assert_eq!((number(0), number(1)), (record.epoch as f64, record.step as f64));
        assert_eq!((number(2), number(3), number(4)), (record.loss, record.accuracy, record.learning_rate));
        if record.step % 2 == 0 {
            let epoch = epochs.next().unwrap();
            assert_eq!((number(5), number(6)), (epoch.validation_loss, epoch.validation_accuracy));
        } else {
            assert_eq!(cells[5..], ["", ""]);
        }
    }
    assert_eq!(lines.next(), None);
    assert!(csv.ends_with('\n'));
}

#[test]
fn the_best_epoch_is_the_earlier_of_equal_ones() {
    let mut history = history();
    assert_eq!(history.best_epoch().map(|best| best.epoch), Some(2));
    history.epochs[0].validation_loss = 0.25;
    assert_eq!(history.best_epoch().map(|best| best.epoch), Some(1));
    assert_eq!(History::default().best_epoch(), None);
}

#[test]
fn the_file_holds_the_table() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("history.csv");
    history().write_csv(&path).unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), history().to_csv());
    let error = history().write_csv(&folder.path().join("nowhere/history.csv")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn a_table_is_read_back_and_a_damaged_one_refused_by_its_line() {
    let csv = history().to_csv();
    assert_eq!(History::from_csv(&csv).unwrap(), history());
    let unscored = csv.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(History::from_csv(&unscored).unwrap().epochs, []);
    let cut = &csv[..csv.len() - 20];
    let cases = [
        ("nothing", "", 1, "header"),
        ("another table", "step,loss\n1,2\n", 1, "header"),
        ("a cut line", cut, 5, "6 values"),
        ("a word", &csv.replacen("1,2,", "1,two,", 1), 3, "`two` is no value for `step`"),
        (
            "half a validation",
            &csv.replacen(",0.25,0.33", ",,0.33", 1),
            5,
            "`` is no value for `validation_loss`",
        ),
    ];
    for (what, text, line, cause) in cases {
        let error = History::from_csv(text).expect_err(what);
        assert_eq!(error.line, line, "{what}: {error}");
        assert!(error.to_string().contains(cause), "{what}: {error}");
    }
}
