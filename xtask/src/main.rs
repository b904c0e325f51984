//! `cargo xtask WORD…`: builds the program `taper` and hands the words over to it.
//!
//! It works from any folder below the workspace, paths among the words are relative to the caller's folder, and
//! what `taper` answers (its output, its exit code, a signal it died of) is what `cargo xtask` answers. Only the
//! standard library is used, so that this program is there a second after a fresh clone.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program speaks on its standard streams")]

mod cargo;
mod error;
mod peers;
mod process;
mod python;
mod runtimes;

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

use crate::error::Error;

const HELP: &str = "\
Builds the program `taper` and runs it

Usage: cargo xtask WORD [ARGUMENT]...

Words of `taper` (`cargo xtask WORD --help` explains each):
  pipeline      download, train, evaluate and export, in one go
  download      fetch the data set
  train         train a network
  lr-find       look for a learning rate
  evaluate      measure a trained network on the test images
  export        write and verify the ONNX file of a trained network
  report        write a run's report.html and plots
  demo          serve a page on which one draws and the ONNX file answers
  predict       classify images
  compare       show runs beside each other
  summary       show a network layer by layer
  inspect       show what an ONNX file holds
  completions   write a shell's completions for `taper`
  man           write manual pages

Words of this project alone:
  peers         time Taper, PyTorch and other peers in turn (`cargo xtask peers --help`)
  runtimes RUN  run RUN/model.onnx in other runtimes and compare (`cargo xtask runtimes --help`)

Examples:
  cargo xtask pipeline
  cargo xtask train --help
  cargo xtask peers --data-dir mnist --quick
  cargo xtask runtimes runs/mnist-tutorial
";

fn main() -> ExitCode {
    let words: Vec<OsString> = env::args_os().skip(1).collect();
    run(&words).unwrap_or_else(|error| {
        if let Some(message) = error.message() {
            eprintln!("error: {message}");
        }
        error.exit_code()
    })
}

fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    match words.first().and_then(|word| word.to_str()) {
        None | Some("--help" | "-h") => help(),
        Some("help") if words.len() == 1 => help(),
        Some("peers") => peers::run(&words[1..]),
        Some("runtimes") => runtimes::run(&words[1..]),
        // A word that nobody knows is answered by `taper` too, with its own list and exit code 2.
        _ => process::hand_over(Command::new(cargo::build_taper()?).args(words)),
    }
}

fn help() -> Result<ExitCode, Error> {
    print!("{HELP}");
    Ok(ExitCode::SUCCESS)
}
