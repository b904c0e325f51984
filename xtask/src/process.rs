//! Running other programs.

use std::process::{Command, ExitCode};

use crate::error::Error;

/// Runs `command` in this process's place: its output, exit code and signals are ours.
///
/// On Unix the process itself becomes the program, so that Ctrl-C reaches it alone and the shell waits until
/// it has saved its work and ended. Elsewhere it is a child that is waited for.
pub(crate) fn hand_over(command: &mut Command) -> Result<ExitCode, Error> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;
        let cause = command.exec(); // returns only if it failed
        Err(Error::start(command, &cause))
    }
    #[cfg(not(unix))]
    {
        let status = command.status().map_err(|cause| Error::start(command, &cause))?;
        std::process::exit(crate::error::exit_code(status))
    }
}

/// Runs `command` to its end; any exit code but 0 is an error.
pub(crate) fn run(command: &mut Command) -> Result<(), Error> {
    let status = command.status().map_err(|cause| Error::start(command, &cause))?;
    if status.success() { Ok(()) } else { Err(Error::ended(status)) }
}
