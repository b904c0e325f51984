//! How trainers that share a batch tell each other what they found.
//!
//! Several trainers, the *ranks*, hold the same network and work on shares of the same batches. All they need of each
//! other is [`Exchange::send_receive`]: what is added up, and in which order, is decided by the ranks themselves, so
//! that the sums are the same bits however messages travel. [`Alone`] is a single rank, [`Threads`] are the ranks of
//! one process; the crate `taper` has processes under MPI.

mod threads;

use std::fmt;

pub use threads::Threads;

/// Why ranks could not talk to each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExchangeError {
    /// A rank has ended before its time.
    #[error("rank {rank} has ended; look for its own error, and start all ranks again")]
    Gone {
        /// Its number.
        rank: usize,
    },
    /// A rank sent another number of bytes than was expected.
    #[error(
        "rank {rank} sent {found} bytes where {expected} were expected; start all ranks from the same program with the \
         same settings"
    )]
    Length {
        /// Its number.
        rank: usize,
        /// How many bytes it should have sent.
        expected: usize,
        /// How many it sent.
        found: usize,
    },
    /// The system gave no thread to exchange on.
    #[error(
        "no thread could be started for the exchange with other ranks ({cause}); allow this process more threads"
    )]
    Thread {
        /// What the system says.
        cause: String,
    },
}

/// One of the ranks, and its way to the others.
///
/// All ranks must call the same methods in the same order. A trainer calls them from several threads, but never from two at
/// once.
pub trait Exchange: fmt::Debug + Send + Sync {
    /// The number of this rank, from 0.
    fn rank(&self) -> usize;

    /// How many ranks there are.
    fn size(&self) -> usize;

    /// Sends `sent` to the rank `to` and fills `received` with what the rank `from` sends to this one. Both happen at once,
    /// so that ranks which send to each other in a circle do not wait for ever.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the other rank.
    fn send_receive(
        &self,
        to: usize,
        sent: &[u8],
        from: usize,
        received: &mut [u8],
    ) -> Result<(), ExchangeError>;

    /// The bytes that each rank gives, by rank; they may be of different lengths.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the other rank.
    ///
    /// ```
    /// use taper_model::exchange::{Exchange, Threads};
    /// let [a, b] = <[Threads; 2]>::try_from(Threads::ranks(2)).map_err(|_| "not two")?;
    /// let other = std::thread::spawn(move || b.gather(b"to you"));
    /// assert_eq!(a.gather(b"hello")?, [b"hello".to_vec(), b"to you".to_vec()]);
    /// assert!(other.join().is_ok_and(|gathered| gathered.is_ok()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    fn gather(&self, own: &[u8]) -> Result<Vec<Vec<u8>>, ExchangeError> {
        let mut gathered = vec![Vec::new(); self.size()];
        for (to, from) in rounds(self.rank(), self.size()) {
            let mut len = [0; 8];
            self.send_receive(to, &(own.len() as u64).to_le_bytes(), from, &mut len)?;
            let mut received = vec![0; u64::from_le_bytes(len) as usize];
            self.send_receive(to, own, from, &mut received)?;
            gathered[from] = received;
        }
        gathered[self.rank()] = own.to_vec();
        Ok(gathered)
    }

    /// The bytes that rank 0 gives; those of the others do not matter.
    ///
    /// # Errors
    /// [`ExchangeError`] naming the other rank.
    fn broadcast(&self, own: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let own = if self.rank() == 0 { own } else { &[] };
        Ok(self.gather(own)?.swap_remove(0))
    }
}

/// The one rank of a run that no other takes part in.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Alone;

impl Exchange for Alone {
    fn rank(&self) -> usize {
        0
    }

    fn size(&self) -> usize {
        1
    }

    fn send_receive(
        &self,
        _to: usize,
        sent: &[u8],
        from: usize,
        received: &mut [u8],
    ) -> Result<(), ExchangeError> {
        fill(from, sent, received)
    }
}

/// To whom a rank sends, and from whom it receives, in each round in which every rank sends to one other and receives from
/// one other, until each has sent to all.
pub(crate) fn rounds(rank: usize, size: usize) -> impl Iterator<Item = (usize, usize)> {
    (1..size).map(move |distance| ((rank + distance) % size, (rank + size - distance) % size))
}

/// Takes over what a rank has sent.
fn fill(from: usize, sent: &[u8], received: &mut [u8]) -> Result<(), ExchangeError> {
    if sent.len() != received.len() {
        return Err(ExchangeError::Length { rank: from, expected: received.len(), found: sent.len() });
    }
    received.copy_from_slice(sent);
    Ok(())
}
