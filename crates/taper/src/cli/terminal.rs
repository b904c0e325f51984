//! What is printed: results to standard output, everything else to standard error.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the one place of the program that prints")]

use std::io::{IsTerminal, Write};

use serde::Serialize;
use taper::{Error, Metrics};

use super::picture::Ink;

/// Prints a line of the result. A reader that has gone (`taper summary | head`) is no failure.
pub(super) fn result(text: impl std::fmt::Display) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints the result as JSON.
pub(super) fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => result(text),
        Err(error) => eprintln!("error: the result has no JSON form: {error}"),
    }
}

/// Prints what is going on.
pub(super) fn note(text: impl std::fmt::Display) {
    eprintln!("{text}");
}

/// Prints why the program failed.
pub(super) fn error(error: &Error) {
    eprintln!("error: {error}");
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
    eprintln!(
        "WARNING: this is NOT MNIST but the built-in SYNTHETIC digits, because MNIST could not be had:"
    );
    eprintln!("WARNING: {reason}");
}
