//! The one definition of the words and flags.

mod train;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use taper::Error;
use taper::data::Choice;

use super::export::ExportArgs;
pub(super) use train::{FindArgs, TrainArgs};

/// Train an image classifier and ship it as ONNX.
#[derive(Debug, Parser)]
#[command(name = "taper", version, arg_required_else_help = true, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    #[command(flatten)]
    pub(super) output: OutputArgs,
}

#[derive(Debug, Args)]
pub(super) struct OutputArgs {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub(super) json: bool,
    /// Print results and errors only
    #[arg(long, short, global = true)]
    pub(super) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Get the data, train, evaluate on the test images and export to ONNX
    Pipeline(TrainArgs),
    /// Get MNIST (or, with --dataset synthetic, draw digits) and check it
    Download(DataArgs),
    /// Get the data and train; writes all but the ONNX file and the test scores
    Train(TrainArgs),
    /// Try rising learning rates, and suggest one
    ///
    /// The flags are those of `train`; --lr, --schedule, --warmup, --epochs, --early-stopping and --ema-decay have no say in
    /// it, and are refused.
    LrFind(FindArgs),
    /// Score a finished run on the test images
    Evaluate {
        #[command(flatten)]
        run: RunArgs,
        /// Score it once more on the mean of its answers to each image and to the image shifted by a pixel to all sides
        #[arg(long)]
        tta: bool,
    },
    /// Write the network of a finished run, or of a safetensors file, as a verified ONNX file
    Export(ExportArgs),
    /// Classify pictures of digits
    Predict {
        /// PNG or JPEG files, of any size and colour
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<PathBuf>,
        /// The folder of a finished run [default: the newest under runs/]
        #[arg(long, value_name = "DIR")]
        run: Option<PathBuf>,
    },
    /// Print a network: layers, shapes, parameters, multiply-adds
    Summary {
        #[command(flatten)]
        model: ModelArgs,
        /// Print it as a network file, to edit and give to --model
        #[arg(long, conflicts_with = "plan")]
        toml: bool,
        /// Print what training runs instead: the fused steps, the kernels, bytes and multiply-adds
        #[arg(long, conflicts_with = "json")]
        plan: bool,
    },
    /// Print what an ONNX file holds
    Inspect {
        /// The file
        file: PathBuf,
    },
    /// Write test images and a run's answers, for other runtimes to be compared with
    #[command(hide = true)]
    Reference {
        #[command(flatten)]
        run: RunArgs,
        /// The safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
}

/// Where the data come from.
#[derive(Debug, Args)]
pub(super) struct DataArgs {
    /// Folder with MNIST as IDX files (plain or gzip) or Parquet
    #[arg(long, value_name = "DIR")]
    pub(super) data_dir: Option<PathBuf>,
    /// `mnist` insists on MNIST; `auto` falls back to the built-in synthetic digits [default: auto]
    #[arg(long, value_name = "NAME", value_parser = choice_names())]
    pub(super) dataset: Option<Choice>,
    /// Branch, tag or commit of the dataset on the Hugging Face Hub [default: main]
    #[arg(long, value_name = "REVISION")]
    pub(super) revision: Option<String>,
}

impl DataArgs {
    /// Whether anything is said of the data.
    pub(super) fn is_given(&self) -> bool {
        self.data_dir.is_some() || self.dataset.is_some() || self.revision.is_some()
    }
}

#[derive(Debug, Args)]
pub(super) struct ModelArgs {
    /// tutorial, lenet5, residual, or the path of a network file [default: tutorial]
    #[arg(long, value_name = "PRESET|FILE.toml")]
    pub(super) model: Option<String>,
}

/// A finished run, and its data.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The folder of a finished run [default: the newest under runs/]
    #[arg(value_name = "RUN")]
    pub(super) run: Option<PathBuf>,
    #[command(flatten)]
    pub(super) data: DataArgs,
    /// Threads to compute on [default: all cores]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub(super) threads: Option<usize>,
}

fn choice_names() -> impl clap::builder::TypedValueParser<Value = Choice> {
    use clap::builder::{PossibleValuesParser, TypedValueParser};
    PossibleValuesParser::new(Choice::ALL.map(Choice::name)).try_map(|name| name.parse::<Choice>())
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("give a whole number of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// More threads than any machine has cores would only exhaust its memory.
pub(super) fn thread_count(text: &str) -> Result<usize, String> {
    at_least_one(text)
        .ok()
        .filter(|&threads| threads <= 1024)
        .ok_or_else(|| "give a number from 1 to 1024".to_owned())
}

pub(super) fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "give a number greater than 0, such as 0.001".to_owned())
}

pub(super) fn not_negative(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0);
    number.ok_or_else(|| "give a number that is 0 or greater".to_owned())
}

pub(super) fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..1.0).contains(number));
    number.ok_or_else(|| "give a number from 0 up to, but not including, 1".to_owned())
}

impl Command {
    /// Proves of the arguments what clap cannot.
    pub(super) fn check(&self) -> Result<(), clap::Error> {
        match self {
            Command::Export(args) => args.check(),
            Command::LrFind(args) => args.check(),
            _ => Ok(()),
        }
    }

    /// The number of threads asked for.
    pub(super) fn threads(&self) -> Result<Option<usize>, Error> {
        match self {
            Command::Pipeline(args) | Command::Train(args) => Ok(args.settings.config()?.threads),
            Command::LrFind(args) => Ok(args.settings.config()?.threads),
            Command::Evaluate { run, .. } | Command::Reference { run, .. } => Ok(run.threads),
            Command::Export(args) => Ok(args.threads),
            _ => Ok(None),
        }
    }
}

impl DataArgs {
    /// Puts what was given in place of what `config` has.
    pub(super) fn apply(&self, config: &mut taper::DataConfig) {
        if let Some(dataset) = self.dataset {
            config.dataset = dataset;
            // A folder from a configuration belongs to the dataset it was written for.
            config.data_dir = None;
        }
        if let Some(folder) = &self.data_dir {
            config.data_dir = Some(folder.clone());
        }
        if let Some(revision) = &self.revision {
            config.revision.clone_from(revision);
        }
    }
}
