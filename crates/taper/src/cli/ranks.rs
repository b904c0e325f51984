//! The processes that share a run, as `mpirun` starts them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use taper::Error;
use taper::model::exchange::{Alone, Exchange};

use super::args::Command;
use super::terminal;

/// Where launchers say how many processes they have started: Open MPI's, and those of the PMI (MPICH, Slurm).
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// This process among those that share the run.
#[derive(Default)]
pub(super) struct Ranks {
    #[cfg(feature = "mpi")]
    universe: Option<taper::mpi::Universe>,
}

impl Ranks {
    /// Finds the other processes, if this one was not started alone.
    pub(super) fn join(command: &Command) -> Result<Self, Error> {
        let processes = launched();
        match command {
            _ if processes == 1 => Ok(Self::default()),
            Command::Train(_) | Command::Pipeline(_) => Self::join_others(processes),
            _ => Err(Error::NotShared { processes }),
        }
    }

    #[cfg(feature = "mpi")]
    fn join_others(processes: usize) -> Result<Self, Error> {
        let universe = taper::mpi::Universe::join()?;
        let known = universe.as_ref().map_or(1, |universe| universe.exchange().size());
        // Started by another MPI than it was built with, every process would train by itself.
        if known != processes {
            return Err(Error::OtherMpi { processes, known });
        }
        Ok(Self { universe })
    }

    #[cfg(not(feature = "mpi"))]
    fn join_others(processes: usize) -> Result<Self, Error> {
        Err(Error::NoMpi { processes })
    }

    /// The way to the other processes.
    pub(super) fn exchange(&self) -> Arc<dyn Exchange> {
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            return universe.exchange();
        }
        Arc::new(Alone)
    }

    /// Says why this process cannot go on, and ends the others too, which would wait for it.
    pub(super) fn fail(&self, error: &Error) -> ExitCode {
        let rank = self.exchange().rank();
        if rank == 0 {
            terminal::error(error);
        } else {
            // Process 0 mostly fails for the same reason, says so, and has ended this one before the second is over.
            std::thread::sleep(Duration::from_secs(1));
            terminal::note(format!("error: process {rank}: {error}"));
        }
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            universe.abort(1);
        }
        ExitCode::FAILURE
    }
}

/// How many processes were started with this one, itself included.
fn launched() -> usize {
    let size = |name: &&str| std::env::var(name).ok()?.parse().ok();
    SIZES.iter().filter_map(size).max().unwrap_or(1)
}
