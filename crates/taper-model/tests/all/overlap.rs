//! What ranks exchange while the backward pass goes on, and what after it.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, ThreadId};
use std::time::Duration;

use taper_graph::{BatchNorm2d, Conv2d, Graph, Linear, Op};
use taper_model::exchange::{Exchange, ExchangeError};
use taper_model::{Model, ModelError, Trainer};

use crate::shards::{batch, graph, on_ranks, settings, train};

/// A rank whose messages are counted, fail from some number on, and must not be sent by two threads at once.
#[derive(Debug)]
struct Watched {
    inner: Arc<dyn Exchange>,
    /// How many messages go well.
    good: usize,
    sent: AtomicUsize,
    busy: AtomicBool,
    /// The thread that sends each, and how many bytes.
    log: Mutex<Vec<(ThreadId, usize)>>,
}

impl Watched {
    fn new(inner: Arc<dyn Exchange>, good: usize) -> Arc<Self> {
        let (sent, busy, log) = (AtomicUsize::new(0), AtomicBool::new(false), Mutex::default());
        Arc::new(Self { inner, good, sent, busy, log })
    }
}

impl Exchange for Watched {
    fn rank(&self) -> usize {
        self.inner.rank()
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn send_receive(
        &self,
        to: usize,
        sent: &[u8],
        from: usize,
        received: &mut [u8],
    ) -> Result<(), ExchangeError> {
        assert!(!self.busy.swap(true, Ordering::SeqCst), "two threads talk to other ranks");
        self.log.lock().unwrap().push((thread::current().id(), sent.len()));
        let outcome = if self.sent.fetch_add(1, Ordering::SeqCst) < self.good {
            self.inner.send_receive(to, sent, from, received)
        } else {
            Err(ExchangeError::Length { rank: from, expected: received.len(), found: 0 })
        };
        self.busy.store(false, Ordering::SeqCst);
        outcome
    }
}

/// Networks for images of `[2, 8, 8]`, by what stands before the tail.
fn networks() -> [(&'static str, Graph); 4] {
    let sequential = |ops: Vec<Op>| Graph::sequential("overlap", &[2, 8, 8], ops).unwrap();
    let linear = |features| Op::Linear(Linear::new(features));
    let norm = || Op::BatchNorm2d(BatchNorm2d::default());
    [
        ("a batch norm and dropout", graph(true)),
        ("fewer gradients than ranks", sequential(vec![norm(), Op::Flatten, linear(4)])),
        ("nothing", sequential(vec![Op::Flatten, linear(9), Op::Relu, linear(4)])),
        (
            "everything",
            sequential(vec![
                Op::Conv2d(Conv2d::new(5, 3)),
                norm(),
                Op::Relu,
                Op::Conv2d(Conv2d::new(4, 3)),
                Op::GlobalAvgPool,
                Op::Flatten,
            ]),
        ),
    ]
}

/// One rank exchanges nothing, so that it cannot do so while it computes.
#[test]
fn overlapped_or_not_the_bits_are_the_same() {
    for (before, graph) in networks() {
        for (shards, ranks) in [(4, &[2, 4][..]), (6, &[3, 6]), (10, &[5])] {
            let alone = on_ranks(1, |alone| train(&graph, settings(shards), alone)).swap_remove(0);
            for &ranks in ranks {
                let found =
                    on_ranks(ranks, |rank| train(&graph, settings(shards), Watched::new(rank, usize::MAX)));
                for (rank, found) in found.into_iter().enumerate() {
                    assert!(
                        found == alone,
                        "{before} before the tail, rank {rank} of {ranks}, {shards} shards"
                    );
                }
            }
        }
    }
}

/// The gradients of the linear layers leave on another thread than that which trains, those before them after that on this
/// one, and all on this one where there is nothing to be done meanwhile.
#[test]
fn the_tail_is_exchanged_on_a_thread_of_its_own() {
    for (before, graph) in networks() {
        let overlaps = !["nothing", "everything"].contains(&before);
        let logs = on_ranks(2, |rank| {
            let rank = Watched::new(rank, usize::MAX);
            let model = Model::new(graph.clone(), 1).unwrap();
            let mut trainer = Trainer::on_rank(model, settings(2), Arc::clone(&rank) as _).unwrap();
            let (images, labels) = batch(0, 8);
            trainer.step(&images, &labels, 0.1).unwrap();
            let own = thread::current().id();
            let log = rank.log.lock().unwrap();
            let of = |here: bool| -> Vec<usize> {
                log.iter().filter(|(thread, _)| (*thread == own) == here).map(|(_, len)| *len).collect()
            };
            let order: Vec<bool> = log.iter().map(|(thread, _)| *thread == own).collect();
            assert!(order.is_sorted(), "{before}: {order:?}");
            [of(false), of(true)]
        });
        for [there, here] in logs {
            assert_eq!([there.len(), here.len()], if overlaps { [2, 2] } else { [0, 2] }, "{before}");
            assert_eq!(
                there.iter().sum::<usize>() > here.iter().sum(),
                overlaps,
                "{before}: {there:?}, {here:?}"
            );
        }
    }
}

/// Of three ranks, one fails at each message that there is in a step. All must end, with errors that name a rank; who has all
/// messages of the step by then, in the next.
#[test]
fn a_failing_exchange_ends_the_step_on_all_ranks() {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let [(_, graph), ..] = networks();
        for good in 0..8 {
            let errors = on_ranks(3, |rank| {
                let failing = rank.rank() == 1;
                let rank = Watched::new(rank, if failing { good } else { usize::MAX });
                let model = Model::new(graph.clone(), 1).unwrap();
                let mut trainer = Trainer::on_rank(model, settings(6), rank).unwrap();
                let (images, labels) = batch(0, 13);
                let mut step = || trainer.step(&images, &labels, 0.1);
                let error = step().and_then(|_| step()).unwrap_err();
                (failing, error)
            });
            sender.send((good, errors)).unwrap();
        }
    });
    for expected in 0..8 {
        let (good, errors) = receiver.recv_timeout(Duration::from_secs(120)).expect("the ranks hang");
        assert_eq!(good, expected);
        for (failing, error) in errors {
            match error {
                ModelError::Exchange(ExchangeError::Length { .. }) if failing => {}
                ModelError::Exchange(ExchangeError::Gone { .. }) if !failing => {}
                error => panic!("after {good} messages, on the failing rank: {failing}: {error}"),
            }
        }
    }
}
