//! Decoding that is given up when it stands still.
//!
//! Where a footer has other types than its fields should, what the decoder takes for a list is not what [`super::thrift`] has checked;
//! it counts the elements, however many a few bytes claim. That may take hours, and it cannot be told to stop.

use std::io;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

/// How often the thread is looked at. What stops the whole process stops the looks as well.
const LOOK: Duration = Duration::from_millis(100);
/// Looks without progress after which the thread is given up: 30 s, so that a disk may wake up.
pub(super) const PATIENCE: usize = 300;

/// Counts what is done.
#[derive(Clone, Default)]
pub(super) struct Progress(Arc<AtomicUsize>);

impl Progress {
    pub(super) fn tick(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Runs `work` on a thread of its own. `None` if it made no progress for `patience` looks: the thread then goes on to its end, or to
/// that of the process, and what it gives is thrown away.
pub(super) fn watched<T: Send + 'static>(
    patience: usize,
    work: impl FnOnce(&Progress) -> T + Send + 'static,
) -> io::Result<Option<T>> {
    let progress = Progress::default();
    let (seen, (sender, receiver)) = (progress.clone(), sync_channel(1));
    let worker =
        thread::Builder::new().name("parquet".to_owned()).spawn(move || sender.send(work(&progress)))?;
    let (mut last, mut still) = (0, 0);
    while still < patience {
        match receiver.recv_timeout(LOOK) {
            Ok(result) => return Ok(Some(result)),
            Err(RecvTimeoutError::Disconnected) => {
                // It ended without a result: it panicked.
                return worker.join().map_or_else(|panic| resume_unwind(panic), |_| Ok(None));
            }
            Err(RecvTimeoutError::Timeout) => {
                let now = seen.0.load(Ordering::Relaxed);
                still = if now == last { still + 1 } else { 0 };
                last = now;
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_still_is_given_up_and_what_is_slow_is_not() {
        let (release, wait) = sync_channel::<()>(0);
        assert_eq!(watched(2, move |_| wait.recv().is_err()).unwrap(), None);
        drop(release);
        let slow = watched(20, |progress| {
            for _ in 0..30 {
                progress.tick();
                thread::sleep(LOOK);
            }
            7
        });
        assert_eq!(slow.unwrap(), Some(7));
    }
}
