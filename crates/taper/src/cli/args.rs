//! The one definition of the words and flags.

mod data;
mod examples;
mod train;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use taper::Error;

use super::demo::DemoArgs;
use super::export::ExportArgs;
pub(super) use data::{DataArgs, ImageArgs, ModelArgs};
pub(super) use train::{FindArgs, TrainArgs};

/// Train an image classifier and ship it as ONNX.
#[derive(Debug, Parser)]
#[command(name = "taper", version, arg_required_else_help = true, max_term_width = 100, after_help = examples::TAPER)]
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
    /// Get the data, train, evaluate on the test images, export, and report
    #[command(after_help = examples::PIPELINE)]
    Pipeline(TrainArgs),
    /// Get MNIST, read folders of images or, with --dataset synthetic, draw digits, and check them
    #[command(after_help = examples::DOWNLOAD)]
    Download(DataArgs),
    /// Get the data and train; writes all but the ONNX file and the test scores
    #[command(after_help = examples::TRAIN)]
    Train(TrainArgs),
    /// Try rising learning rates, and suggest one
    ///
    /// The flags are those of `train`; --lr, --schedule, --warmup, --epochs, --early-stopping and --ema-decay have no say in
    /// it, and are refused.
    #[command(after_help = examples::LR_FIND)]
    LrFind(FindArgs),
    /// Score a finished run on the test images
    #[command(after_help = examples::EVALUATE)]
    Evaluate {
        #[command(flatten)]
        run: RunArgs,
        /// Score it once more on the mean of its answers to each image and to the image shifted by a pixel to all sides
        #[arg(long)]
        tta: bool,
    },
    /// Write the network of a finished run, or of a safetensors file, as a verified ONNX file
    #[command(after_help = examples::EXPORT)]
    Export(ExportArgs),
    /// Write report.html of a finished run, and its plots
    ///
    /// The page tells the whole story of the run, loads nothing, and opens by double click. The plots are SVG and PNG files in the
    /// folder `plots`.
    #[command(after_help = examples::REPORT)]
    Report(RunArgs),
    /// Serve a page on which one draws and the network answers in the browser
    ///
    /// The page runs the ONNX file by onnxruntime-web, which is downloaded from the npm registry the first time (33 MB), held
    /// to its checksum and kept in ~/.cache/taper. Served, it can be seen by this machine alone; Ctrl-C ends that, with the exit
    /// code 0.
    #[command(after_help = examples::DEMO)]
    Demo(DemoArgs),
    /// Classify pictures: of digits, or of what the classes of a folder of images show
    #[command(after_help = examples::PREDICT)]
    Predict {
        /// PNG, JPEG or WebP files, of any size and colour
        #[arg(required = true, value_name = "IMAGE")]
        images: Vec<PathBuf>,
        /// The folder of a finished run [default: the newest under runs/]
        #[arg(long, value_name = "DIR")]
        run: Option<PathBuf>,
    },
    /// Print finished runs side by side: settings that differ, scores, speed, sizes
    #[command(after_help = examples::COMPARE)]
    Compare {
        /// The folders of the runs
        #[arg(required = true, num_args = 2.., value_name = "RUN")]
        runs: Vec<PathBuf>,
        /// Write a page as well: the table, and their curves over each other
        #[arg(long, value_name = "FILE.html")]
        html: Option<PathBuf>,
    },
    /// Print a network: layers, shapes, parameters, multiply-adds
    #[command(after_help = examples::SUMMARY)]
    Summary {
        #[command(flatten)]
        model: ModelArgs,
        #[command(flatten)]
        images: ImageArgs,
        /// Print it as a network file, to edit and give to --model
        #[arg(long, conflicts_with = "plan")]
        toml: bool,
        /// Print what training runs instead: the fused steps, the kernels, bytes and multiply-adds
        #[arg(long, conflicts_with = "json")]
        plan: bool,
    },
    /// Print what an ONNX file holds
    #[command(after_help = examples::INSPECT)]
    Inspect {
        /// The file
        file: PathBuf,
    },
    /// Print the script by which a shell completes words and flags
    #[command(after_help = examples::COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = examples::MAN)]
    Man {
        /// Write the page of every word into this folder instead
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// Write test images and a run's answers, for other runtimes to be compared with
    #[command(hide = true, after_help = examples::REFERENCE)]
    Reference {
        #[command(flatten)]
        run: RunArgs,
        /// The safetensors file to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
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
            Command::Evaluate { run, .. } | Command::Reference { run, .. } | Command::Report(run) => {
                Ok(run.threads)
            }
            Command::Export(args) => Ok(args.threads),
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests;
