//! How long a rank talks to the others, and waits for them, while it trains.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use taper_model::exchange::{Exchange, ExchangeError};
use taper_train::Event;

/// An [`Exchange`] with a clock.
#[derive(Debug)]
pub(super) struct Timed {
    inner: Arc<dyn Exchange>,
    /// Since the last event.
    running: AtomicU64,
    /// In training steps.
    nanoseconds: AtomicU64,
}

impl Timed {
    pub(super) fn new(inner: Arc<dyn Exchange>) -> Self {
        Self { inner, running: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) }
    }

    /// Counts what was said since the event before if it was a training step that has just ended; a validation, say, does not count.
    pub(super) fn hear(&self, event: &Event<'_>) {
        let nanoseconds = self.running.swap(0, Ordering::Relaxed);
        if matches!(event, Event::Step(_)) {
            self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        }
    }

    /// How long it took so far.
    pub(super) fn total(&self) -> Duration {
        Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed))
    }
}

impl Exchange for Timed {
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
        let clock = Instant::now();
        let outcome = self.inner.send_receive(to, sent, from, received);
        let nanoseconds = u64::try_from(clock.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.running.fetch_add(nanoseconds, Ordering::Relaxed);
        outcome
    }
}
