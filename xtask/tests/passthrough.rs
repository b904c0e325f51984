//! `cargo xtask` hands over what it is given and gives back what it gets.
//!
//! A shell script stands in for cargo, as `$CARGO`, and another for the program `taper`, so that nothing is built.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// Says that it built `taper`, as cargo does, and writes down how it was called.
const CARGO: &str = r#"#!/bin/sh
echo "   Compiling taper" >&2
[ -n "$FAIL" ] && exit "$FAIL"
echo "cargo: $* manifest_dir=$CARGO_MANIFEST_DIR package=$CARGO_PKG_NAME" >&2
echo '{"reason":"compiler-artifact","target":{"kind":["test"],"name":"passthrough"},"executable":"/bin/false"}'
name=${PROGRAM:-taper}
case "$*" in *peers/tract*) [ -n "$NO_TRACT" ] && exit 101; name=tract-bench ;; esac
printf '{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"%s"},"executable":"%s/%s"}\n' "$name" "$BIN" "$name"
printf '{"reason":"compiler-artifact","target":{"kind":["example"],"name":"answers"},"executable":"%s/answers"}\n' "$BIN"
"#;

/// Shows its process, folder and arguments, and ends as `$END` says.
const TAPER: &str = r#"#!/bin/sh
echo "$$"
pwd
for argument; do echo "[$argument]"; done
eval "$END"
"#;

/// The folder of the two scripts; its name has a space in it.
fn scripts() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pass through");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in [("cargo", CARGO), ("taper", TAPER)] {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        folder
    })
}

fn xtask(words: &[&str], end: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(words).env("CARGO", scripts().join("cargo")).env("BIN", scripts()).env("END", end);
    command.env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR")).env("CARGO_PKG_NAME", "xtask");
    command
}

