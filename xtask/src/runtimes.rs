//! `cargo xtask runtimes RUN`: do other runtimes answer as the trained model did?
//!
//! The comparison is written in Python, the language that most runtimes are called from; see `xtask/runtimes`. Here
//! is what it stands on: the trained model's own answers, the example that runs rten and candle-onnx, and a virtual
//! environment.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::error::Error;
use crate::python::{cannot, environment, take};
use crate::{cargo, process};

const HELP: &str = "\
Runs a finished run's model.onnx in other runtimes, on 1,000 test images at batch 1, 7 and 1000, and compares with the
trained model's own logits

Usage: cargo xtask runtimes RUN [OPTION]... [ARGUMENT OF `taper reference`]...

RUN is the folder of a finished run, of any network and any images. PyTorch, which reads weights and no ONNX, is asked of the
reference CNN on MNIST's images only.

Options:
  --all               not only in ONNX Runtime, rten and candle-onnx, but in every runtime that can be installed here;
                      writes docs/runtimes.md. The first call downloads some gigabytes and compiles tract
  --out FILE          where the report of --all goes
  --append            adds a table to that report, or replaces the one of the same network, and leaves the others
  --python PROGRAM    a Python (3.11 or newer) with the packages of .ci/python/requirements.txt; what it lacks of
                      xtask/runtimes/requirements.txt is not installed [default: a virtual environment in the build
                      folder, made on the first call]

Arguments such as `--data-dir DIR` go to `taper reference`. The exit code is 1 if a runtime answers otherwise.

Examples:
  cargo xtask runtimes runs/mnist-tutorial
  cargo xtask runtimes runs/mnist-tutorial --data-dir mnist --all --out runtimes.md
";

/// `words`: the folder of a run and the options of [`HELP`]; the rest is for `taper reference`.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
    let (run, words) =
        words.split_first().filter(|(run, _)| !run.to_string_lossy().starts_with('-')).ok_or_else(|| {
            Error::usage("cargo xtask runtimes needs the folder of a finished run as its first argument")
        })?;
    let mut words = words.to_vec();
    let python = take(&mut words, "--python")?;
    let out = take(&mut words, "--out")?;
    let [all, append] = ["--all", "--append"]
        .map(|name| words.iter().position(|word| word == name).map(|at| words.remove(at)).is_some());
    check(Path::new(run), all, out.is_some(), append)?;

    let [taper, answers] = cargo::build_taper_and_answers()?;
    let work = taper.parent().unwrap_or(Path::new(".")).join("runtimes");
    fs::create_dir_all(&work).map_err(|cause| cannot("create", &work, &cause))?;
    let reference = work.join("reference.safetensors");
    process::run(Command::new(taper).arg("reference").arg(run).args(words).arg("--out").arg(&reference))?;

    let requirements = cargo::workspace().join(".ci/python/requirements.txt");
    let (python, ours) = match python {
        Some(python) => (PathBuf::from(python), false),
        None => (environment(&work.join("venv"), &requirements)?, true),
    };
    let script = cargo::workspace().join("xtask/runtimes/compare.py");
    let mut command = Command::new(python);
    command.arg("-B").arg(script).arg(run);
    command.arg("--reference").arg(&reference).arg("--answers").arg(answers).arg("--work").arg(&work);
    command.args(all.then_some("--all")).args(append.then_some("--append")).args(ours.then_some("--install"));
    command.args(out.iter().flat_map(|out| ["--out".into(), out.clone()]));
    process::hand_over(&mut command)
}

/// Nothing is built for what cannot be done.
fn check(run: &Path, all: bool, out: bool, append: bool) -> Result<(), Error> {
    if let Some((name, _)) = [("--out", out), ("--append", append)].iter().find(|(_, given)| *given && !all) {
        return Err(Error::usage(format!("{name} is for the report of --all; give both")));
    }
    match ["model.onnx", "model.safetensors", "metrics.json"]
        .into_iter()
        .find(|file| !run.join(file).is_file())
    {
        Some(file) => {
            let file = run.join(file);
            let file = file.display();
            Err(Error::failed(format!("{file} is no file; `cargo xtask pipeline` writes such a folder")))
        }
        None => Ok(()),
    }
}
