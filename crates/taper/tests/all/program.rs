//! Running the program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

/// The program, without a network: the Hub is a closed port of this machine and the cache is empty.
pub(crate) fn taper(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
    command
        .current_dir(folder)
        .env("HF_HOME", folder.join("hub"))
        .env("TAPER_CACHE", folder.join("cache"))
        .env("HF_ENDPOINT", "http://127.0.0.1:9")
        .env_remove("HF_HUB_CACHE")
        .env_remove("HF_HUB_OFFLINE");
    command
}

pub(crate) fn run(folder: &Path, words: &[&str]) -> Output {
    taper(folder).args(words).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs the program, which must succeed, and gives what it printed.
pub(crate) fn succeed(folder: &Path, words: &[&str]) -> String {
    let output = run(folder, words);
    assert!(output.status.success(), "taper {words:?}: {}", stderr(&output));
    stdout(&output)
}

/// A small run on few of the synthetic digits, trained once for all tests.
pub(crate) const SMALL: [&str; 10] =
    ["--dataset", "synthetic", "--model", "small.toml", "--limit", "6000", "--epochs", "2", "--lr", "0.002"];

/// Writes the network of the small run: LeNet-5 with dropout, so that all that is drawn from the seed takes part.
pub(crate) fn write_network(folder: &Path) {
    let dropout = "[[layers]]\nname = \"dropout\"\nop = \"dropout\"\np = 0.1\n\n";
    let last = "[[layers]]\nname = \"fc3\"";
    let text = taper::graph::Preset::LeNet5.toml().replace(last, &format!("{dropout}{last}"));
    assert!(text.contains(dropout));
    std::fs::write(folder.join("small.toml"), text).unwrap();
}

/// The folder with the small run in `run`.
pub(crate) fn small_run() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        write_network(folder.path());
        let words = [&["pipeline", "--out", "run"], &SMALL[..]].concat();
        succeed(folder.path(), &words);
        folder
    });
    folder.path()
}

/// A copy of the small run in a folder of its own, to be changed.
pub(crate) fn copy_of_small_run() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    std::fs::create_dir(&run).unwrap();
    write_network(folder.path());
    std::fs::create_dir(run.join("plots")).unwrap();
    for part in ["", "plots"] {
        for file in std::fs::read_dir(small_run().join("run").join(part)).unwrap() {
            let file = file.unwrap();
            if file.path().is_file() {
                std::fs::copy(file.path(), run.join(part).join(file.file_name())).unwrap();
            }
        }
    }
    (folder, run)
}

pub(crate) fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap()
}
