//! Batches in shards, on one rank and on several: the same bits; and beside batches that are run whole.

use std::sync::Arc;

use taper_graph::{BatchNorm2d, Conv2d, Graph, Linear, MaxPool2d, Op, Preset};
use taper_model::exchange::{Exchange, ExchangeError, Threads};
use taper_model::{Gradients, Model, ModelError, Optimizer, Step, Trainer, TrainerSettings, TrainerState};

use crate::fixture::relative_error;

/// Dropout, ReLU and pooling; batch norm too, if it is asked for.
pub(crate) fn graph(norm: bool) -> Graph {
    let mut ops = vec![Op::Conv2d(Conv2d::new(9, 3).padding(1))];
    if norm {
        ops.push(Op::BatchNorm2d(BatchNorm2d::default()));
    }
    ops.extend([
        Op::Relu,
        Op::MaxPool2d(MaxPool2d::new(2)),
        Op::dropout(0.3),
        Op::Flatten,
        Op::Linear(Linear::new(21)),
        Op::Relu,
        Op::dropout(0.2),
        Op::Linear(Linear::new(4)),
    ]);
    Graph::sequential("sharded", &[2, 8, 8], ops).unwrap()
}

pub(crate) fn settings(shards: usize) -> TrainerSettings {
    let optimizer = Optimizer::adam();
    let (clip_norm, ema_decay) = (Some(0.5), Some(0.9));
    TrainerSettings { optimizer, label_smoothing: 0.1, seed: 7, clip_norm, ema_decay, shards }
}

pub(crate) fn batch(number: usize, count: usize) -> (Vec<f32>, Vec<u8>) {
    let images =
        (0..count * 128).map(|place| ((place * 37 + number * 11) % 97) as f32 / 97.0 - 0.5).collect();
    (images, (0..count).map(|image| ((image * 3 + number) % 4) as u8).collect())
}

/// What some steps find and leave; the last batch is smaller than there are shards.
pub(crate) fn train(
    graph: &Graph,
    settings: TrainerSettings,
    exchange: Arc<dyn Exchange>,
) -> (Vec<Step>, TrainerState) {
    let mut trainer = Trainer::on_rank(Model::new(graph.clone(), 1).unwrap(), settings, exchange).unwrap();
    let steps = [26, 17, 26, 3].into_iter().enumerate().map(|(number, count)| {
        let (images, labels) = batch(number, count);
        trainer.step(&images, &labels, 0.01).unwrap()
    });
    (steps.collect(), trainer.state().unwrap())
}

/// Runs `work` on so many ranks, each a thread; gives the answers by rank.
pub(crate) fn on_ranks<T: Send>(count: usize, work: impl Fn(Arc<dyn Exchange>) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let start = |rank: Threads| {
            let work = &work;
            scope.spawn(move || work(Arc::new(rank)))
        };
        let ranks: Vec<_> = Threads::ranks(count).into_iter().map(start).collect();
        ranks.into_iter().map(|rank| rank.join().unwrap()).collect()
    })
}

#[test]
fn the_bits_are_those_of_the_shards_whatever_the_ranks() {
    for norm in [false, true] {
        let graph = graph(norm);
        for (shards, ranks) in [(2, &[2][..]), (3, &[3]), (4, &[2, 4]), (6, &[2, 3, 6]), (12, &[4])] {
            let alone = on_ranks(1, |alone| train(&graph, settings(shards), alone)).swap_remove(0);
            for &ranks in ranks {
                for (rank, found) in
                    on_ranks(ranks, |rank| train(&graph, settings(shards), rank)).into_iter().enumerate()
                {
                    assert!(found == alone, "rank {rank} of {ranks}, {shards} shards, batch norm: {norm}");
                }
            }
        }
    }
}

#[test]
fn without_a_number_there_is_a_shard_for_each_rank() {
    let graph = graph(true);
    let told = on_ranks(3, |rank| train(&graph, settings(3), rank));
    assert!(on_ranks(3, |rank| train(&graph, settings(0), rank)) == told);
    assert!(told[0].1.weights != on_ranks(1, |rank| train(&graph, settings(0), rank))[0].1.weights);
}

fn gradients(graph: &Graph, shards: usize, count: usize) -> Gradients {
    let settings = TrainerSettings { shards, ..settings(shards) };
    let mut trainer = Trainer::new(Model::new(graph.clone(), 1).unwrap(), settings).unwrap();
    let (images, labels) = batch(5, count);
    trainer.gradients(&images, &labels).unwrap()
}

/// Dropout is drawn for an image's place in the whole batch, so that only the order of the sums differs: a sum of `n` f32 has
/// a relative error of some √n half units in the last place, and a shard has fewer numbers to add.
#[test]
fn shards_give_the_gradients_of_the_whole_batch_but_for_rounding() {
    for shards in [2, 3, 4, 7, 50] {
        let (whole, sharded) = (gradients(&graph(false), 1, 50), gradients(&graph(false), shards, 50));
        assert!((whole.step.loss - sharded.step.loss).abs() < 1e-9, "{shards} shards: {:?}", sharded.step);
        assert_eq!(whole.step.correct, sharded.step.correct);
        for ((name, whole), (other, sharded)) in whole.parameters.iter().zip(&sharded.parameters) {
            let expected: Vec<f64> = whole.data.iter().copied().map(f64::from).collect();
            let error = relative_error(&sharded.data, &expected);
            assert_eq!((name, &whole.shape), (other, &sharded.shape));
            assert!(error < 2e-6, "{shards} shards, {name}: {error}");
        }
    }
}

