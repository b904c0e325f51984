//! Python: a virtual environment for the scripts that call runtimes and peers.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process;

/// Takes `FLAG VALUE` out of the words.
pub(crate) fn take_option(words: &mut Vec<OsString>, flag: &str) -> Result<Option<OsString>, Error> {
    let Some(at) = words.iter().position(|word| word == flag) else { return Ok(None) };
    if at + 1 == words.len() {
        return Err(Error::usage(format!("{flag} needs a value behind it")));
    }
    Ok(words.drain(at..=at + 1).next_back())
}

/// The Python of a virtual environment in `folder` with what `requirements` lists, which is made if it is not there.
pub(crate) fn environment(folder: &Path, requirements: &Path) -> Result<PathBuf, Error> {
    let python = folder.join(if cfg!(windows) { "Scripts/python.exe" } else { "bin/python" });
    let wanted = fs::read_to_string(requirements).map_err(|cause| cannot("read", requirements, &cause))?;
    let installed = folder.join("requirements.txt");
    if python.exists() && fs::read_to_string(&installed).is_ok_and(|found| found == wanted) {
        return Ok(python);
    }
    eprintln!("Installing {} into {}", requirements.display(), folder.display());
    let base = env::var_os("PYTHON").unwrap_or_else(|| "python3".into());
    process::run(Command::new(base).args(["-m", "venv"]).arg(folder))?;
    let mut pip = Command::new(&python);
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"]);
    process::run(pip.arg(requirements))?;
    // Last, so that an installation that broke off is made again.
    fs::write(&installed, wanted).map_err(|cause| cannot("write", &installed, &cause))?;
    Ok(python)
}

pub(crate) fn cannot(action: &str, path: &Path, cause: &std::io::Error) -> Error {
    Error::failed(format!("cannot {action} {}: {cause}", path.display()))
}
