//! Runs that are stopped, gone on with from a file, and end as if nothing had happened.

use std::collections::BTreeMap;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use taper_data::Augment;
use taper_graph::Preset;
use taper_train::{
    Checkpoint, CheckpointError, CheckpointFolder, Checkpointing, Control, EpochRecord, Event, FitConfig,
    Fitted, History, Optimizer, Schedule, TrainError, fit_with_checkpoints,
};

use crate::bars::{bars, config, graph, model};

/// Everything that a new run would not have or would draw anew: dropout, changed images, momentum, a moving average, a schedule
/// with a warm-up; and a last batch that is smaller.
fn settings() -> FitConfig {
    FitConfig {
        optimizer: Optimizer::adam(),
        batch_size: 28,
        schedule: Schedule::Linear,
        warmup: 0.25,
        dropout: Some(0.2),
        clip_norm: Some(0.5),
        ema_decay: Some(0.9),
        augment: Augment { shift: 1, rotation: 10.0, elastic: 0.5, ..Augment::default() },
        ..config(3)
    }
}

fn folder(path: &Path) -> CheckpointFolder {
    let settings = BTreeMap::from([("seed".to_owned(), "1".to_owned())]);
    CheckpointFolder::new(path, NonZeroUsize::new(2).unwrap(), settings)
}

/// Goes on from the newest checkpoint in `path`, if there is one, and stops after the step over all epochs number `stop`. Keeps one
/// every two steps.
fn run(path: &Path, stop: usize) -> Result<Fitted, TrainError> {
    let folder = folder(path);
    let from = folder.find(&graph(0.3))?.newest.map(|(_, checkpoint)| checkpoint);
    let mut steps = from.as_ref().map_or(0, |from| from.history.steps.len());
    let save = Box::new(|checkpoint: &Checkpoint| folder.save(checkpoint).map(drop));
    let checkpointing = Checkpointing { from, every: NonZeroUsize::new(2), save: Some(save) };
    // The weights are the checkpoint's, so that another first network changes nothing.
    let model = if steps == 0 { model(0.3) } else { taper_model::Model::new(graph(0.3), 99).unwrap() };
    fit_with_checkpoints(model, &bars(96, 1), &bars(40, 2), &settings(), checkpointing, &mut |event| {
        steps += usize::from(matches!(event, Event::Step(_)));
        if steps >= stop { Control::Stop } else { Control::Continue }
    })
}

#[test]
fn a_run_that_was_stopped_anywhere_ends_with_the_same_bits() {
    let whole = run(&tempfile::tempdir().unwrap().path().join("whole"), usize::MAX).unwrap();
    assert_eq!((whole.history.steps.len(), whole.history.epochs.len()), (12, 3));
    for every in 1..=5 {
        let folder = tempfile::tempdir().unwrap();
        let mut stop = every;
        let fitted = loop {
            let fitted = run(folder.path(), stop).unwrap();
            if !fitted.interrupted {
                break fitted;
            }
            assert!(fitted.history.steps.len() <= stop);
            stop += every;
        };
        assert_eq!(fitted.history, whole.history, "stopped every {every} steps");
        assert_eq!(fitted.model.weights().unwrap(), whole.model.weights().unwrap());
        assert_eq!(fitted.best_epoch, whole.best_epoch);
        let images = |fitted: &Fitted| fitted.timings.iter().map(|t| (t.epoch, t.images)).collect::<Vec<_>>();
        assert_eq!(images(&fitted), images(&whole));
    }
}

#[test]
fn a_checkpoint_in_the_middle_of_an_epoch_is_enough() {
    // As if the process had been killed: what came after the checkpoint is lost.
    let kept = tempfile::tempdir().unwrap();
    let mut count = 0;
    let own = folder(kept.path());
    let save = Box::new(|checkpoint: &Checkpoint| {
        count += 1;
        if count <= 4 { own.save(checkpoint).map(drop) } else { Ok(()) }
    });
    let checkpointing = Checkpointing { from: None, every: NonZeroUsize::new(3), save: Some(save) };
    let (train, validation) = (bars(96, 1), bars(40, 2));
    let mut go_on = |_: &Event<'_>| Control::Continue;
    let whole = fit_with_checkpoints(model(0.3), &train, &validation, &settings(), checkpointing, &mut go_on)
        .unwrap();
    let checkpoint = own.find(&graph(0.3)).unwrap().newest.unwrap().1;
    assert_eq!((checkpoint.history.steps.len(), checkpoint.history.epochs.len()), (8, 2));
    let resumed = run(kept.path(), usize::MAX).unwrap();
    assert_eq!(resumed.history, whole.history);
    assert_eq!(resumed.model.weights().unwrap(), whole.model.weights().unwrap());
}

