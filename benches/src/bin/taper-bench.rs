//! Times training or inference of a network, for `cargo xtask peers`; `xtask/peers/README.md` has the protocol.
#![allow(clippy::print_stdout, clippy::print_stderr, missing_docs)]

use std::error::Error;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use taper_data::{Batches, Dataset, Images, idx};
use taper_graph::Graph;
use taper_model::{Inference, Model, Optimizer, Trainer, TrainerSettings};

/// Steps that are not timed.
const WARM_UP: usize = 3;
/// The most bytes of images that are held, or one batch if that is more.
const HELD_BYTES: usize = 256 << 20;
const SEED: u64 = 1;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What the command line says.
struct Options {
    training: bool,
    network: PathBuf,
    data: PathBuf,
    batch: usize,
    threads: usize,
    steps: usize,
    seconds: f64,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        let training = match words.next().as_deref() {
            Some("train") => true,
            Some("infer") => false,
            _ => return Err("usage: taper-bench train|infer --network FILE --data DIR --batch B --threads T --steps N --seconds S".into()),
        };
        let mut options = Self {
            training,
            network: PathBuf::new(),
            data: PathBuf::new(),
            batch: 100,
            threads: 1,
            steps: 100,
            seconds: f64::INFINITY,
        };
        while let Some(name) = words.next() {
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--network" => options.network = value.into(),
                "--data" => options.data = value.into(),
                "--batch" => options.batch = value.parse()?,
                "--threads" => options.threads = value.parse()?,
                "--steps" => options.steps = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                _ => return Err(format!("{name} is no option").into()),
            }
        }
        Ok(options)
    }
}

fn run(options: &Options) -> Outcome<String> {
    let graph = Graph::from_toml(&std::fs::read_to_string(&options.network)?)?;
    let data = images(&graph, options)?;
    let pool = rayon::ThreadPoolBuilder::new().num_threads(options.threads).build()?;
    let mut feed = Feed::new(&data, options.batch)?;
    pool.install(|| {
        let model = Model::new(graph, SEED)?;
        if options.training {
            let settings = TrainerSettings { optimizer: Optimizer::adam(), label_smoothing: 0.0, seed: SEED };
            let mut trainer = Trainer::new(model, settings)?;
            time(options, || {
                feed.advance();
                Ok(trainer.step(&feed.images, &feed.labels, 1e-3)?.loss)
            })
        } else {
            let inference: Inference = model.inference()?;
            time(options, || {
                feed.advance();
                Ok(f64::from(inference.logits(&feed.images)?[0]))
            })
        }
    })
}

/// Calls `step` as often as the options say; gives the line of figures.
fn time(options: &Options, mut step: impl FnMut() -> Outcome<f64>) -> Outcome<String> {
    let mut losses = Vec::new();
    for _ in 0..WARM_UP.min(options.steps) {
        losses.push(step()?);
    }
    let mut times: Vec<Duration> = Vec::new();
    let start = Instant::now();
    while times.is_empty() || times.len() < options.steps && start.elapsed().as_secs_f64() < options.seconds {
        let before = Instant::now();
        losses.push(step()?);
        times.push(before.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    let steps = times.len();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let last = &losses[losses.len() - losses.len().div_ceil(10)..];
    let loss = last.iter().sum::<f64>() / last.len() as f64;
    let loss = if options.training { format!(", \"loss\": {loss}") } else { String::new() };
    Ok(format!(
        "{{\"images_per_second\": {}, \"step_ms_median\": {}, \"step_ms_best\": {}, \"steps\": {steps}{loss}, \"version\": \"{}\"}}",
        (steps * options.batch) as f64 / seconds,
        milliseconds(times[steps / 2]),
        milliseconds(times[0]),
        env!("CARGO_PKG_VERSION"),
    ))
}

/// Batches without end, each pass in another order.
struct Feed<'a> {
    data: &'a Dataset,
    batch: NonZeroUsize,
    batches: Batches<'a>,
    pass: u64,
    images: Vec<f32>,
    labels: Vec<u8>,
}

impl<'a> Feed<'a> {
    fn new(data: &'a Dataset, batch: usize) -> Outcome<Self> {
        let batch = NonZeroUsize::new(batch).ok_or("--batch is 0")?;
        if data.len() < batch.get() {
            return Err(format!("a batch of {batch} is more than the {} images held", data.len()).into());
        }
        let batches = Batches::shuffled(data, batch, SEED, 1);
        Ok(Self { data, batch, batches, pass: 1, images: Vec::new(), labels: Vec::new() })
    }

    /// The next whole batch.
    fn advance(&mut self) {
        while !self.batches.next_into(&mut self.images, &mut self.labels)
            || self.labels.len() < self.batch.get()
        {
            self.pass += 1;
            self.batches = Batches::shuffled(self.data, self.batch, SEED, self.pass);
        }
    }
}

/// MNIST's images in the size that the network takes.
fn images(graph: &Graph, options: &Options) -> Outcome<Dataset> {
    let from = idx::read_images(&file(&options.data, "train-images-idx3-ubyte")?)?;
    let labels = idx::read_labels(&file(&options.data, "train-labels-idx1-ubyte")?)?;
    let [channels, height, width] = graph.input_shape().image()?;
    let len = channels * height * width;
    let count = (HELD_BYTES / len).max(options.batch).min(from.count());
    let mut pixels = Vec::with_capacity(count * len);
    for image in (0..count).map(|index| from.image(index)) {
        for _ in 0..channels {
            for row in (0..height).map(|row| row * from.height() / height) {
                let row = &image[row * from.width()..][..from.width()];
                pixels.extend((0..width).map(|column| row[column * from.width() / width]));
            }
        }
    }
    let images = Images::new(count, channels, height, width, pixels)?;
    Ok(Dataset::digits(images, labels[..count].to_vec())?)
}

/// The file, packed or not.
fn file(folder: &Path, name: &str) -> Outcome<PathBuf> {
    let names = [name.to_owned(), format!("{name}.gz")];
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.is_file());
    found.ok_or_else(|| format!("{} has no {name}", folder.display()).into())
}
