//! `cargo xtask peers`: is Taper faster than PyTorch and ONNX Runtime on this machine, and by how much?
//!
//! The comparison itself is written in Python, the language that the peers are called from; see `xtask/peers`. Here
//! is what it stands on: Taper's own benchmark program, and a virtual environment with the peers.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::error::Error;
use crate::python::{cannot, environment, take_option};
use crate::{cargo, process};

const HELP: &str = "\
Times Taper, PyTorch and ONNX Runtime in turn, on the same networks and images, and writes docs/performance.md

Usage: cargo xtask peers --data-dir DIR [OPTION]...

Options:
  --data-dir DIR      folder with MNIST's IDX files
  --only SECTION      training, inference or scaling alone; the report goes to the build folder
  --quick             few steps and one round, to see whether all runs; the report goes to the build folder
  --threads N         threads of each contender [default: the cores]
  --out FILE          where the report goes
  --python PROGRAM    a Python (3.11 or newer) that has the packages of xtask/peers/requirements.txt [default: a virtual
                      environment in the build folder, made on the first call; PyTorch is a large download]

A full run takes about an hour. Let nothing else run meanwhile.
";

/// `words`: the options of [`HELP`]. All but `--python` are for the script.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut words = words.to_vec();
    let python = take_option(&mut words, "--python")?;
    let is_data = |word: &OsString| word.to_string_lossy().split('=').next() == Some("--data-dir");
    if !words.iter().any(is_data) {
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
    process::hand_over(command.args(words).env("PYTHONDONTWRITEBYTECODE", "1"))
}