/// The statistics of a batch norm are those of a shard, and the running ones follow their mean.
#[test]
fn running_statistics_follow_the_mean_over_the_shards() {
    let graph = graph(true);
    let running = |shards: usize, first: usize, count: usize| {
        let mut trainer = Trainer::new(Model::new(graph.clone(), 1).unwrap(), settings(shards)).unwrap();
        let (images, labels) = batch(2, 30);
        let images = &images[first * 128..(first + count) * 128];
        trainer.step(images, &labels[first..first + count], 0.01).unwrap();
        let weights = trainer.model().unwrap().weights().unwrap();
        let of = |name: &str| weights.iter().find(|(found, _)| found.ends_with(name)).unwrap().1.data.clone();
        ["running_mean", "running_var"].map(of)
    };
    let both = running(2, 0, 30);
    for (place, found) in both.iter().enumerate() {
        let halves = [running(1, 0, 15), running(1, 15, 15)];
        for (channel, found) in found.iter().enumerate() {
            let mean = (halves[0][place][channel] + halves[1][place][channel]) / 2.0;
            assert!((found - mean).abs() < 1e-6, "{place} {channel}: {found} is not {mean}");
        }
    }
    assert_ne!(both, running(1, 0, 30));
}

#[test]
fn what_cannot_be_dealt_is_refused() {
    let try_new = |shards: usize, exchange: Arc<dyn Exchange>| {
        Trainer::on_rank(Model::new(graph(false), 1).unwrap(), settings(shards), exchange).map(drop)
    };
    for error in on_ranks(2, |rank| try_new(3, rank).unwrap_err()) {
        assert!(matches!(error, ModelError::Shards { shards: 3, ranks: 2 }), "{error}");
        assert!(error.to_string().ends_with("give a multiple of 2"), "{error}");
    }
    // One image a shard, and one pixel: no variance.
    let graph = Graph::sequential(
        "thin",
        &[3, 1, 1],
        [Op::BatchNorm2d(BatchNorm2d::default()), Op::Flatten, Op::Linear(Linear::new(2))],
    );
    let mut trainer = Trainer::new(Model::new(graph.unwrap(), 1).unwrap(), settings(2)).unwrap();
    let error = trainer.step(&[0.5; 6], &[0, 1], 0.1).unwrap_err();
    assert!(error.to_string().ends_with("use a larger batch, or fewer shards"), "{error}");
}

#[test]
fn a_rank_that_ends_is_named_by_the_others() {
    let outcomes = on_ranks(2, |rank| {
        let last = rank.rank() == 1;
        let mut trainer = Trainer::on_rank(Model::new(graph(false), 1).unwrap(), settings(2), rank).unwrap();
        let (images, mut labels) = batch(0, 8);
        // Beyond the last class, and in the share of rank 1.
        labels[6] = 9;
        let error = trainer.step(&images, &labels, 0.1).unwrap_err();
        (last, error)
    });
    assert!(
        matches!(outcomes[0].1, ModelError::Exchange(ExchangeError::Gone { rank: 1 })),
        "{:?}",
        outcomes[0]
    );
    assert!(outcomes[1].1.to_string().contains('6'), "{}", outcomes[1].1);
}

#[test]
fn ranks_vote_on_the_end() {
    for voter in 0..3 {
        let heard = on_ranks(3, |rank| {
            let votes = rank.rank() == voter;
            let mut trainer =
                Trainer::on_rank(Model::new(graph(false), 1).unwrap(), settings(3), rank).unwrap();
            let (images, labels) = batch(0, 8);
            [false, votes, false].map(|votes| {
                trainer.vote(votes);
                trainer.step(&images, &labels, 0.1).unwrap();
                trainer.voted()
            })
        });
        assert_eq!(heard, [[false, true, false]; 3], "rank {voter}");
    }
}

/// Every kind of wiring in a preset, in shards of uneven sizes.
#[test]
fn presets_train_in_shards() {
    let graph = Preset::Residual.graph().unwrap();
    let settings = TrainerSettings { shards: 4, ..TrainerSettings::default() };
    let run = |exchange| {
        let mut trainer =
            Trainer::on_rank(Model::new(graph.clone(), 3).unwrap(), settings, exchange).unwrap();
        let images: Vec<f32> = (0..11 * 784).map(|place| (place * 29 % 83) as f32 / 83.0).collect();
        let labels: Vec<u8> = (0..11).collect::<Vec<u8>>().iter().map(|image| image % 10).collect();
        (trainer.step(&images, &labels, 1e-3).unwrap(), trainer.state().unwrap())
    };
    let alone = on_ranks(1, run).swap_remove(0);
    assert!(on_ranks(2, run).iter().all(|found| *found == alone));
}
