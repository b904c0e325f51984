//! `taper report`.

use serde_json::json;
use taper::{Error, pipeline};

use super::args::{OutputArgs, RunArgs};
use super::commands::{data_of, find_run};
use super::terminal;

pub(super) fn report(args: &RunArgs, output: &OutputArgs) -> Result<(), Error> {
    let folder = find_run(args.run.as_deref())?;
    let _lock = folder.lock()?;
    let data = data_of(&folder, &args.data, output)?;
    pipeline::report(&folder, &data)?;
    if output.json {
        terminal::json(&json!({ "report": folder.report(), "plots": folder.plots() }));
    } else {
        terminal::result(format!("report    {}", folder.report().display()));
    }
    Ok(())
}
