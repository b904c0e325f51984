//! Event files against one that TensorBoard's own package wrote; `.ci/python/check_events.py` reads those of a run with it.

use std::fs;

use taper_train::{EpochRecord, History, StepRecord};

/// The history below, by `RecordWriter` and the messages of tensorboard 2.21.0.
const TENSORBOARDS: &str = "\
    0f000000000000006d532b091a0d627261696e2e4576656e743a32fc9851294a00000000000000af77dbb010012a460a110a\
    0a747261696e2f6c6f737315000010400a150a0e747261696e2f616363757261637915000000000a1a0a13747261696e2f6c\
    6561726e696e675f72617465156f12833a16ddddd84b000000000000008709999610ac022a460a110a0a747261696e2f6c6f\
    737315cdcccc3d0a150a0e747261696e2f6163637572616379150000803f0a1a0a13747261696e2f6c6561726e696e675f72\
    617465156f12833ab3334c2239000000000000008b0737f110ac022a340a160a0f76616c69646174696f6e2f6c6f7373159a\
    99993e0a1a0a1376616c69646174696f6e2f6163637572616379158fc2753f0150fc50";

fn history() -> History {
    let step = |step, loss, accuracy| StepRecord { epoch: 1, step, loss, accuracy, learning_rate: 1e-3 };
    let epoch = EpochRecord { epoch: 1, step: 300, validation_loss: 0.3, validation_accuracy: 0.96 };
    History { steps: vec![step(1, 2.25, 0.0), step(300, 0.1, 1.0)], epochs: vec![epoch] }
}

#[test]
fn the_file_is_the_one_that_tensorboard_would_write() {
    let hex: String = history().to_events().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex, TENSORBOARDS);
}

#[test]
fn a_file_that_grows_ends_as_one_that_is_written_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let [grown, whole] = ["grown", "whole"].map(|name| folder.path().join(name));
    history().write_events(&whole).unwrap();
    let mut part = history();
    part.epochs.clear();
    part.steps.pop();
    for history in [&History::default(), &part, &history(), &history()] {
        history.update_events(&grown).unwrap();
        assert!(fs::read(&grown).unwrap() == history.to_events());
    }
    assert!(fs::read(&grown).unwrap() == fs::read(&whole).unwrap());

    // A process was killed in the middle of a write, after the checkpoint that the next goes on from, or on other data.
    let events = fs::read(&whole).unwrap();
    for left in [&events[..150], b"", b"of another run", &[&events[..], b"more"].concat()] {
        fs::write(&grown, left).unwrap();
        part.update_events(&grown).unwrap();
        assert!(fs::read(&grown).unwrap() == part.to_events());
    }
    let error = part.update_events(&folder.path().join("nowhere/file")).unwrap_err();
    assert!(error.to_string().contains("nowhere"), "{error}");
}
