//! Whole runs of the presets on candle, on the device that the tests are told, against Taper's kernels.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use taper_data::Dataset;
use taper_data::synthetic::{Part, digits};
use taper_graph::Preset;
use taper_model::{DeviceKind, Model};
use taper_train::{
    Checkpoint, CheckpointFolder, Checkpointing, Control, Event, FitConfig, Fitted, Optimizer, evaluate,
    fit_with_checkpoints,
};

use crate::device::kind;

const NOTHING: Checkpointing<'static> = Checkpointing { from: None, every: None, save: None };

fn config() -> FitConfig {
    let optimizer = Optimizer::adam();
    FitConfig { epochs: 2, batch_size: 4, optimizer, ema_decay: Some(0.9), seed: 5, ..FitConfig::default() }
}

fn part(count: usize, part: Part) -> Dataset {
    digits(count, 1, part)
}

/// Trains a preset, on candle or on the kernels, and stops after so many steps over all epochs.
fn run(preset: Preset, on_candle: bool, checkpointing: Checkpointing<'_>, stop: usize) -> Fitted {
    let model = Model::new(preset.graph().unwrap(), 5).unwrap();
    let model = if on_candle { model.on_candle(&kind().open().unwrap()).unwrap() } else { model };
    let mut steps = checkpointing.from.as_ref().map_or(0, |from| from.history.steps.len());
    let (train, validation) = (part(10, Part::Train), part(4, Part::Test));
    let mut on_event = |event: &Event<'_>| {
        steps += usize::from(matches!(event, Event::Step(_)));
        if steps >= stop { Control::Stop } else { Control::Continue }
    };
    fit_with_checkpoints(model, &train, &validation, &config(), checkpointing, &mut on_event).unwrap()
}

fn losses(fitted: &Fitted) -> Vec<f64> {
    let epochs = fitted.history.epochs.iter().map(|epoch| epoch.validation_loss);
    fitted.history.steps.iter().map(|step| step.loss).chain(epochs).collect()
}

#[test]
fn every_preset_trains_validates_and_goes_on_as_on_the_kernels() {
    for preset in Preset::ALL {
        let [candle, kernels] = [true, false].map(|on_candle| run(preset, on_candle, NOTHING, usize::MAX));
        let name = preset.name();
        assert_eq!((candle.history.steps.len(), candle.history.epochs.len()), (6, 2), "{name}");
        let close = |found: &Fitted, expected: &Fitted, what: &str| {
            for (found, expected) in losses(found).into_iter().zip(losses(expected)) {
                assert!((found - expected).abs() < 2e-2, "{name}, {what}: {found} {expected}");
            }
        };
        close(&candle, &kernels, "candle beside the kernels");
        let score =
            |fitted: &Fitted| evaluate(&fitted.model, &part(8, Part::Test), 4, &mut |_| {}).unwrap().loss;
        assert!((score(&candle) - score(&kernels)).abs() < 2e-2, "{name}");

        let kept = tempfile::tempdir().unwrap();
        let folder = CheckpointFolder::new(kept.path(), NonZeroUsize::MIN, BTreeMap::new());
        let save = Box::new(|checkpoint: &Checkpoint| folder.save(checkpoint).map(drop));
        let checkpointing = Checkpointing { from: None, every: NonZeroUsize::new(2), save: Some(save) };
        assert!(run(preset, true, checkpointing, 4).interrupted, "{name}");
        let from = folder.find(&preset.graph().unwrap()).unwrap().newest.map(|(_, checkpoint)| checkpoint);
        assert_eq!(from.as_ref().map(|from| from.history.steps.len()), Some(4), "{name}");
        let resumed = run(preset, true, Checkpointing { from, ..NOTHING }, usize::MAX);
        close(&resumed, &candle, "gone on from a checkpoint");
        // A GPU may add in another order each time.
        if kind() == DeviceKind::Cpu {
            assert_eq!(resumed.history, candle.history, "{name}");
            assert_eq!(resumed.model.weights().unwrap(), candle.model.weights().unwrap(), "{name}");
        }
    }
}
