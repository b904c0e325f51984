//! `cargo xtask peers`: is Taper faster than PyTorch and other peers on this machine, and by how much?
//!
//! The comparison itself is written in Python, the language that the peers are called from; see `xtask/peers`. Here
//! is what it stands on: Taper's own benchmark program, tract's, and a virtual environment with the other peers.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::error::Error;
use crate::python::{cannot, environment, option, take};
use crate::{cargo, process};

const HELP: &str = "\
Times Taper, PyTorch, ONNX Runtime, rten, tract and candle in turn, on the same networks and images, and writes
docs/performance.md

Usage: cargo xtask peers --data-dir DIR [OPTION]...

Options:
  --data-dir DIR      folder with MNIST's IDX files
  --only SECTION      training, inference or scaling alone; the report goes to the build folder
  --quick             few steps and one round, to see whether all runs; the report goes to the build folder
  --threads N         threads of each contender [default: the cores]
  --out FILE          where the report goes
  --python PROGRAM    a Python (3.11 or newer) that has the packages of xtask/peers/requirements.txt [default: a virtual
                      environment in the build folder, made on the first call; PyTorch is a large download]

A full run takes about twenty minutes. The first one that includes inference builds tract before, which takes ten
more. Let nothing else run meanwhile.

Examples:
  cargo xtask peers --data-dir mnist --threads 2
  cargo xtask peers --data-dir mnist --quick        # does all run?
  cargo xtask peers --data-dir mnist --only scaling --out scaling.md
";

/// `words`: the options of [`HELP`]. All but `--python` are for the script.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut words = words.to_vec();
    let python = take(&mut words, "--python")?;
    if option(&words, "--data-dir").is_none() {
        return Err(Error::usage("cargo xtask peers needs --data-dir DIR, a folder with MNIST's IDX files"));
    }

    let bench = cargo::build_taper_bench()?;
    // `target/release/taper-bench`: the folder of the build is two above.
    let target = bench.parent().and_then(Path::parent).unwrap_or(Path::new("target"));
    let work = target.join("peers");
    fs::create_dir_all(&work).map_err(|cause| cannot("create", &work, &cause))?;
    let scripts = cargo::workspace().join("xtask/peers");
    let python = match python {
        Some(python) => PathBuf::from(python),
        None => environment(&work.join("venv"), &scripts.join("requirements.txt"))?,
    };

    let mut command = Command::new(python);
    command.arg(scripts.join("compare.py")).arg("--taper-bench").arg(&bench).arg("--work").arg(&work);
    if option(&words, "--only").is_none_or(|only| only == "inference") {
        eprintln!("Building tract, which takes minutes the first time");
        match cargo::build_tract_bench(&work.join("tract")) {
            Ok(tract) => command.arg("--tract-bench").arg(tract),
            Err(error) => command.arg("--tract-missing").arg(tract_missing(&error)),
        };
    }
    process::hand_over(command.args(words).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// What the report says of tract if it cannot be built.
fn tract_missing(error: &Error) -> String {
    match error.message() {
        Some(message) => format!("tract-bench could not be built: {message}"),
        None => "tract-bench could not be built; see what cargo printed".to_owned(),
    }
}
