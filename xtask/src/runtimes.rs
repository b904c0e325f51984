//! `cargo xtask runtimes RUN`: does tract answer as the trained model did?
//!
//! tract takes many minutes to compile, so the program that runs it is a workspace of its own, `xtask/runtimes`,
//! and neither the tests nor anyone who does not ask for it builds it.

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

use crate::error::Error;
use crate::{cargo, process};

/// `words`: the folder of a finished run, then arguments for `taper reference`, such as `--data-dir DIR`.
pub(crate) fn run(words: &[OsString]) -> Result<ExitCode, Error> {
    let (run, arguments) = words
        .split_first()
        .filter(|(run, _)| !run.to_string_lossy().starts_with('-'))
        .ok_or_else(|| Error::usage("usage: cargo xtask runtimes RUN [ARGUMENT OF `taper reference`]..."))?;
    let model = Path::new(run).join("model.onnx");
    if !model.is_file() {
        let model = model.display();
        return Err(Error::failed(format!(
            "{model} is no file; `cargo xtask pipeline` writes such a folder"
        )));
    }

    let taper = cargo::build_taper()?;
    let folder = taper.parent().unwrap_or(Path::new(".")).join("runtimes");
    std::fs::create_dir_all(&folder)
        .map_err(|cause| Error::failed(format!("cannot create {}: {cause}", folder.display())))?;

    let reference = folder.join("reference.safetensors");
    let mut command = Command::new(taper);
    command.arg("reference").arg(run).args(arguments).arg("--out").arg(&reference);
    process::run(&mut command)?;

    let manifest = cargo::workspace().join("xtask/runtimes/Cargo.toml");
    let mut command = cargo::cargo("run", &manifest);
    command.args(["--locked", "--target-dir"]).arg(&folder).arg("--").arg(&model).arg(&reference);
    process::hand_over(&mut command)
}
