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

/// This process among those that MPI started with it. MPI is finalised when it is dropped, which waits for the others.
pub struct Universe(mpi::environment::Universe);

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
            joined => Ok(joined.map(|(universe, _)| Self(universe))),
        }
    }

    /// The way to the other processes.
    #[must_use]
    pub fn exchange(&self) -> Arc<dyn Exchange> {
        let world = self.0.world();
        Arc::new(Processes { rank: world.rank() as usize, size: world.size() as usize })
    }

    /// Ends all processes at once, since this one cannot go on.
    pub fn abort(&self, code: u8) -> ! {
        self.0.world().abort(i32::from(code))
    }
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
#[derive(Debug)]
struct Processes {
    rank: usize,
    size: usize,
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