fn lines(bytes: &[u8]) -> Vec<String> {
    String::from_utf8_lossy(bytes).lines().map(str::to_owned).collect()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn arguments_folder_and_process_are_the_callers() {
    let words = ["train", "--out", "a folder", "", "--", "*", "$HOME", "-x=\"1\""];
    let folder = scripts().canonicalize().unwrap();
    let child = xtask(&words, "")
        .current_dir(&folder)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let process = child.id().to_string();
    let output = child.wait_with_output().unwrap();

    assert!(output.status.success());
    // The same process: Ctrl-C reaches `taper` alone, and who waits for xtask waits for it.
    let mut expected = vec![process, folder.display().to_string()];
    expected.extend(words.iter().map(|word| format!("[{word}]")));
    assert_eq!(lines(&output.stdout), expected);
}

#[test]
fn exit_code_and_signal_pass_through() {
    for code in [0, 1, 2, 7, 255] {
        let output = xtask(&["pipeline"], &format!("exit {code}")).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    }
    // Not INT: a shell that starts tests in the background has them, and all they start, ignore it.
    for (name, signal) in [("TERM", 15), ("KILL", 9)] {
        let output = xtask(&["pipeline"], &format!("kill -{name} $$")).output().unwrap();
        assert_eq!(output.status.signal(), Some(signal), "{}", stderr(&output));
    }
}

#[test]
fn a_word_that_xtask_does_not_know_is_tapers_to_answer() {
    for words in [&["no-such-word"][..], &["--version"], &["help", "train"], &["train", "--help"]] {
        let output = xtask(words, "exit 2").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {}", stderr(&output));
        assert_eq!(lines(&output.stdout).len(), 2 + words.len(), "{words:?}");
    }
}

#[test]
fn cargo_builds_the_workspace_and_does_not_hear_of_xtask() {
    let output = xtask(&["summary"], "").current_dir("/").output().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let expected = format!(
        "cargo: build --manifest-path {}/Cargo.toml --workspace --bin taper --test passthrough \
         --message-format=json-render-diagnostics manifest_dir= package=\n",
        root.display()
    );
    assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
}

#[test]
fn a_failed_build_ends_with_cargos_code_and_words() {
    let output = xtask(&["pipeline"], "").env("FAIL", "101").output().unwrap();
    assert_eq!(output.status.code(), Some(101));
    assert_eq!(stderr(&output), "   Compiling taper\n");
    assert_eq!(output.stdout, b"");
}

#[test]
fn help_lists_the_words_and_builds_nothing() {
    for words in [&[][..], &["help"], &["--help"], &["-h"]] {
        let output = xtask(words, "").env("CARGO", "/no/such/cargo").output().unwrap();
        assert!(output.status.success(), "{words:?}: {}", stderr(&output));
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        for word in
            "pipeline download train evaluate export predict summary inspect peers runtimes".split(' ')
        {
            assert!(help.contains(&format!("\n  {word} ")), "{word} is missing:\n{help}");
        }
    }
}

#[test]
fn every_help_has_examples() {
    for words in [&["--help"][..], &["peers", "--help"], &["runtimes", "-h"]] {
        let output = xtask(words, "").env("CARGO", "/no/such/cargo").output().unwrap();
        let help = String::from_utf8_lossy(&output.stdout).into_owned();
        let examples = help.split("\nExamples:\n").nth(1).unwrap_or_default();
        let begin = ["  cargo xtask", words[0].trim_start_matches("--help")].join(" ");
        assert!(examples.lines().count() > 1, "{words:?}: {help}");
        assert!(examples.lines().all(|line| line.starts_with(begin.trim_end())), "{words:?}: {examples}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let missing = OsStr::new("/no/such/cargo");
    let output = xtask(&["pipeline"], "").env("CARGO", missing).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot run /no/such/cargo"), "{}", stderr(&output));

    let output = xtask(&["pipeline"], "").env("CARGO", "/bin/true").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("did not say where"), "{}", stderr(&output));

    for words in [&["runtimes"][..], &["runtimes", "--data-dir"]] {
        let output = xtask(words, "").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains("needs the folder of a finished run"), "{}", stderr(&output));
    }
    let output = xtask(&["runtimes", "nowhere"], "").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nowhere/model.onnx is no file"), "{}", stderr(&output));
}

#[test]
fn runtimes_asks_taper_for_the_reference_and_stops_if_there_is_none() {
    let run = finished_run("run");
    let words = ["runtimes", run.to_str().unwrap(), "--data-dir", "mnist", "--all", "--out", "report.md"];
    let output = xtask(&words, "exit 3").output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(stderr(&output).contains("--workspace --bin taper --test passthrough --example answers"));
    let reference = scripts().join("runtimes/reference.safetensors");
    let arguments = ["reference", words[1], "--data-dir", "mnist", "--out", reference.to_str().unwrap()];
    assert_eq!(lines(&output.stdout)[2..], arguments.map(|argument| format!("[{argument}]")));
}

#[test]
fn runtimes_are_compared_in_the_python_given() {
    let run = finished_run("another run");
    let python = scripts().join("taper");
    let [run, python] = [&run, &python].map(|path| path.to_str().unwrap());
    let work = scripts().join("runtimes");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("runtimes/compare.py");
    let (answers, reference) = (scripts().join("answers"), work.join("reference.safetensors"));
    let [script, reference, answers, work] =
        [&script, &reference, &answers, &work].map(|path| path.to_str().unwrap());
    let common = ["-B", script, run, "--reference", reference, "--answers", answers, "--work", work];
    for (flags, more) in [
        (&[][..], &[][..]),
        (&["--all"], &["--all"]),
        (&["--all", "--out", "r.md"], &["--all", "--out", "r.md"]),
        (&["--append", "--all"], &["--all", "--append"]),
    ] {
        let words = [&["runtimes", run, "--python", python], flags].concat();
        let output = xtask(&words, "").output().unwrap();
        let found = lines(&output.stdout);
        // First `taper reference`, with its process and folder, then the script.
        let start = found.iter().position(|line| line == "[-B]").unwrap();
        let expected: Vec<String> =
            common.iter().chain(more).map(|argument| format!("[{argument}]")).collect();
        assert_eq!(found[start..], expected, "{}", stderr(&output));
    }
    for flags in [&["--out", "r.md"][..], &["--append"]] {
        let output = xtask(&[&["runtimes", run], flags].concat(), "").output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        let said = format!("{} is for the report of --all", flags[0]);
        assert!(stderr(&output).contains(&said), "{}", stderr(&output));
    }
}

/// A folder with the files of a finished run, empty.
fn finished_run(name: &str) -> PathBuf {
    let run = scripts().join(name);
    fs::create_dir_all(&run).unwrap();
    for file in ["model.onnx", "model.safetensors", "metrics.json"] {
        fs::write(run.join(file), b"").unwrap();
    }
    run
}

#[test]
fn peers_are_called_with_tapers_benchmark() {
    for (words, message) in [
        (&["peers"][..], "needs --data-dir DIR"),
        (&["peers", "--data-dir", "mnist", "--python"], "--python needs a value"),
        (&["peers", "--data-dir", "mnist", "--python="], "--python needs a value"),
        (&["peers", "--data-dir-of", "mnist"], "needs --data-dir DIR"),
    ] {
        let output = xtask(words, "").output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}");
        assert!(stderr(&output).contains(message), "{}", stderr(&output));
    }

    // The other script stands in for Python, and shows its arguments.
    let python = scripts().join("taper");
    let python = python.to_str().unwrap();
    let joined = format!("--python={python}");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/compare.py");
    let bench = scripts().join("taper-bench");
    let work = scripts().parent().unwrap().join("peers");
    let paths = [&script, &bench, &work].map(|path| path.to_str().unwrap());
    let [script, bench, work] = paths;
    let start = [script, "--taper-bench", bench, "--work", work];
    let tract = scripts().join("tract-bench");
    let tract = ["--tract-bench", tract.to_str().unwrap()];
    let missing = "tract-bench could not be built; see what cargo printed";
    let missing = ["--tract-missing", missing];
    for (words, no_tract, then) in [
        (&["--python", python, "--quick", "--data-dir", "mnist"][..], "", &tract[..]),
        (&["--data-dir=mnist", &joined], "", &tract),
        (&["--data-dir=mnist", &joined], "1", &missing),
        (&["--data-dir=mnist", &joined, "--only=inference"], "", &tract),
        (&["--data-dir=mnist", "--only", "training", &joined], "", &[]),
    ] {
        let mut command = xtask(&[&["peers"], words].concat(), "exit 4");
        let output = command.env("PROGRAM", "taper-bench").env("NO_TRACT", no_tract).output().unwrap();
        assert_eq!(output.status.code(), Some(4), "{}", stderr(&output));
        assert!(stderr(&output).contains("--release --package taper-benches --bin taper-bench"));
        let rest =
            words.iter().copied().filter(|word| *word != "--python" && *word != python && *word != joined);
        let expected = start.iter().chain(then).copied().chain(rest);
        let expected: Vec<String> = expected.map(|argument| format!("[{argument}]")).collect();
        assert_eq!(lines(&output.stdout)[2..], expected, "{words:?}");
    }
}
