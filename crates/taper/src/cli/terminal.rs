//! What is printed: results to standard output, everything else to standard error.
//!
//! Names of classes and nodes come from files of others. So that none of them can command the terminal, [`plain`] stands before
//! everything that is printed, but for the drawings that are Taper's own.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place of the program that prints")]

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use serde::Serialize;
use taper::{Error, Metrics};

use super::columns;
use super::picture::Ink;

/// Prints a line of the result. A reader that has gone (`taper summary | head`) is no failure.
pub(super) fn result(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{}", plain(&text.to_string()));
}

/// Prints a line of the result: a line that [`Ink`] drew, and text beside it.
pub(super) fn drawn(drawing: &str, text: &str) {
    let text = plain(text);
    let line = format!("{drawing}{text}");
    let _ = writeln!(std::io::stdout(), "{}", line.trim_end());
}

/// Prints the result as JSON.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => result(escaped(&text)),
        Err(error) => note(format!("error: the result has no JSON form: {error}")),
    }
}

/// Prints what is going on.
pub(super) fn note(text: impl std::fmt::Display) {
    eprintln!("{}", plain(&text.to_string()));
}

/// Prints why the program failed.
pub(super) fn error(error: &Error) {
    note(format!("error: {error}"));
}

/// Whether a terminal takes the character for a command.
fn is_command(letter: char) -> bool {
    letter.is_control() && !matches!(letter, '\n' | '\t')
}

/// `text` with a sign in the place of each character that a terminal takes for a command.
fn plain(text: &str) -> Cow<'_, str> {
    match text.contains(is_command) {
        true => text.replace(is_command, "\u{fffd}").into(),
        false => text.into(),
    }
}

/// JSON with such characters spelt out, which it would leave as they are above U+001F: they can only be in strings.
fn escaped(json: &str) -> String {
    let letter = |letter: char| match is_command(letter) {
        true => format!("\\u{:04x}", u32::from(letter)),
        false => letter.to_string(),
    };
    json.chars().map(letter).collect()
}

/// Whether a person watches standard error, on a terminal that can write over a line.
pub(super) fn watched() -> bool {
    std::io::stderr().is_terminal() && !is_dumb()
}

/// What images are drawn with on standard output. <https://no-color.org>: `NO_COLOR` counts if it is not empty.
pub(super) fn ink() -> Ink {
    let is_colourless = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    match std::io::stdout().is_terminal() && !is_dumb() {
        true if is_colourless => Ink::Blocks,
        true => Ink::Greys,
        false => Ink::Ascii,
    }
}

/// Whether the terminal only appends, as in Emacs' shell.
fn is_dumb() -> bool {
    std::env::var_os("TERM").is_some_and(|name| name == "dumb")
}

/// Says loudly that these are not MNIST.
pub(super) fn warn_of_fallback(metrics: &Metrics) {
    if let Some(reason) = &metrics.dataset.fallback {
        fallback(reason);
    }
}

pub(super) fn fallback(reason: &str) {
    note("WARNING: this is NOT MNIST but the built-in SYNTHETIC digits:");
    for line in columns::lines(&format!("MNIST could not be had: {reason}"), columns::LINE - WARNING.len()) {
        note(format!("{WARNING}{line}"));
    }
}

const WARNING: &str = "WARNING: ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_command_the_terminal() {
        let name = "a\u{1b}]0;b\u{7}\r\u{9b}2J\u{7f}\tお\n";
        assert_eq!(plain(name), "a\u{fffd}]0;b\u{fffd}\u{fffd}\u{fffd}2J\u{fffd}\tお\n");
        assert_eq!(plain("0"), "0");
        let json = serde_json::to_string_pretty(&[name]).unwrap();
        let printed = escaped(&json);
        assert!(!printed.contains(is_command) && printed != json, "{printed}");
        assert_eq!(serde_json::from_str::<[String; 1]>(&printed).unwrap(), [name]);
    }
}
