//! What shells and `man` are told of the words and flags, made from their one definition.

use std::io;
use std::path::Path;

use clap::{Command, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, roman};
use taper::Error;
use taper_files::{WriteError, create_folder, write_atomic};

use super::args::Cli;
use super::terminal;

/// Prints the script by which `shell` completes the words and flags.
pub(super) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "taper", &mut script);
    terminal::result(String::from_utf8_lossy(&script).trim_end());
}

/// Prints the manual page of the program, or writes that of every word into the folder `out`.
pub(super) fn man(out: Option<&Path>) -> Result<(), Error> {
    let mut taper = Cli::command().disable_help_subcommand(true);
    taper.build();
    let Some(folder) = out else {
        let (_, text) = page(&taper).map_err(|cause| WriteError::new(Path::new("the manual page"), cause))?;
        terminal::result(String::from_utf8_lossy(&text).trim_end());
        return Ok(());
    };
    create_folder(folder)?;
    let words = taper.get_subcommands().filter(|word| !word.is_hide_set());
    for command in std::iter::once(&taper).chain(words) {
        let (name, text) = page(command).map_err(|cause| WriteError::new(folder, cause))?;
        write_atomic(&folder.join(name), |file| file.write_all(&text))?;
    }
    Ok(())
}

/// The name of a command's manual page, and its text in roff.
fn page(command: &Command) -> io::Result<(String, Vec<u8>)> {
    let man = Man::new(command.clone()).source(concat!("taper ", env!("CARGO_PKG_VERSION"))).manual("Taper");
    let mut text = Vec::new();
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    man.render_synopsis_section(&mut text)?;
    man.render_description_section(&mut text)?;
    man.render_options_section(&mut text)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut text)?;
    }
    examples(command).to_writer(&mut text)?;
    Ok((man.get_filename(), text))
}

/// The examples, line by line, which clap_mangen would fill into paragraphs.
fn examples(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXAMPLES"]);
    roff.control("nf", []);
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    for line in help.lines().skip(1) {
        roff.text([roman(line.trim_start())]);
    }
    roff.control("fi", []);
    roff
}
