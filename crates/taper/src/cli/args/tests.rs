//! What the help and the pages tell people to type is understood.

use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;

use super::*;

/// A command line up to its comment, and up to what a shell does with its output.
fn words(line: &str) -> Vec<&str> {
    let is_end = |word: &&str| word.starts_with('#') || [">", "|"].contains(word);
    line.split_whitespace().take_while(|word| !is_end(word)).collect()
}

/// Whether the program understands the words. Help is no mistake, though clap makes an error of it.
fn is_understood(words: &[&str]) -> bool {
    let parsed = Cli::try_parse_from(words).and_then(|cli| cli.command.check());
    parsed.err().is_none_or(|error| error.exit_code() == 0)
}

/// Lines that end in a backslash, joined.
fn joined(text: &str) -> String {
    text.replace("\\\n", " ")
}

#[test]
fn every_help_has_examples_that_parse() {
    let taper = Cli::command();
    let mut wrong = Vec::new();
    for command in std::iter::once(&taper).chain(taper.get_subcommands()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        if !help.starts_with("Examples:\n") || help.lines().any(|line| line.len() > 79) {
            wrong.push(format!("{}: no examples, or a line of 80 columns", command.get_name()));
            continue;
        }
        for example in joined(&help).lines().skip(1) {
            let words = words(example);
            let is_of_it = command.get_name() == "taper" || words.get(1) == Some(&command.get_name());
            if !is_understood(&words) || !is_of_it {
                wrong.push(example.to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// The README, the page for contributors, and those in `docs/`.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let docs = fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let docs = docs.filter(|path| path.extension().is_some_and(|end| end == "md"));
    [root.join("README.md"), root.join("CONTRIBUTING.md")].into_iter().chain(docs).collect()
}

/// The words for `taper` in a line of a page, if it runs it in one of the ways that the pages have: by itself, by cargo, or by
/// `mpirun`. What a reader is to fill in (`…`) is left out.
fn for_taper(line: &str) -> Option<Vec<&str>> {
    let words = words(line);
    let start = match words[..] {
        // Words of xtask's own, which `xtask/tests/passthrough.rs` tests.
        ["cargo", "xtask", "peers" | "runtimes", ..] => return None,
        ["cargo", "xtask", ..] => 1,
        ["cargo", "run", "--release", "-p", "taper", ..] => words.iter().position(|&word| word == "--")?,
        ["taper" | "mpirun", ..] => {
            words.iter().position(|word| Path::new(word).file_name().is_some_and(|name| name == "taper"))?
        }
        _ => return None,
    };
    let rest = words[start + 1..].iter().copied().filter(|&word| word != "…");
    Some(std::iter::once("taper").chain(rest).collect())
}

#[test]
fn every_command_of_the_pages_parses() {
    let (mut wrong, mut found) = (Vec::new(), 0);
    for page in pages() {
        let text = joined(&fs::read_to_string(&page).unwrap());
        let blocks =
            text.split("\n```sh\n").skip(1).map(|rest| rest.split("\n```").next().unwrap_or_default());
        for line in blocks.flat_map(str::lines) {
            let Some(words) = for_taper(line) else { continue };
            found += 1;
            if !is_understood(&words) {
                wrong.push(format!("{}: {line}", page.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(found > 30, "only {found} commands are in the pages: are they still found?");
}

#[test]
fn a_command_of_a_page_is_found_in_every_way_that_it_is_run() {
    for (line, expected) in [
        ("cargo xtask train --lr 1 # why", Some("taper train --lr 1")),
        ("cargo run --release -p taper --features cuda -- train", Some("taper train")),
        ("mpirun -n 2 target/release/taper train … --shards 4", Some("taper train --shards 4")),
        ("taper summary --toml > mine.toml", Some("taper summary --toml")),
        ("cargo xtask peers --data-dir DIR", None),
        ("cargo build --release -p taper --features mpi", None),
        (".ci/run", None),
        ("", None),
    ] {
        assert_eq!(for_taper(line).map(|words| words.join(" ")).as_deref(), expected, "{line}");
    }
    assert!(is_understood(&["taper", "train", "--help"]) && !is_understood(&["taper", "train", "--hlep"]));
    assert!(!is_understood(&["taper", "export", "a.safetensors"]), "what clap cannot tell is checked too");
}
