//! `cargo xtask peers`: is Taper faster than PyTorch and other peers on this machine, and by how much?
//!
//! The comparison itself is written in Python, the language that the peers are called from; see `xtask/peers`. Here
//! is what it stands on: Taper's own benchmark program, tract's, and a virtual environment with the other peers.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use crate::error::Error;
use crate::python::{cannot, environment, take_option};
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
";

/// `words`: the options of [`HELP`]. All but `--python` are for the script.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    if words.iter().any(|word| word == "--help" || word == "-h") {
        print!("{HELP}");
        return Ok(ExitCode::SUCCESS);
    }
<<<<<<< HEAD
    let mut words = words.to_vec();
    let python = take_option(&mut words, "--python")?;
    let is_data = |word: &OsString| word.to_string_lossy().split('=').next() == Some("--data-dir");
    if !words.iter().any(is_data) {
=======
    let (python, words) = take_python(words)?;
    if option(&words, "--data-dir").is_none() {
>>>>>>> wt-e1
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
<<<<<<< HEAD
=======

/// What the report says of tract if it cannot be built.
fn tract_missing(error: &Error) -> String {
    match error.message() {
        Some(message) => format!("tract-bench could not be built: {message}"),
        None => "tract-bench could not be built; see what cargo printed".to_owned(),
    }
}

/// The value of `--name VALUE` or `--name=VALUE`.
fn option(words: &[OsString], name: &str) -> Option<OsString> {
    take(&mut words.to_vec(), name).ok().flatten()
}

/// Takes `--python PROGRAM` or `--python=PROGRAM` out of the words.
fn take_python(words: &[OsString]) -> Result<(Option<OsString>, Vec<OsString>), Error> {
    let mut words = words.to_vec();
    let python = take(&mut words, "--python")?;
    Ok((python, words))
}

/// Takes `--name VALUE` or `--name=VALUE` out of the words.
fn take(words: &mut Vec<OsString>, name: &str) -> Result<Option<OsString>, Error> {
    let needs = || Error::usage(format!("{name} needs a value"));
    let joined = |word: &OsString| word.to_str()?.strip_prefix(name)?.strip_prefix('=').map(OsString::from);
    if let Some(at) = words.iter().position(|word| word == name) {
        if at + 1 == words.len() {
            return Err(needs());
        }
        return Ok(words.drain(at..=at + 1).next_back());
    }
    let Some((at, value)) = words.iter().enumerate().find_map(|(at, word)| Some((at, joined(word)?))) else {
        return Ok(None);
    };
    words.remove(at);
    if value.is_empty() { Err(needs()) } else { Ok(Some(value)) }
}

/// The Python of a virtual environment in `folder` with what `requirements` lists, which is made if it is not there.
fn environment(folder: &Path, requirements: &Path) -> Result<PathBuf, Error> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = fs::read_to_string(requirements).map_err(|cause| cannot("read", requirements, &cause))?;
    let installed = folder.join("requirements.txt");
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("Installing the peers into {}", folder.display());
    let base = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    process::run(Command::new(base).args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    process::run(pip.arg(requirements))?;
    // Last, so that an installation that broke off is made again.
    fs::write(&installed, wanted).map_err(|cause| cannot("write", &installed, &cause))?;
    Ok(python)
}

fn cannot(action: &str, path: &Path, cause: &std::io::Error) -> Error {
    Error::failed(format!("cannot {action} {}: {cause}", path.display()))
}
>>>>>>> wt-e1
