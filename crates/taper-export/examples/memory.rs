//! `memory [MIB [graph|candle [FOLDER]]]`: exports a network of that size (1024 MiB, unless told), from a graph or from a
//! model written by hand in candle, verification included, and prints the memory that this takes beyond the network itself,
//! and the time. The exit code is 1 if it is more than 1.2 times the file. Linux only: it reads `/proc/self/status`.
#![allow(clippy::print_stdout, reason = "a program speaks on its standard streams")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use candle_core::{Device, Result as CandleResult, Tensor};
use candle_nn::Linear as CandleLinear;
use taper_export::flow::{Export, Flow, Layer};
use taper_export::onnx::Options;
use taper_export::{Exported, Sample, export};
use taper_graph::{Array, Graph, Linear, Op, Weights};

/// Inputs and outputs of each layer: 64 MiB of weights.
const WIDTH: usize = 4096;

/// The most memory that an export may take, in sizes of its file.
const MOST: f64 = 1.2;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let mib: usize = arguments.next().map_or(Ok(1024), |word| word.parse())?;
    let kind = arguments.next().unwrap_or_else(|| "graph".to_owned());
    let folder = tempfile::tempdir_in(arguments.next().map_or_else(std::env::temp_dir, PathBuf::from))?;
    let (layers, path) = (mib.div_ceil(64), folder.path().join("memory.onnx"));
    let Measured { exported, before, seconds } = match kind.as_str() {
        "graph" => from_graph(layers, &path)?,
        "candle" => from_candle(layers, &path)?,
        other => return Err(format!("`{other}` is neither `graph` nor `candle`").into()),
    };
    let extra = kilobytes("VmHWM")?.saturating_sub(before);
    let (bytes, difference) = (exported.bytes, exported.verification.max_abs_diff);
    let share = (extra * 1024) as f64 / bytes as f64;
    println!(
        "{kind}: {bytes} bytes written and verified ({difference:.1e}) in {seconds:.1} s with {extra} kB more memory, \
         {share:.2} times as much; {MOST} times is the most"
    );
    Ok(if share <= MOST { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What an export made, the kilobytes that were in use before, and how long it took.
struct Measured {
    exported: Exported,
    before: usize,
    seconds: f64,
}

impl Measured {
    fn new(export: impl FnOnce() -> Outcome<Exported>) -> Outcome<Self> {
        let (before, start) = (kilobytes("VmRSS")?, Instant::now());
        Ok(Self { exported: export()?, before, seconds: start.elapsed().as_secs_f64() })
    }
}

/// Weights of layer number `layer`, as if drawn at random with the variance 1/`WIDTH`: numbers stay as large as they are from
/// layer to layer, and no two layers are equal, of which only one would be stored.
fn weight(layer: usize) -> impl Iterator<Item = f32> {
    let mut state = layer as u64;
    (0..WIDTH * WIDTH).map(move |_| {
        // SplitMix64 (Steele et al. 2014).
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let unit = (mixed >> 40) as f32 / (1u32 << 24) as f32;
        (2.0 * unit - 1.0) * (3.0 / WIDTH as f32).sqrt()
    })
}

fn image() -> Vec<f32> {
    (0..WIDTH).map(|place| (place % 7) as f32 - 3.0).collect()
}

fn from_graph(layers: usize, path: &Path) -> Outcome<Measured> {
    let ops = (0..layers).map(|_| Op::Linear(Linear { out_features: WIDTH, bias: false }));
    let graph = Graph::sequential("memory", &[WIDTH], ops)?;
    let arrays = graph.params().enumerate().map(|(layer, named)| {
        (named.name, Array { shape: named.param.shape.clone(), data: weight(layer).collect() })
    });
    let weights = Weights::new(&graph, arrays.collect::<BTreeMap<_, _>>())?;
    let images = image();
    let mut answer: Vec<f64> = images.iter().map(|&number| f64::from(number)).collect();
    for (_, array) in weights.iter() {
        let row = |row: &[f32]| row.iter().zip(&answer).map(|(weight, x)| f64::from(*weight) * x).sum();
        answer = array.data.chunks(WIDTH).map(row).collect();
    }
    let logits: Vec<f32> = answer.iter().map(|&number| number as f32).collect();
    let sample = Sample { count: 1, images: &images, logits: &logits };
    Measured::new(|| Ok(export(path, &graph, &weights, &Options::default(), &sample)?))
}

struct Net(Vec<CandleLinear>);

impl Layer for Net {
    fn forward<F: Flow>(&self, xs: &F) -> CandleResult<F> {
        self.0.iter().try_fold(xs.clone(), |xs, layer| xs.apply(layer))
    }
}

fn from_candle(layers: usize, path: &Path) -> Outcome<Measured> {
    let layer = |layer| {
        let weight = Tensor::from_vec(weight(layer).collect::<Vec<f32>>(), (WIDTH, WIDTH), &Device::Cpu)?;
        Ok(CandleLinear::new(weight, None))
    };
    let net = Net((0..layers).map(layer).collect::<CandleResult<_>>()?);
    let sample = Tensor::from_vec(image(), (1, WIDTH), &Device::Cpu)?;
    let export = Export::new("memory").input("x", &sample, &[(0, "N")]);
    Measured::new(|| Ok(export.write(path, &net)?))
}

/// A line of the process's own status.
fn kilobytes(name: &str) -> Outcome<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()).ok_or("no such line")?;
    Ok(number.parse()?)
}
