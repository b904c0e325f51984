//! `taper export`: its flags, and what they lead to.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory};
use taper::export::safetensors::{Rename, Renames};
use taper::pipeline::{self, Foreign};
use taper::{Error, ExportMetrics, ModelConfig};

use super::args::{Cli, DataArgs, OutputArgs, thread_count};
use super::commands::{open_run, print_export};
use super::terminal;

/// What is exported, and where to.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The folder of a finished run, or a safetensors file [default: the newest run under runs/]
    #[arg(value_name = "RUN|FILE.safetensors")]
    run: Option<PathBuf>,
    #[command(flatten)]
    data: DataArgs,
    /// Threads to compute on [default: all cores]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub(super) threads: Option<usize>,
    /// The network of the file's weights: tutorial, lenet5, residual, or a network file [default: what the file says]
    #[arg(long, value_name = "PRESET|FILE.toml")]
    model: Option<String>,
    /// What the network calls a tensor of the file and all below it, such as features.0=layer1.0; several may be given
    #[arg(long, value_name = "FROM=TO", requires = "model")]
    rename: Vec<Rename>,
    /// Where to write it [default: model.onnx of the run]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl ExportArgs {
    /// The safetensors file, if it is one and no run.
    fn file(&self) -> Option<&Path> {
        let is_file =
            |path: &&Path| path.is_file() || path.extension().is_some_and(|end| end == "safetensors");
        self.run.as_deref().filter(|path| !path.is_dir()).filter(is_file)
    }

    /// Proves that the arguments go together.
    pub(super) fn check(&self) -> Result<(), clap::Error> {
        let refuse = |kind, message: &str| Err(Cli::command().error(kind, message));
        match (self.file(), &self.out, &self.model) {
            (Some(_), None, _) => {
                refuse(ErrorKind::MissingRequiredArgument, "a safetensors file needs --out FILE.onnx")
            }
            (None, _, Some(_)) => refuse(
                ErrorKind::ArgumentConflict,
                "--model is for a safetensors file; a run has its own network",
            ),
            _ => Ok(()),
        }
    }
}

pub(super) fn export(args: &ExportArgs, output: &OutputArgs) -> Result<(), Error> {
    let (exported, path, what) = match (args.file(), &args.out) {
        (Some(file), Some(out)) => (export_file(args, file, out)?, out.clone(), "random"),
        _ => {
            let (folder, data) = open_run(args.run.as_deref(), &args.data, output)?;
            let path = args.out.clone().unwrap_or_else(|| folder.onnx());
            (pipeline::export(&folder, &data, &path)?, path, "test")
        }
    };
    if output.json {
        terminal::json(&exported);
    } else {
        print_export(&exported, &path, what);
    }
    Ok(())
}

fn export_file(args: &ExportArgs, file: &Path, out: &Path) -> Result<ExportMetrics, Error> {
    let foreign = match &args.model {
        Some(name) => {
            let graph = ModelConfig::from_name(name)?.graph()?;
            Some(Foreign { graph, renames: Renames::new(args.rename.iter().cloned()) })
        }
        None => None,
    };
    pipeline::export_file(file, foreign.as_ref(), out)
}
