//! `tract-bench infer --network FILE --data DIR --batch B --threads T --steps N --seconds S`: times inference in tract.
//!
//! README.md of the folder above has the protocol. What runs is the ONNX file beside the network file; its images must
//! have the size of those in DIR.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tract_linalg::multithread::{Executor, set_default_executor};
use tract_onnx::prelude::*;

/// Steps that are not timed.
const WARM_UP: usize = 3;

type Outcome<T> = Result<T, Box<dyn Error>>;

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
    network: PathBuf,
    data: PathBuf,
    batch: usize,
    threads: usize,
    steps: usize,
    seconds: f64,
}

impl Options {
    fn parse(mut words: impl Iterator<Item = String>) -> Outcome<Self> {
        if words.next().as_deref() != Some("infer") {
            return Err("usage: tract-bench infer --network FILE --data DIR --batch B --threads T --steps N --seconds S".into());
        }
        let (network, data) = (PathBuf::new(), PathBuf::new());
        let mut options = Self { network, data, batch: 100, threads: 1, steps: 100, seconds: f64::INFINITY };
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
    if options.threads > 1 {
        set_default_executor(Executor::multithread(options.threads));
    }
    let mut feed = Feed::open(&options.data.join("train-images-idx3-ubyte"), options.batch)?;
    let [height, width] = feed.sizes;
    let model = options.network.with_extension("onnx");
    let model = load(&model, [options.batch, 1, height, width])
        .map_err(|cause| format!("{}: tract cannot load it: {cause:#}", model.display()))?;
    let mut step = || -> TractResult<()> {
        let images = feed.advance()?;
        let logits = model.run(tvec!(images.into_tvalue()))?;
        std::hint::black_box(&logits);
        Ok(())
    };
    time(options, &mut step).map_err(|cause| format!("tract cannot run the model: {cause:#}").into())
}

/// The model for images of these sizes, which tract then plans for.
fn load(file: &Path, images: [usize; 4]) -> TractResult<Arc<TypedRunnableModel>> {
    let model = tract_onnx::onnx().model_for_path(file)?;
    model.with_input_fact(0, f32::fact(images).into())?.into_optimized()?.into_runnable()
}

/// Calls `step` as often as the options say; gives the line of figures.
fn time(options: &Options, step: &mut dyn FnMut() -> TractResult<()>) -> TractResult<String> {
    for _ in 0..if options.steps > 1 { WARM_UP } else { 0 } {
        step()?;
    }
    let mut times: Vec<Duration> = Vec::new();
    let start = Instant::now();
    while times.is_empty() || times.len() < options.steps && start.elapsed().as_secs_f64() < options.seconds {
        let before = Instant::now();
        step()?;
        times.push(before.elapsed());
    }
    let seconds = start.elapsed().as_secs_f64();
    times.sort_unstable();
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    Ok(format!(
        "{{\"images_per_second\": {}, \"step_ms_median\": {}, \"step_ms_best\": {}, \"steps\": {}, \"version\": \"{}\"}}",
        (times.len() * options.batch) as f64 / seconds,
        milliseconds(times[times.len() / 2]),
        milliseconds(times[0]),
        times.len(),
        locked_version().unwrap_or("unknown"),
    ))
}

/// The version of tract in the lock file.
fn locked_version() -> Option<&'static str> {
    const LOCK: &str = include_str!("../Cargo.lock");
    let (_, rest) = LOCK.split_once("name = \"tract-onnx\"\nversion = \"")?;
    rest.split('"').next()
}

/// Images of an unpacked IDX file in a shuffled order, a batch at a time, again and again.
struct Feed {
    pixels: Vec<u8>,
    sizes: [usize; 2],
    order: Vec<usize>,
    batch: usize,
    step: usize,
}

impl Feed {
    fn open(path: &Path, batch: usize) -> Outcome<Self> {
        let mut bytes = std::fs::read(path).map_err(|cause| format!("{}: {cause}", path.display()))?;
        let not = |what: &str| format!("{} {what}", path.display());
        let head = bytes.get(..16).ok_or_else(|| not("is no IDX file: it is shorter than its head"))?;
        if head[..4] != [0, 0, 8, 3] {
            return Err(not("is no IDX file of images").into());
        }
        let field =
            |at: usize| head[at..at + 4].iter().fold(0, |value, &byte| value << 8 | usize::from(byte));
        let (count, sizes) = (field(4), [field(8), field(12)]);
        if bytes.len() != 16 + count * sizes[0] * sizes[1] || count < batch || batch == 0 {
            return Err(
                not(&format!("has not the {count} images that it says, or no batch of {batch}")).into()
            );
        }
        bytes.drain(..16);
        Ok(Self { pixels: bytes, sizes, order: shuffled(count), batch, step: 0 })
    }

    /// The next whole batch, in [0, 1].
    fn advance(&mut self) -> TractResult<Tensor> {
        let [height, width] = self.sizes;
        let first = self.step % (self.order.len() / self.batch) * self.batch;
        self.step += 1;
        let len = height * width;
        let mut images = Vec::with_capacity(self.batch * len);
        for &image in &self.order[first..first + self.batch] {
            images.extend(self.pixels[image * len..][..len].iter().map(|&pixel| f32::from(pixel) / 255.0));
        }
        Tensor::from_shape(&[self.batch, 1, height, width], &images)
    }
}

/// The numbers below `count` in a random order, always the same (Fisher and Yates; numbers of Marsaglia's xorshift).
fn shuffled(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count).collect();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for place in (1..count).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(place, (state % (place as u64 + 1)) as usize);
    }
    order
}
