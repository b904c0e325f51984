//! The command line: parse, run, print.

mod args;
mod columns;
mod commands;
mod compare;
mod demo;
mod export;
mod find;
mod form;
mod interrupt;
mod picture;
mod predict;
mod progress;
mod ranks;
mod report;
mod shell;
mod terminal;

use std::process::ExitCode;

use clap::Parser;
use taper::Error;

use args::Cli;
use ranks::Ranks;

/// Exit code of a run that Ctrl-C stopped: 128 + SIGINT, as shells have it.
const INTERRUPTED: u8 = 130;

/// Runs the program. Exit codes: 0, 1 for a failure, 2 for wrong usage, 130 if interrupted.
pub(crate) fn main() -> ExitCode {
    let cli = Cli::parse();
    if let Err(error) = cli.command.check() {
        error.exit();
    }
    interrupt::install();
    let ranks = match Ranks::join(&cli.command) {
        Ok(ranks) => ranks,
        Err(error) => return Ranks::default().fail(&error),
    };
    run(&cli, &ranks).unwrap_or_else(|error| ranks.fail(&error))
}

fn run(cli: &Cli, ranks: &Ranks) -> Result<ExitCode, Error> {
    let threads = cli.command.threads()?;
    if let Some(threads) = threads {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build_global();
        pool.map_err(|cause| Error::Threads { threads, cause: cause.to_string() })?;
    }
    commands::run(cli, ranks)
}
