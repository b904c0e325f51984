//! The one definition of the words and flags.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use taper::data::Choice;
use taper::pipeline::{RunOptions, Start};
use taper::train::{Optimizer, Schedule};
use taper::{Config, Error, ModelConfig};

use super::export::ExportArgs;

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
    /// Score a finished run on the test images
    Evaluate(RunArgs),
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

/// Everything that decides a training run; what is not given comes from --config, or has its default.
#[derive(Debug, Args)]
pub(super) struct TrainArgs {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) model: ModelArgs,
    /// A configuration file, such as the config.toml of a run
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Passes over the training images [default: 5]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(super) epochs: Option<usize>,
    /// Images per step [default: 100]
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(super) batch_size: Option<usize>,
    /// Learning rate; with a schedule, the highest one [default: 0.001]
    #[arg(long, value_name = "X", value_parser = positive, allow_negative_numbers = true)]
    pub(super) lr: Option<f64>,
    /// How the learning rate changes [default: constant]
    #[arg(long, value_enum)]
    pub(super) schedule: Option<ScheduleName>,
    /// The update rule, with PyTorch's defaults (sgd with momentum 0.9) [default: adam]
    #[arg(long, value_enum)]
    pub(super) optimizer: Option<OptimizerName>,
    /// Share of the target spread over all classes [default: 0]
    #[arg(long, value_name = "X", value_parser = fraction, allow_negative_numbers = true)]
    pub(super) label_smoothing: Option<f64>,
    /// Decides the first weights, the split, the order of the images and the dropout [default: 0]
    #[arg(long, value_name = "N")]
    pub(super) seed: Option<u32>,
    /// Train on the first N images only
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub(super) limit: Option<usize>,
    /// Threads to compute on; changes no result [default: all cores]
    #[arg(long, value_name = "N", value_parser = thread_count)]
    pub(super) threads: Option<usize>,
    /// Folder for the run [default: runs/<dataset>-<model>]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the unfinished run in that folder, to the same bits (`pipeline` does it anyway); leave a finished one as it is
    #[arg(long)]
    pub(super) resume: bool,
    /// Steps from one checkpoint to the next; each epoch ends with one too [default: 250]
    #[arg(long, value_name = "N")]
    pub(super) checkpoint_every: Option<NonZeroUsize>,
    /// Checkpoints to keep [default: 3]
    #[arg(long, value_name = "N")]
    pub(super) keep_checkpoints: Option<NonZeroUsize>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum ScheduleName {
    Constant,
    Cosine,
    OneCycle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum OptimizerName {
    Adam,
    Adamw,
    Sgd,
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

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "give a number greater than 0, such as 0.001".to_owned())
}

fn fraction(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number| (0.0..1.0).contains(number));
    number.ok_or_else(|| "give a number from 0 up to, but not including, 1".to_owned())
}

impl Command {
    /// Proves of the arguments what clap cannot.
    pub(super) fn check(&self) -> Result<(), clap::Error> {
        match self {
            Command::Export(args) => args.check(),
            _ => Ok(()),
        }
    }

    /// The number of threads asked for.
    pub(super) fn threads(&self) -> Result<Option<usize>, Error> {
        match self {
            Command::Pipeline(args) | Command::Train(args) => Ok(args.config()?.threads),
            Command::Evaluate(run) | Command::Reference { run, .. } => Ok(run.threads),
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

impl TrainArgs {
    /// Where the run goes; `start` is what becomes of one that is there if the flags do not say.
    pub(super) fn options(&self, start: Start) -> RunOptions {
        let mut options = RunOptions::default();
        options.out.clone_from(&self.out);
        options.start = if self.resume { Start::Resume } else { start };
        options.checkpoint_every = self.checkpoint_every.unwrap_or(options.checkpoint_every);
        options.keep_checkpoints = self.keep_checkpoints.unwrap_or(options.keep_checkpoints);
        options
    }

    /// The configuration: the file's, or the defaults, with the flags put in place.
    pub(super) fn config(&self) -> Result<Config, Error> {
        let mut config = match &self.config {
            Some(path) => Config::read(path)?,
            None => Config::default(),
        };
        self.data.apply(&mut config.data);
        if let Some(model) = &self.model.model {
            config.model = ModelConfig::from_name(model)?;
        }
        config.data.limit = self.limit.or(config.data.limit);
        config.threads = self.threads.or(config.threads);
        let train = &mut config.train;
        train.epochs = self.epochs.unwrap_or(train.epochs);
        train.batch_size = self.batch_size.unwrap_or(train.batch_size);
        train.learning_rate = self.lr.unwrap_or(train.learning_rate);
        train.label_smoothing = self.label_smoothing.unwrap_or(train.label_smoothing);
        train.seed = self.seed.map_or(train.seed, u64::from);
        train.schedule = self.schedule.map_or(train.schedule, |name| match name {
            ScheduleName::Constant => Schedule::Constant,
            ScheduleName::Cosine => Schedule::Cosine,
            ScheduleName::OneCycle => Schedule::OneCycle,
        });
        train.optimizer = self.optimizer.map_or(train.optimizer, |name| match name {
            OptimizerName::Adam => Optimizer::adam(),
            OptimizerName::Adamw => Optimizer::adamw(),
            OptimizerName::Sgd => Optimizer::sgd(0.9),
        });
        Ok(config)
    }
}
