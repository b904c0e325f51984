//! The scripts that call runtimes and peers: a virtual environment for them, and options that are not theirs.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::process;

/// The value of `--name VALUE` or `--name=VALUE`.
pub(crate) fn option(words: &[OsString], name: &str) -> Option<OsString> {
    take(&mut words.to_vec(), name).ok().flatten()
}

/// Takes `--name VALUE` or `--name=VALUE` out of the words.
pub(crate) fn take(words: &mut Vec<OsString>, name: &str) -> Result<Option<OsString>, Error> {
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
