//! `taper export`: its flags, and what they lead to.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, CommandFactory};
use taper::export::onnx::inspect_file;
use taper::export::safetensors::{Rename, Renames};
use taper::pipeline::{self, Foreign};
use taper::{DataConfig, Error, ExportMetrics, ModelConfig, RunFolder};

use super::args::{Cli, DataArgs, OutputArgs, thread_count};
use super::commands::{data_of, find_run, load, print_export};
use super::form::FormArgs;
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
    #[command(flatten)]
    form: FormArgs,
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
            _ if self.form.has_idle_range() => refuse(
                ErrorKind::MissingRequiredArgument,
                "--range is for --uint8-input and --int8; a file of other input is the same for every range",
            ),
            (Some(_), None, _) => {
                refuse(ErrorKind::MissingRequiredArgument, "a safetensors file needs --out FILE.onnx")
            }
            (Some(_), _, _) if self.data.is_given() && !self.form.is_int8() => refuse(
                ErrorKind::ArgumentConflict,
                "--data-dir, --dataset and --revision are for a run, or for --int8, which is calibrated on images; \
                 a safetensors file is otherwise verified on random ones",
            ),
            (_, Some(out), _) if self.form.has_external_data() && !is_text(out) => refuse(
                ErrorKind::InvalidValue,
                "--external-data needs a file name in UTF-8: the ONNX file has to name the one beside it",
            ),
            (None, _, Some(_)) => refuse(
                ErrorKind::ArgumentConflict,
                "--model is for a safetensors file; a run has its own network",
            ),
            (None, None, None) if !self.form.is_plain() => refuse(
                ErrorKind::MissingRequiredArgument,
                "the model.onnx of a run is always the plain one; for another, give --out FILE.onnx",
            ),
            _ => Ok(()),
        }
    }
}

/// Whether the name of a file is UTF-8.
fn is_text(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_str().is_some())
}

pub(super) fn export(args: &ExportArgs, output: &OutputArgs) -> Result<(), Error> {
    let (exported, path, what) = match (args.file(), &args.out) {
        (Some(file), Some(out)) => {
            let images = if args.form.is_int8() { "test" } else { "random" };
            (export_file(args, file, out, output)?, out.clone(), images)
        }
        _ => {
            let folder = find_run(args.run.as_deref())?;
            let path = args.out.clone().unwrap_or_else(|| folder.onnx());
            let _lock = RunFolder::lock_around(&path)?;
            let data = data_of(&folder, &args.data, output)?;
            (pipeline::export(&folder, &data, &path, &args.form.form())?, path, "test")
        }
    };
    if let Some(reason) = exported.not_portable.as_ref().filter(|_| !output.quiet) {
        terminal::note(format!("note: the file is for the profile `{}` ({reason})", exported.profile));
    }
    if args.form.has_external_data() && !output.quiet && !is_split(&path)? {
        terminal::note("note: no weight is large enough to lie in a file of its own, so there is one file");
    }
    if output.json {
        terminal::json(&exported);
    } else {
        print_export(&exported, &path, what);
    }
    Ok(())
}

/// Whether constants of a file lie in another.
fn is_split(path: &Path) -> Result<bool, Error> {
    Ok(inspect_file(path)?.constants.iter().any(|constant| constant.file.is_some()))
}

fn export_file(
    args: &ExportArgs,
    file: &Path,
    out: &Path,
    output: &OutputArgs,
) -> Result<ExportMetrics, Error> {
    let _lock = RunFolder::lock_around(out)?;
    let foreign = match &args.model {
        Some(name) => {
            let graph = ModelConfig::from_name(name)?.graph()?;
            Some(Foreign { graph, renames: Renames::new(args.rename.iter().cloned()) })
        }
        None => None,
    };
    // Other images than those meant would calibrate it wrongly: they have to be named.
    let is_named = args.data.data_dir.is_some() || args.data.dataset.is_some();
    let data = match args.form.is_int8() && is_named {
        true => {
            let mut config = DataConfig::default();
            args.data.apply(&mut config);
            Some(load(&config, output)?)
        }
        false => None,
    };
    pipeline::export_file(file, foreign.as_ref(), out, &args.form.form(), data.as_ref())
}
