//! Calling cargo: the same cargo that runs this program, on this workspace.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::Error;

/// What is built for `taper`.
///
/// Cargo compiles a dependency anew for every set of features that is asked of it, and the set depends on which
/// packages are selected and on whether any test is. With the whole workspace and its smallest test selected, the
/// sets are those of `cargo test --workspace`, and the two share every crate. `--package taper` would compile
/// candle and what stands on it twice, once for each.
const SELECTION: [&str; 5] = ["--workspace", "--bin", "taper", "--test", "passthrough"];

/// Builds `taper` with the profile that the tests use, and returns the path of the program.
pub(crate) fn build_taper() -> Result<PathBuf, Error> {
    let [taper] = build([("bin", "taper")], &SELECTION)?;
    Ok(taper)
}

/// Builds `taper`, and the example `answers` of taper-export, which runs a network in rten and candle-onnx; returns the
/// paths of both.
pub(crate) fn build_taper_and_answers() -> Result<[PathBuf; 2], Error> {
    build([("bin", "taper"), ("example", "answers")], &[&SELECTION[..], &["--example", "answers"]].concat())
}

/// Builds `taper-bench`, which times training and inference, in release mode; returns the path of the program.
pub(crate) fn build_taper_bench() -> Result<PathBuf, Error> {
    let selection = ["--release", "--package", "taper-benches", "--bin", "taper-bench"];
    let [bench] = build([("bin", "taper-bench")], &selection)?;
    Ok(bench)
}

/// Builds `tract-bench`, a workspace of its own, in `folder`; returns the path of the program.
pub(crate) fn build_tract_bench(folder: &Path) -> Result<PathBuf, Error> {
    let mut command = cargo("build", &workspace().join("xtask/peers/tract/Cargo.toml"));
    command.args(["--release", "--locked", "--target-dir"]).arg(folder);
    let [bench] = programs_of(command, [("bin", "tract-bench")])?;
    Ok(bench)
}

/// Calls `cargo build` with `arguments`, which select `programs`, each a kind of target and a name, among others.
fn build<const N: usize>(programs: [(&str, &str); N], arguments: &[&str]) -> Result<[PathBuf; N], Error> {
    let mut command = cargo("build", &workspace().join("Cargo.toml"));
    command.args(arguments);
    programs_of(command, programs)
}

/// Runs a build, and finds the paths of `programs` in what cargo says.
fn programs_of<const N: usize>(
    mut command: Command,
    programs: [(&str, &str); N],
) -> Result<[PathBuf; N], Error> {
    command.arg("--message-format=json-render-diagnostics").stderr(Stdio::inherit());
    let output = command.output().map_err(|cause| Error::start(&command, &cause))?;
    if !output.status.success() {
        return Err(Error::ended(output.status));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    let mut paths = [const { PathBuf::new() }; N];
    for (path, (kind, program)) in paths.iter_mut().zip(programs) {
        let found = messages.lines().find_map(|message| executable(message, kind, program));
        *path = found.map(PathBuf::from).ok_or_else(|| {
            Error::failed(format!(
                "cargo built `{program}` but did not say where; is `$CARGO` another program than cargo?"
            ))
        })?;
    }
    Ok(paths)
}

/// `cargo SUBCOMMAND --manifest-path MANIFEST`, in the caller's folder.
pub(crate) fn cargo(subcommand: &str, manifest: &Path) -> Command {
    let program = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.arg(subcommand).arg("--manifest-path").arg(manifest);
    // `cargo run` describes xtask in these. Build scripts that watch them (that of `ring` does) would run again,
    // and all that stands on their crate be compiled again, each time the next call comes without them.
    for (name, _) in env::vars_os() {
        if name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"))
        {
            command.env_remove(name);
        }
    }
    command
}

/// The root of the workspace: the folder above this crate's.
pub(crate) fn workspace() -> PathBuf {
    // `cargo run` says where the crate is now; the path at compile time serves a program started by hand.
    let xtask = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    xtask.parent().unwrap_or(&xtask).to_owned()
}

/// The path of `program`, a target of that kind, if this line of cargo's JSON messages names it.
fn executable(message: &str, kind: &str, program: &str) -> Option<String> {
    let artifact = message.contains(r#""reason":"compiler-artifact""#)
        && message.contains(&format!(r#""kind":["{kind}"]"#))
        && message.contains(&format!(r#""name":"{program}""#));
    let (_, rest) = message.rsplit_once(r#""executable":""#).filter(|_| artifact)?;
    unescape(rest)
}

/// The JSON string whose opening quote has been read, up to its closing quote.
fn unescape(text: &str) -> Option<String> {
    let mut result = String::new();
    let mut chars = text.chars();
    loop {
        match chars.next()? {
            '"' => return Some(result),
            '\\' => result.push(match chars.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                // Cargo writes only control characters so: never one half of a surrogate pair.
                'u' => {
                    let digits: String = chars.by_ref().take(4).collect();
                    char::from_u32(u32::from_str_radix(&digits, 16).ok()?)?
                }
                other => other,
            }),
            other => result.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARTIFACT: &str = r#"{"reason":"compiler-artifact","package_id":"path+file:///w/crates/taper#0.1.0","target":{"kind":["bin"],"crate_types":["bin"],"name":"taper","src_path":"/w/main.rs"},"features":[],"executable":"PATH","fresh":true}"#;

    #[test]
    fn the_program_is_found_among_the_messages_and_nothing_else_is_taken_for_it() {
        let other = [
            ARTIFACT.replace(r#""name":"taper""#, r#""name":"tidy""#),
            ARTIFACT.replace(r#"["bin"]"#, r#"["test"]"#),
            ARTIFACT.replace(r#""PATH""#, "null"),
            ARTIFACT.replace("compiler-artifact", "compiler-message"),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
            "a line that a build script printed".to_owned(),
        ];
        for message in other {
            assert_eq!(executable(&message, "bin", "taper"), None, "{message}");
        }
        assert_eq!(executable(ARTIFACT, "bin", "taper").as_deref(), Some("PATH"));
        assert_eq!(executable(ARTIFACT, "bin", "taper-bench"), None);
        assert_eq!(executable(ARTIFACT, "example", "taper"), None);
    }

    #[test]
    fn paths_are_unescaped() {
        let paths = [
            (r"C:\\Users\\Ada\\taper.exe", r"C:\Users\Ada\taper.exe"),
            (r#"/home/a \"b\"/taper"#, "/home/a \"b\"/taper"),
            (r"/home/\u0007\n/täper", "/home/\u{7}\n/täper"),
        ];
        for (escaped, path) in paths {
            assert_eq!(executable(&ARTIFACT.replace("PATH", escaped), "bin", "taper").as_deref(), Some(path));
        }
    }

    #[test]
    fn a_string_cut_short_is_no_path() {
        for text in ["", "/home", r"/home\", r"/home\u00", r#"/home\uD800""#] {
            assert_eq!(unescape(text), None, "{text}");
        }
    }
}
