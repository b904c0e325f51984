//! `taper report`.

use serde_json::json;
use taper::{Error, pipeline};

use super::args::{OutputArgs, RunArgs};
use super::commands::open_run;
use super::terminal;

pub(super) fn report(args: &RunArgs, output: &OutputArgs) -> Result<(), Error> {
    let (folder, data) = open_run(args.run.as_deref(), &args.data, output)?;
    pipeline::report(&folder, &data)?;
    if output.json {
        terminal::json(&json!({ "report": folder.report(), "plots": folder.plots() }));
    } else {
        terminal::result(format!("report    {}", folder.report().display()));
    }
    Ok(())
}
