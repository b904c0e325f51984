//! Ranks that are processes under MPI, started by `mpirun`.
//!
//! ```no_run
//! use taper::mpi::Universe;
//!
//! let universe = Universe::join()?.ok_or("MPI was initialised before")?;
//! println!("rank {} of {}", universe.exchange().rank(), universe.exchange().size());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::sync::Arc;

use mpi::Threading;
use mpi::point_to_point::{Destination, Source};
use mpi::request::WaitGuard;
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::Equivalence;
use taper_model::exchange::{Exchange, ExchangeError};

use crate::error::Error;

/// This process among those that MPI started with it.
///
/// MPI is finalised when this and all that [`Universe::exchange`] gave are dropped, which waits for the others. Dropped by a
/// panic it ends them instead: they may wait for this process for ever.
pub struct Universe(Arc<mpi::environment::Universe>);

impl Universe {
    /// Initialises MPI, unless that was done before in this process.
    ///
    /// # Errors
    /// [`Error::MpiThreads`] if this MPI may be called by the thread alone that initialised it.
    pub fn join() -> Result<Option<Self>, Error> {
        // Several threads talk to other ranks, but never two at once.
        match mpi::initialize_with_threading(Threading::Serialized) {
            Some((_, given)) if given < Threading::Serialized => {
                Err(Error::MpiThreads { given: format!("{given:?}").to_lowercase() })
            }
            joined => Ok(joined.map(|(universe, _)| Self(Arc::new(universe)))),
        }
    }

    /// The way to the other processes.
    #[must_use]
    pub fn exchange(&self) -> Arc<dyn Exchange> {
        let world = self.0.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        Arc::new(Processes { rank, size, _universe: Arc::clone(&self.0) })
    }

    /// Ends all processes at once, since this one cannot go on.
    pub fn abort(&self, code: u8) -> ! {
        abort(code)
    }

    /// From now on a panic, on any thread and caught or not, ends all processes as soon as it is told: what it unwinds may wait
    /// for a message from another process, which waits for this one.
    pub fn abort_on_panic(&self) {
        // Not what keeps MPI from being finalised.
        let universe = Arc::downgrade(&self.0);
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            tell(panic);
            if universe.upgrade().is_some() {
                abort(PANICKED);
            }
        }));
    }
}

impl Drop for Universe {
    fn drop(&mut self) {
        if std::thread::panicking() {
            abort(PANICKED);
        }
    }
}

/// The exit code of a program of Rust's that panicked.
const PANICKED: u8 = 101;

fn abort(code: u8) -> ! {
    SimpleCommunicator::world().abort(i32::from(code))
}

impl fmt::Debug for Universe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.0.world();
        f.debug_struct("Universe").field("rank", &world.rank()).field("size", &world.size()).finish()
    }
}

/// Bytes of one message; MPI counts them in an `i32`.
const MOST: usize = 1 << 30;

/// One of the processes of MPI's world. An error of MPI ends them all, as is MPI's default.
struct Processes {
    rank: usize,
    size: usize,
    /// There is MPI for as long as there are messages.
    _universe: Arc<mpi::environment::Universe>,
}

impl fmt::Debug for Processes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Processes")
            .field("rank", &self.rank)
            .field("size", &self.size)
            .finish_non_exhaustive()
    }
}

impl Exchange for Processes {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send_receive(
        &self,
        to: usize,
        sent: &[u8],
        from: usize,
        received: &mut [u8],
    ) -> Result<(), ExchangeError> {
        let world = SimpleCommunicator::world();
        let (to, source) = (world.process_at_rank(to as i32), world.process_at_rank(from as i32));
        mpi::request::scope(|scope| {
            let messages = sent.chunks(MOST);
            let _under_way: Vec<_> =
                messages.map(|message| WaitGuard::from(to.immediate_send(scope, message))).collect();
            for message in received.chunks_mut(MOST) {
                let found = source.receive_into(message).count(u8::equivalent_datatype()) as usize;
                if found != message.len() {
                    return Err(ExchangeError::Length { rank: from, expected: message.len(), found });
                }
            }
            Ok(())
        })
    }
}
