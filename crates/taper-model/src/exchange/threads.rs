//! Ranks that are threads of one process.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

use super::{Exchange, ExchangeError, fill};

/// A rank among the threads of one process.
///
/// ```
/// use taper_model::exchange::{Exchange, Threads};
/// let ranks = Threads::ranks(3);
/// assert_eq!(ranks.iter().map(|rank| rank.rank()).collect::<Vec<_>>(), [0, 1, 2]);
/// ```
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    /// By the rank at the other end. The locks let a rank be shared, though only one thread at a time may use it.
    to: Vec<Mutex<Sender<Vec<u8>>>>,
    from: Vec<Mutex<Receiver<Vec<u8>>>>,
}

impl Threads {
    /// `size` ranks that know each other; each is for a thread of its own.
    #[must_use]
    pub fn ranks(size: usize) -> Vec<Self> {
        let mut ranks: Vec<Self> =
            (0..size).map(|rank| Self { rank, to: Vec::new(), from: Vec::new() }).collect();
        for from in 0..size {
            for to in 0..size {
                let (sender, receiver) = channel();
                ranks[from].to.push(Mutex::new(sender));
                ranks[to].from.push(Mutex::new(receiver));
            }
        }
        ranks
    }
}

impl Exchange for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send_receive(
        &self,
        to: usize,
        sent: &[u8],
        from: usize,
        received: &mut [u8],
    ) -> Result<(), ExchangeError> {
        let sender = self.to[to].lock().unwrap_or_else(PoisonError::into_inner);
        sender.send(sent.to_vec()).map_err(|_| ExchangeError::Gone { rank: to })?;
        let receiver = self.from[from].lock().unwrap_or_else(PoisonError::into_inner);
        let message = receiver.recv().map_err(|_| ExchangeError::Gone { rank: from })?;
        fill(from, &message, received)
    }
}
