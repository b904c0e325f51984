//! What can go wrong before `taper` runs.

use std::fmt::Display;
use std::io;
use std::process::{Command, ExitCode, ExitStatus};

/// A message for the user, unless the program that failed has written its own, and the exit code.
#[derive(Debug)]
pub(crate) struct Error {
    message: Option<String>,
    code: u8,
}

impl Error {
    /// The user asked for something that cannot be done: exit code 2, as `taper` itself answers.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 2 }
    }

    /// Something failed: exit code 1.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { message: Some(message.into()), code: 1 }
    }

    /// `command` could not be started.
    pub(crate) fn start(command: &Command, cause: &io::Error) -> Self {
        Self::failed(format!("cannot run {}: {cause}", command.get_program().display()))
    }

    /// A program ended with another code than 0, having said why: its code becomes ours.
    pub(crate) fn ended(status: ExitStatus) -> Self {
        Self { message: None, code: u8::try_from(exit_code(status)).unwrap_or(1) }
    }

    pub(crate) fn message(&self) -> Option<impl Display> {
        self.message.as_deref()
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        self.code.into()
    }
}

/// The exit code of a program; 128 + n, as a shell says it, for one that died of signal n.
pub(crate) fn exit_code(status: ExitStatus) -> i32 {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt;
        if let Some(signal) = status.signal() {
            return 128 + signal;
        }
    }
    status.code().unwrap_or(1)
}
