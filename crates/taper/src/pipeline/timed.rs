//! How long a rank talks to the others, and waits for them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use taper_model::exchange::{Exchange, ExchangeError};

/// An [`Exchange`] with a clock.
#[derive(Debug)]
pub(super) struct Timed {
    inner: Arc<dyn Exchange>,
    nanoseconds: AtomicU64,
}

impl Timed {
    pub(super) fn new(inner: Arc<dyn Exchange>) -> Self {
        Self { inner, nanoseconds: AtomicU64::new(0) }
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
        self.nanoseconds.fetch_add(nanoseconds, Ordering::Relaxed);
        outcome
    }
}
