//! What can go wrong in a run.

use std::path::{Path, PathBuf};

use taper_data::DataError;
use taper_data::image_folder::PictureError;
use taper_data::prepare::PrepareError;
use taper_demo::DemoError;
use taper_export::ExportError;
use taper_export::onnx::InspectError;
use taper_export::safetensors::SafetensorsError;
use taper_files::WriteError;
use taper_graph::GraphError;
use taper_model::ModelError;
use taper_report::ReportError;
use taper_train::TrainError;

/// Why a run failed. Every message names the place and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data could not be had.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The network is not valid.
    #[error("{}{cause}", of_file(file.as_deref()))]
    Graph {
        /// The file it is in, if it is in one.
        file: Option<PathBuf>,
        /// What is wrong with it.
        cause: GraphError,
    },
    /// The model could not be built or run.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// Training or evaluation failed.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// The ONNX file could not be made or was not verified.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// The safetensors file could not be read or written.
    #[error(transparent)]
    Safetensors(#[from] SafetensorsError),
    /// A file could not be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The report could not be made.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// The demo page could not be made or served.
    #[error(transparent)]
    Demo(#[from] DemoError),
    /// A run has no ONNX file.
    #[error("{0} holds no model.onnx; write it with `taper export {0}`", path.display())]
    NoOnnx {
        /// The folder of the run.
        path: PathBuf,
    },
    /// The demo page cannot use an ONNX file.
    #[error("{} cannot be drawn for: {problem}", path.display())]
    NoDemo {
        /// The file.
        path: PathBuf,
        /// What the page lacks of it, and the remedy.
        problem: String,
    },
    /// An ONNX file could not be read.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// A picture could not be read.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A picture could not be made what the network takes.
    #[error(transparent)]
    Picture(#[from] PictureError),
    /// A file could not be read from the disk.
    #[error("cannot read {}: {cause}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{} is no {what}: {cause}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What it should be.
        what: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// A folder holds no finished run.
    #[error("{} holds no finished run ({} is missing); train one with --out {0}, or name another folder", path.display(), missing)]
    NoRun {
        /// The folder.
        path: PathBuf,
        /// The file that is missing.
        missing: &'static str,
    },
    /// The test scores of a run are not those of its network.
    #[error(
        "the network in {0} does not answer as its metrics.json says: one of the two was changed; score it again with \
         `taper evaluate {0}`",
        path.display()
    )]
    OtherScores {
        /// The folder of the run.
        path: PathBuf,
    },
    /// A configuration has no form as text.
    #[error(
        "the configuration cannot be written as TOML: {cause}; use paths in Unicode and a seed below 2^63"
    )]
    NoToml {
        /// What the TOML writer said.
        cause: String,
    },
    /// The folder for the run holds files of the same names that are no run of Taper's.
    #[error(
        "{} is in the way: it is there, but {} holds no run of Taper's; choose another folder with --out, or move it",
        file.display(), path.display()
    )]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// The file that would be overwritten.
        file: PathBuf,
    },
    /// The ONNX file would overwrite what it is made from, or another file of the run.
    #[error("{} belongs to the run itself, or is what is exported; write the ONNX file elsewhere", path.display())]
    OwnFile {
        /// The file.
        path: PathBuf,
    },
    /// There are no images to calibrate int8 on.
    #[error("{} is not written: int8 is calibrated on images; export a run, or give --data-dir with images", path.display())]
    NoCalibration {
        /// The file that was to be written.
        path: PathBuf,
    },
    /// It is not known in what range the images are to calibrate int8 on.
    #[error(
        "{} is not written: int8 is calibrated on images as in training, and weights of others do not say what the bytes 0 \
         and 255 became there; give --range LOW,HIGH, such as --range=0,1",
        path.display()
    )]
    NoRange {
        /// The file that was to be written.
        path: PathBuf,
    },
    /// The images are not as large as those that the network takes.
    #[error("the {name} images are {images:?}, but the network takes {input}; give images of that size")]
    OtherImages {
        /// The name of the data.
        name: String,
        /// Channels, height and width.
        images: [usize; 3],
        /// The shape of the network's input.
        input: String,
    },
    /// A preset cannot be made for the images.
    #[error(
        "there is no such network for images of {} and {classes} classes: {cause}; name another with --model, or, for images in \
         folders, another --image-size",
        by(images)
    )]
    NoNetworkFor {
        /// Channels, height and width.
        images: [usize; 3],
        /// The number of classes.
        classes: usize,
        /// What does not fit.
        cause: GraphError,
    },
    /// A network file is for other images.
    #[error(
        "the network `{graph}` takes images of {} and gives {output}, but the data `{name}` have {} and {classes} classes; \
         change the file's `input` and its last layer (`taper summary --model FILE.toml --input {} --classes {classes} --toml` \
         prints it so), or, for images in folders, give --image-size and --channels",
        by(input),
        by(images),
        by(images)
    )]
    OtherNetwork {
        /// The network's name.
        graph: String,
        /// Channels, height and width that it takes.
        input: Vec<usize>,
        /// The shape of its output.
        output: String,
        /// The name of the data.
        name: String,
        /// Their channels, height and width.
        images: [usize; 3],
        /// The number of their classes.
        classes: usize,
    },
    /// The network does not classify what `predict` can prepare.
    #[error(
        "the network of {} takes {input} and tells {classes} classes apart; `predict` needs [N, 1, 28, 28], or images of folders with 1 \
         or 3 channels, and {names} classes", path.display()
    )]
    NotDigits {
        /// The folder of the run.
        path: PathBuf,
        /// The shape of its input.
        input: String,
        /// The number of its logits.
        classes: usize,
        /// The number of class names.
        names: usize,
    },
    /// The threads could not be started.
    #[error("cannot start {threads} threads: {cause}; give a smaller number with --threads")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// What the system said.
        cause: String,
    },
    /// There is no run to take the network from.
    #[error(
        "there is no finished run under `runs/`; train one with `taper pipeline`, or name one with --run"
    )]
    NoRuns,
    /// Another process writes into the folder.
    #[error("another process writes into {}; wait for it to end, or, to train, choose another folder with --out", path.display())]
    Locked {
        /// The folder.
        path: PathBuf,
    },
    /// The finished run in the folder is another than the one that was asked for.
    #[error(
        "{} holds a finished run whose `{setting}` was {was}, and {is} is asked for now; ask for the same, choose another \
         folder with --out, or leave out --resume to replace that run", path.display()
    )]
    OtherSettings {
        /// The folder.
        path: PathBuf,
        /// The first setting that differs.
        setting: String,
        /// What it was.
        was: String,
        /// What it is.
        is: String,
    },
    /// The processes that share a run were asked for different ones.
    #[error(
        "`{setting}` is {first} in process 0 and {other} in process {rank}; start all processes with the same flags, program \
         and data"
    )]
    OtherRank {
        /// The process that differs from process 0.
        rank: usize,
        /// The first setting that differs.
        setting: String,
        /// What it is in process 0.
        first: String,
        /// What it is in the other.
        other: String,
    },
    /// Processes were started by another MPI than the program was built with.
    #[error(
        "{processes} processes were started, but MPI knows of {known}: start taper by the mpirun of the MPI that it was built with"
    )]
    OtherMpi {
        /// How many the launcher says it has started.
        processes: usize,
        /// How many there are for MPI.
        known: usize,
    },
    /// An MPI that only one thread of a process may call.
    #[error(
        "this MPI gives threads the level “{given}”, but taper talks to other processes from more than one thread, though never \
         from two at once: use an MPI that gives “serialized” or “multiple”"
    )]
    MpiThreads {
        /// The level that it gives: `single` or `funneled`.
        given: String,
    },
    /// Processes were started by `mpirun` of a program that knows nothing of MPI.
    #[error(
        "this taper was started {} but built without MPI, so that each would train by itself; build it with `--features mpi`, \
         or start it without mpirun",
        as_processes(*processes)
    )]
    NoMpi {
        /// How many, if the launcher tells.
        processes: Option<usize>,
    },
    /// Processes were started for what one does alone.
    #[error(
        "only `train` and `pipeline` can be shared by {processes} processes; start this one without mpirun"
    )]
    NotShared {
        /// How many.
        processes: usize,
    },
    /// Training diverged.
    #[error("{cause}{}", of_checkpoint(checkpoint.as_deref()))]
    Diverged {
        /// Where, and at which learning rate.
        #[source]
        cause: TrainError,
        /// The newest checkpoint from before.
        checkpoint: Option<PathBuf>,
    },
    /// Dropout for a network that has none.
    #[error(
        "the dropout {dropout} has no place: the network has no dropout layer; leave it out, or add a layer `dropout`"
    )]
    NoDropout {
        /// The probability.
        dropout: f64,
    },
    /// Too few training images to hold some out for validation.
    #[error(
        "{train} training images are too few to hold out {validation} for validation; give more images, or a \
         smaller `validation` in the configuration"
    )]
    TooFewImages {
        /// How many there are.
        train: usize,
        /// How many were to be held out.
        validation: usize,
    },
    /// Nothing to score the trained network on.
    #[error(
        "there are no images to test on: a tenth of each class is held out for that, but no class has two; give more images, or a \
         folder `test`"
    )]
    NoTestImages,
    /// The data found are not those that the run was trained on.
    #[error(
        "the run was trained on {expected_name} data with SHA-256 {expected}, but the data found ({found_name}) have \
         {found}; give the same data with --dataset or --data-dir"
    )]
    OtherData {
        /// The name of the run's data.
        expected_name: String,
        /// The hash of the run's data.
        expected: String,
        /// The name of the data found.
        found_name: String,
        /// Their hash.
        found: String,
    },
}

/// `3x32x32`, as flags have it.
fn by(sizes: &[usize]) -> String {
    sizes.iter().map(usize::to_string).collect::<Vec<_>>().join("x")
}

fn of_file(file: Option<&Path>) -> String {
    file.map(|file| format!("{}: ", file.display())).unwrap_or_default()
}

fn as_processes(count: Option<usize>) -> String {
    count.map_or_else(|| "for one of several processes".to_owned(), |count| format!("as {count} processes"))
}

fn of_checkpoint(path: Option<&Path>) -> String {
    path.map(|path| format!("; the last checkpoint before it is {}", path.display())).unwrap_or_default()
}

impl From<GraphError> for Error {
    fn from(cause: GraphError) -> Self {
        Error::Graph { file: None, cause }
    }
}
