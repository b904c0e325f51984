//! Whole runs that are shared by several ranks, here the threads of one process.

use std::num::NonZeroUsize;
use std::sync::Arc;

use taper_data::Augment;
use taper_model::exchange::{Exchange, Threads};
use taper_train::{
    Checkpoint, Checkpointing, Control, Event, FitConfig, Fitted, Optimizer, TrainError, fit, fit_on_rank,
};

use crate::bars::{bars, config, graph, model};

/// A last batch that is smaller than there are shards, changed images, dropout and a moving average.
fn settings(shards: usize) -> FitConfig {
    FitConfig {
        optimizer: Optimizer::adam(),
        batch_size: 31,
        shards: Some(shards),
        clip_norm: Some(0.5),
        ema_decay: Some(0.9),
        augment: Augment { shift: 1, rotation: 10.0, ..Augment::default() },
        ..config(2)
    }
}

fn none() -> Checkpointing<'static> {
    Checkpointing { from: None, every: None, save: None }
}

fn run(
    config: &FitConfig,
    checkpointing: Checkpointing<'_>,
    exchange: Arc<dyn Exchange>,
    on_event: &mut dyn FnMut(&Event<'_>) -> Control,
) -> Result<Fitted, TrainError> {
    let data = [&bars(96, 1), &bars(41, 2)];
    fit_on_rank(model(0.3), data, config, checkpointing, exchange, on_event)
}

fn on_ranks<T: Send>(count: usize, work: impl Fn(Arc<dyn Exchange>) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let start = |rank: Threads| {
            let work = &work;
            scope.spawn(move || work(Arc::new(rank)))
        };
        let ranks: Vec<_> = Threads::ranks(count).into_iter().map(start).collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

fn assert_same(found: &Fitted, expected: &Fitted, what: &str) {
    assert_eq!(found.history, expected.history, "{what}");
    assert_eq!(found.history.to_csv(), expected.history.to_csv(), "{what}");
    assert_eq!(found.model.weights().unwrap(), expected.model.weights().unwrap(), "{what}");
    assert_eq!(found.best_epoch, expected.best_epoch, "{what}");
}

#[test]
fn a_run_gives_the_same_bits_on_any_number_of_ranks() {
    for (shards, ranks) in [(2, &[2][..]), (3, &[3]), (4, &[1, 2, 4]), (6, &[2])] {
        let alone =
            fit(model(0.3), &bars(96, 1), &bars(41, 2), &settings(shards), &mut |_| Control::Continue);
        let alone = alone.unwrap();
        for &ranks in ranks {
            let found = on_ranks(ranks, |rank| {
                run(&settings(shards), none(), rank, &mut |_| Control::Continue).unwrap()
            });
            for found in &found {
                assert_same(found, &alone, &format!("{shards} shards on {ranks} ranks"));
            }
        }
    }
}

#[test]
fn one_shard_is_no_shard() {
    let of = |shards| FitConfig { shards, ..settings(1) };
    let found = |config: &FitConfig| {
        on_ranks(1, |alone| run(config, none(), alone, &mut |_| Control::Continue).unwrap()).swap_remove(0)
    };
    assert_same(&found(&of(Some(1))), &found(&of(None)), "one shard");
    assert_ne!(found(&of(Some(2))).history, found(&of(None)).history);
}

#[test]
fn ranks_stop_together_and_others_go_on_from_there() {
    let whole = on_ranks(1, |alone| run(&settings(4), none(), alone, &mut |_| Control::Continue).unwrap());
    // Rank 1 is told to stop after the second step, and all hear of it in the third.
    let stopped = on_ranks(2, |rank| {
        let (mut steps, mut kept, told) = (0, None, rank.rank() == 1);
        let save = Box::new(|checkpoint: &Checkpoint| {
            kept = Some(checkpoint.clone());
            Ok(())
        });
        let checkpointing = Checkpointing { from: None, every: NonZeroUsize::new(100), save: Some(save) };
        let fitted = run(&settings(4), checkpointing, rank, &mut |event| {
            steps += usize::from(matches!(event, Event::Step(_)));
            if told && steps == 2 { Control::Stop } else { Control::Continue }
        });
        let fitted = fitted.unwrap();
        (fitted.interrupted, fitted.history.steps.len(), kept.unwrap())
    });
    for (interrupted, steps, checkpoint) in &stopped {
        assert_eq!((*interrupted, *steps, checkpoint.trainer.step), (true, 3, 3));
    }
    // Four ranks go on from what two left, and sent them.
    let bytes = stopped[0].2.to_bytes().unwrap();
    let from = &Checkpoint::from_bytes(&bytes, &graph(0.3)).unwrap();
    assert_eq!(*from, stopped[0].2);
    assert!(
        Checkpoint::from_bytes(&bytes[1..], &graph(0.3)).unwrap_err().to_string().contains("cannot be read")
    );
    let resumed = on_ranks(4, |rank| {
        let checkpointing = Checkpointing { from: Some(from.clone()), every: None, save: None };
        run(&settings(4), checkpointing, rank, &mut |_| Control::Continue).unwrap()
    });
    for found in &resumed {
        assert_same(found, &whole[0], "gone on from");
    }
}

#[test]
fn shards_that_make_no_sense_are_refused() {
    let refused = |shards, ranks| {
        let outcomes = on_ranks(ranks, |rank| {
            let outcome = run(&settings(shards), none(), rank, &mut |_| Control::Continue);
            outcome.unwrap_err().to_string()
        });
        outcomes[0].clone()
    };
    assert_eq!(refused(0, 1), "shards is 0; it must be at least 1, and no more than batch_size");
    assert_eq!(refused(32, 2), "shards is 32; it must be at least 1, and no more than batch_size");
    assert_eq!(refused(5, 2), "5 shards of a batch cannot be dealt evenly to 2 ranks; give a multiple of 2");
}
