//! Two things at the same time.

use std::panic::resume_unwind;
use std::thread::{Builder, scope};

use crate::error::ModelError;
use crate::exchange::ExchangeError;

/// Talks to the other ranks on a thread of its own, since that is mostly waiting, and works in the meantime. Ends when both
/// have ended: whoever talks next is alone in doing so.
pub(super) fn beside<T: Send>(
    talk: impl FnOnce() -> Result<T, ExchangeError> + Send,
    work: impl FnOnce() -> Result<(), ModelError>,
) -> Result<T, ModelError> {
    scope(|scope| {
        let thread = Builder::new().name("exchange".to_owned()).spawn_scoped(scope, talk);
        let thread = thread.map_err(|cause| ExchangeError::Thread { cause: cause.to_string() })?;
        let worked = work();
        let told = thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        worked?;
        Ok(told?)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Arc, Condvar, Mutex};
    use std::time::Duration;

    use taper_graph::{Conv2d, Graph, Linear, Op};

    use crate::exchange::{Exchange, ExchangeError, Threads};
    use crate::{Model, Trainer, TrainerSettings};

    /// A rank that shows when it has heard from another for the first time.
    #[derive(Debug)]
    struct Heard {
        inner: Threads,
        heard: Arc<(Mutex<bool>, Condvar)>,
    }

    impl Exchange for Heard {
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
            self.inner.send_receive(to, sent, from, received)?;
            *self.heard.0.lock().unwrap() = true;
            self.heard.1.notify_all();
            Ok(())
        }
    }

    /// The backward pass of a layer before the tail waits for a message of the other rank: it would wait in vain if the
    /// exchange began after it.
    #[test]
    fn ranks_hear_of_each_other_before_the_backward_pass_ends() {
        let ops = [Op::Conv2d(Conv2d::new(3, 3)), Op::GlobalAvgPool, Op::Flatten, Op::Linear(Linear::new(2))];
        let graph = Graph::sequential("waits", &[1, 6, 6], ops).unwrap();
        let pool = graph.nodes()[1].name.clone();
        let ranks = Threads::ranks(2).into_iter().map(|inner| {
            let (graph, pool) = (graph.clone(), pool.clone());
            std::thread::spawn(move || {
                let heard = Arc::new((Mutex::new(false), Condvar::new()));
                let wait = {
                    let heard = Arc::clone(&heard);
                    move || {
                        let (lock, bell) = &*heard;
                        let most = Duration::from_secs(60);
                        let waited = bell.wait_timeout_while(lock.lock().unwrap(), most, |heard| !*heard);
                        assert!(*waited.unwrap().0, "nothing was heard while the backward pass waited");
                    }
                };
                let exchange = Arc::new(Heard { inner, heard });
                let model = Model::new(graph, 1).unwrap();
                let mut trainer = Trainer::on_rank(model, TrainerSettings::default(), exchange).unwrap();
                trainer.engine.plan_mut().unwrap().gate(&pool, Arc::new(wait));
                // Of its own, so that a rank that waits does not keep the other one's work from a thread.
                let threads = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
                threads.install(|| trainer.step(&[0.5; 6 * 36], &[0, 1, 0, 1, 1, 1], 0.1).unwrap())
            })
        });
        let found: Vec<_> = ranks.collect::<Vec<_>>().into_iter().map(|rank| rank.join().unwrap()).collect();
        assert_eq!(found[0], found[1]);
    }
}
