//! The program `taper`; its flags are in `cli::args`, its work in the library.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
