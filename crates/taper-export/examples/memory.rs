//! `memory [GIB [FOLDER]]`: exports a network of that size (1 GiB, unless told) without running it, and prints the memory
//! that this takes beyond the network itself, and the time. Linux only: it reads `/proc/self/status`.
#![allow(clippy::print_stdout, reason = "a program speaks on its standard streams")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use taper_export::onnx::{Options, lower};
use taper_graph::{Array, Graph, Linear, Op, Weights};

/// Inputs and outputs of each layer: 256 MiB of weights.
const WIDTH: usize = 8192;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let gib: usize = arguments.next().map_or(Ok(1), |word| word.parse())?;
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let ops = (0..4 * gib).map(|_| Op::Linear(Linear { out_features: WIDTH, bias: false }));
    let graph = Graph::sequential("memory", &[WIDTH], ops)?;
    let arrays = graph.params().map(|named| {
        let data = (0..named.param.elements()).map(|place| place as f32).collect();
        (named.name, Array { shape: named.param.shape.clone(), data })
    });
    let weights = Weights::new(&graph, arrays.collect::<BTreeMap<_, _>>())?;

    let (before, start) = (kilobytes("VmRSS")?, Instant::now());
    let options = Options::default();
    let path = folder.join("memory.onnx");
    let bytes = lower(&graph, &weights, &options)?.write(&path, options.most_bytes)?;
    let (seconds, extra) = (start.elapsed().as_secs_f64(), kilobytes("VmHWM")?.saturating_sub(before));
    let share = (extra * 1024) as f64 / bytes as f64;
    println!("{bytes} bytes written in {seconds:.1} s with {extra} kB more memory, {share:.2} times as much");
    for file in [path.clone(), folder.join("memory.onnx.data")] {
        if file.exists() {
            std::fs::remove_file(file)?;
        }
    }
    Ok(())
}

/// A line of the process's own status.
fn kilobytes(name: &str) -> Result<usize, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let number = line.and_then(|rest| rest.split_whitespace().next()).ok_or("no such line")?;
    Ok(number.parse()?)
}
