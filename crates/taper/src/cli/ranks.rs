//! The processes that share a run, as `mpirun` starts them.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use taper::model::exchange::{Alone, Exchange};
use taper::{Error, RunFolder};

use super::args::Command;
use super::{interrupt, terminal};

/// Where launchers say how many processes they have started: Open MPI's, and those of the PMI (MPICH, Slurm).
const SIZES: [&str; 2] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

/// Set by launchers that only tell a process its number (`srun --mpi=pmix`); how many there are, Slurm says in its own words.
const RANK: &str = "PMIX_RANK";
const TASKS: [&str; 2] = ["SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"];

/// This process among those that share the run.
#[derive(Default)]
pub(super) struct Ranks {
    #[cfg(feature = "mpi")]
    universe: Option<taper::mpi::Universe>,
}

impl Ranks {
    /// Finds the other processes, if this one was not started alone.
    pub(super) fn join(command: &Command) -> Result<Self, Error> {
        match (command, launched()) {
            (_, Some(1)) => Ok(Self::default()),
            (Command::Train(_) | Command::Pipeline(_), processes) => Self::join_others(processes),
            (_, Some(processes)) => Err(Error::NotShared { processes }),
            // It may be alone.
            (_, None) => Ok(Self::default()),
        }
    }

    #[cfg(feature = "mpi")]
    fn join_others(processes: Option<usize>) -> Result<Self, Error> {
        let universe = taper::mpi::Universe::join()?;
        let known = universe.as_ref().map_or(1, |universe| universe.exchange().size());
        match processes {
            // Started by another MPI than it was built with, every process would train by itself.
            Some(processes) if known == 1 => Err(Error::OtherMpi { processes, known }),
            _ => Ok(Self { universe }),
        }
    }

    #[cfg(not(feature = "mpi"))]
    fn join_others(processes: Option<usize>) -> Result<Self, Error> {
        Err(Error::NoMpi { processes })
    }

    /// From now on this process trains, into a folder of process 0, and waits for the others, as they do for it.
    pub(super) fn begin(&self, folder: &RunFolder) {
        let exchange = self.exchange();
        if exchange.size() > 1 {
            interrupt::shared(folder.clone(), exchange.rank());
        }
        #[cfg(feature = "mpi")]
        if let Some(universe) = &self.universe {
            universe.abort_on_panic();
        }
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

/// How many processes were started with this one, itself included; none if there may be others, but nobody says how many.
fn launched() -> Option<usize> {
    let number = |name: &&str| std::env::var(name).ok()?.parse::<usize>().ok();
    match SIZES.iter().filter_map(number).max() {
        None if std::env::var_os(RANK).is_some() => {
            // The last process knows that there are those before it.
            let at_least = number(&RANK).map(|rank| rank + 1).filter(|&count| count > 1);
            TASKS.iter().find_map(number).or(at_least)
        }
        size => Some(size.unwrap_or(1)),
    }
}
