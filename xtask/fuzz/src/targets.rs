//! The readers, each as a function of the bytes of a file. Whatever these are, it must return: no panic, no abort, no more
//! memory than the file's size can justify. A test of the crate `taper` has the same list, and runs what was found.

use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

use prost::Message;
use sha2::{Digest, Sha256};
use taper::data::{idx, parquet, prepare};
use taper::export::{onnx, safetensors};
use taper::graph::{Graph, Linear, Op};
use taper::train::{CheckpointFolder, History};
use taper::{Config, Metrics};

/// A reader under test.
#[derive(Clone, Copy)]
pub struct Target {
    /// The name of its program and of the folder with its inputs.
    pub name: &'static str,
    /// Reads a file with these bytes, which may be put into the folder.
    pub read: fn(folder: &Path, bytes: &[u8]),
    /// Bytes of memory it may take for an empty file.
    pub fixed: usize,
    /// Bytes of memory it may take for every byte of the file.
    pub memory: usize,
}

/// The buffers of files and decoders, all of a fixed size.
const BUFFERS: usize = 4 << 20;

/// A blank picture may be 16 MiB large, however small its file; what is made of it are numbers, a few for every byte.
const PICTURE: usize = 16 * (16 << 20);

/// Deflate makes up to 1,032 bytes of one; they may be held twice while a buffer grows.
const COMPRESSED: usize = 3 * 1032;

/// Text becomes nodes, names and shapes, each in an allocation of its own.
const TEXT: usize = 256;

/// Every reader.
pub const ALL: [Target; 8] = [
    Target { name: "idx", read: read_idx, fixed: BUFFERS, memory: COMPRESSED },
    Target { name: "parquet_rows", read: read_parquet, fixed: BUFFERS, memory: COMPRESSED },
    Target { name: "picture", read: read_picture, fixed: PICTURE, memory: COMPRESSED },
    Target { name: "weights", read: read_weights, fixed: BUFFERS, memory: TEXT },
    Target { name: "checkpoint", read: read_checkpoint, fixed: BUFFERS, memory: TEXT },
    Target { name: "network", read: read_network, fixed: BUFFERS, memory: TEXT },
    Target { name: "run", read: read_run, fixed: BUFFERS, memory: TEXT },
    Target { name: "onnx", read: read_onnx, fixed: BUFFERS, memory: TEXT },
];

/// The target of that name.
pub fn named(name: &str) -> Option<Target> {
    ALL.into_iter().find(|target| target.name == name)
}

/// `bytes` as the file `name`; a folder that cannot be written to is no finding.
fn with_file(folder: &Path, name: &str, bytes: &[u8], read: impl FnOnce(&Path)) {
    let path = folder.join(name);
    if fs::write(&path, bytes).is_ok() {
        read(&path);
    }
}

/// IDX files, plain and compressed.
fn read_idx(folder: &Path, bytes: &[u8]) {
    with_file(folder, "input", bytes, |path| {
        let _ = idx::read_images(path);
        let _ = idx::read_labels(path);
    });
}

/// Parquet files with a PNG in each row.
fn read_parquet(folder: &Path, bytes: &[u8]) {
    with_file(folder, "input", bytes, |path| {
        let _ = parquet::read(&[path]);
    });
}

/// Pictures to be classified.
fn read_picture(_: &Path, bytes: &[u8]) {
    let _ = prepare::digit(bytes);
}

/// Safetensors files of Taper's and of others.
fn read_weights(folder: &Path, bytes: &[u8]) {
    with_file(folder, "input", bytes, |path| {
        let _ = safetensors::load(path);
        let _ = safetensors::load_network(path);
    });
}

/// The network of the checkpoints: one small enough for short files.
///
/// # Panics
/// Never: a linear layer fits these inputs.
pub fn small_network() -> Graph {
    Graph::sequential("small", &[1, 2, 2], [Op::Flatten, Op::Linear(Linear::new(2))]).expect("it fits")
}

/// Checkpoints whose checksum is right: others are not looked at.
fn read_checkpoint(folder: &Path, bytes: &[u8]) {
    let checksum: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let name = format!("step-0000000001-epoch-0000-{checksum}.safetensors");
    with_file(folder, &name, bytes, |path| {
        let _ = CheckpointFolder::new(folder, NonZeroUsize::MIN, Default::default()).find(&small_network());
        let _ = fs::remove_file(path);
    });
}

/// Network files.
fn read_network(_: &Path, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(graph) = Graph::from_toml(text) {
        let _ = (graph.to_toml(), graph.summary().to_string(), graph.parameter_count(), graph.macs());
    }
}

/// What is read back of a run: its configuration, its metrics and its history.
fn read_run(_: &Path, bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(config) = Config::from_toml(text) {
        let _ = (config.model.graph().is_ok(), config.train.validate().is_ok(), config.to_toml().is_ok());
    }
    let _ = serde_json::from_str::<Metrics>(text);
    let _ = History::from_csv(text);
}

/// ONNX files: what is told of them, what is checked, and the way back to a graph.
fn read_onnx(_: &Path, bytes: &[u8]) {
    if let Ok(file) = onnx::inspect(bytes) {
        let _ = file.to_string();
    }
    if let Ok(model) = onnx::proto::ModelProto::decode(bytes) {
        let _ = onnx::validate(&model);
    }
    if let Ok(file) = onnx::read(bytes) {
        let _ = onnx::lower(&file.graph, &file.weights, &file.options);
    }
}