#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let kept = tempfile::tempdir().unwrap();
    let whole = run(kept.path(), usize::MAX).unwrap();
    let again = run(kept.path(), usize::MAX).unwrap();
    assert_eq!(again.history, whole.history);
    assert_eq!(again.model.weights().unwrap(), whole.model.weights().unwrap());
    folder(kept.path()).clear().unwrap();
    assert!(!kept.path().exists());
    folder(kept.path()).clear().unwrap();
}

#[test]
fn the_newest_two_are_kept_and_a_damaged_one_is_passed_over() {
    let kept = tempfile::tempdir().unwrap();
    run(kept.path(), 5).unwrap();
    let names = || {
        let names = fs::read_dir(kept.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort();
        names
    };
    let [older, newer] = &names()[..] else { panic!("{:?}", names()) };
    assert!(
        older.starts_with("step-0000000004-epoch-0001-") && newer.starts_with("step-0000000005-epoch-0001-")
    );

    let path = kept.path().join(newer);
    let bytes = fs::read(&path).unwrap();
    for place in [0, 8, bytes.len() / 3, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x10;
        fs::write(&path, &damaged).unwrap();
        let found = folder(kept.path()).find(&graph(0.3)).unwrap();
        assert_eq!(found.newest.unwrap().1.history.steps.len(), 4);
        assert_eq!(found.damaged.len(), 1);
        assert_eq!(found.damaged[0].0, path);
    }
    for len in [0, 7, 100, bytes.len() - 1] {
        fs::write(&path, &bytes[..len]).unwrap();
        assert_eq!(folder(kept.path()).find(&graph(0.3)).unwrap().damaged.len(), 1);
    }
    // The run goes this way again, and what was passed over is no longer the newest.
    run(kept.path(), 5).unwrap();
    let [first, second] = &names()[..] else { panic!("{:?}", names()) };
    assert!(first == older && second != newer, "{first}, {second}");
    for name in [first, second] {
        fs::write(kept.path().join(name), b"").unwrap();
    }
    let none = folder(kept.path()).find(&graph(0.3)).unwrap();
    assert_eq!((none.newest, none.damaged.len()), (None, 2));
    assert!(CheckpointFolder::has_any(kept.path()).unwrap());
}

#[test]
fn what_belongs_to_another_run_is_refused() {
    let kept = tempfile::tempdir().unwrap();
    run(kept.path(), 2).unwrap();
    let settings = BTreeMap::from([("seed".to_owned(), "2".to_owned())]);
    let other = CheckpointFolder::new(kept.path(), NonZeroUsize::MIN, settings);
    let error = other.find(&graph(0.3)).unwrap_err().to_string();
    assert!(error.contains("`seed` was 1 when this checkpoint was made and is 2 now"), "{error}");
    // Its tensors are not of that network, but what is told is that it is another run's.
    let network = Preset::Tutorial.graph().unwrap();
    assert_eq!(other.find(&network).unwrap_err().to_string(), error);

    let checkpoint = folder(kept.path()).find(&graph(0.3)).unwrap().newest.unwrap().1;
    let shorter = |checkpoint: &mut Checkpoint| _ = checkpoint.history.steps.pop();
    let ahead = |checkpoint: &mut Checkpoint| {
        (checkpoint.trainer.step, checkpoint.trainer.moments) = (0, Default::default());
        checkpoint.trainer.average.clear();
        let scores = EpochRecord { epoch: 1, step: 4, validation_loss: 1.0, validation_accuracy: 0.5 };
        checkpoint.history = History { steps: Vec::new(), epochs: vec![scores] };
        checkpoint.best = Some(checkpoint.trainer.weights.clone());
    };
    let too_right = |checkpoint: &mut Checkpoint| checkpoint.history.steps[0].accuracy = 1e300;
    for damage in [&shorter as &dyn Fn(&mut Checkpoint), &ahead, &too_right] {
        let mut from = checkpoint.clone();
        damage(&mut from);
        let checkpointing = Checkpointing { from: Some(from), every: None, save: None };
        let (train, validation, settings) = (bars(96, 1), bars(40, 2), self::settings());
        let mut go_on = |_: &Event<'_>| Control::Continue;
        let outcome =
            fit_with_checkpoints(model(0.3), &train, &validation, &settings, checkpointing, &mut go_on);
        let refused = matches!(outcome, Err(TrainError::Checkpoint(CheckpointError::Inconsistent { .. })));
        assert!(refused, "{outcome:?}");
    }
}

#[test]
fn a_checkpoint_that_cannot_be_kept_ends_the_run() {
    let kept = tempfile::tempdir().unwrap();
    let file = kept.path().join("file");
    fs::write(&file, b"").unwrap();
    let error = run(&file.join("checkpoints"), usize::MAX);
    assert!(matches!(error, Err(TrainError::Checkpoint(_))), "{error:?}");
}
