//! The readers, each as a function of the bytes of a file. Whatever these are, it must return: no panic, no abort, no more
//! memory than the file's size can justify. A test of the crate `taper` has the same list, and runs what was found.

use std::fs;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use image::{GrayImage, ImageFormat, Luma};
use prost::Message;
use sha2::{Digest, Sha256};
use taper::data::image_folder::{self, ImageFolder, ImageFolderError, ImageOptions};
use taper::data::{Choice, Expected, LoadOptions, idx, parquet, prepare};
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
pub const ALL: [Target; 10] = [
    Target { name: "idx", read: read_idx, fixed: BUFFERS, memory: COMPRESSED },
    Target { name: "cifar", read: read_cifar, fixed: BUFFERS, memory: TEXT },
    Target { name: "parquet_rows", read: read_parquet, fixed: BUFFERS, memory: COMPRESSED },
    Target { name: "picture", read: read_picture, fixed: PICTURE, memory: COMPRESSED },
    Target { name: "image_cache", read: read_image_cache, fixed: BUFFERS, memory: TEXT },
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
        let _ = idx::read_first_of_rows(path);
    });
}

/// The binary version of CIFAR-10, with these bytes as each of its files.
fn read_cifar(folder: &Path, bytes: &[u8]) {
    with_file(folder, "test_batch.bin", bytes, |path| {
        for batch in 1..=5 {
            let _ = fs::hard_link(path, folder.join(format!("data_batch_{batch}.bin")));
        }
        let mut options = LoadOptions::new(Choice::Cifar10);
        options.data_dir = Some(folder.to_owned());
        options.expected = Expected::Any;
        let _ = taper::data::load(&options, &mut |_| ());
    });
}

/// Parquet files with a PNG in each row.
fn read_parquet(folder: &Path, bytes: &[u8]) {
    with_file(folder, "input", bytes, |path| {
        let _ = parquet::read(&[path]);
    });
}

/// Pictures to be classified, as digits are drawn and as a folder of images has them.
fn read_picture(_: &Path, bytes: &[u8]) {
    let _ = prepare::digit(bytes);
    let _ = image_folder::picture(bytes, [if bytes.len().is_multiple_of(2) { 1 } else { 3 }, 8, 6]);
}

/// The decoded images of a folder: these bytes are what the file in the cache has behind its first page, up to the hash of what it was
/// made from. That and the checksum are made right: with others it is not looked at.
fn read_image_cache(folder: &Path, bytes: &[u8]) {
    let (photos, cache, kept) = (folder.join("photos"), folder.join("cache"), folder.join("kept"));
    if !kept.is_file() && write_photos(&photos, &cache, &kept).is_err() {
        return;
    }
    let Ok([start, _, source]) = fs::read(&kept).map(split_image_cache) else { return };
    let hashed = [bytes, &source].concat();
    let whole = [&start[..], &hashed, &Sha256::digest(&hashed)].concat();
    if cached_images(&cache).and_then(|path| fs::write(path, whole)).is_ok()
        && let Ok(found) = read_photos(&photos, &cache)
    {
        let _ = (found.train.images.pixels().is_ok(), found.test.images.pixels().is_ok());
    }
}

/// What [`read_image_cache`] reads of the cache of its folder as it is first written, for a start.
///
/// # Errors
/// If nothing can be written to `folder`.
pub fn image_cache(folder: &Path) -> io::Result<Vec<u8>> {
    let kept = folder.join("kept");
    write_photos(&folder.join("photos"), &folder.join("cache"), &kept)?;
    let [_, held, _] = split_image_cache(fs::read(kept)?);
    Ok(held)
}

/// The first page of a file of the cache, what it holds, and the hash of what that was made from.
fn split_image_cache(mut file: Vec<u8>) -> [Vec<u8>; 3] {
    let rest = file.split_off(file.len().min(4096));
    let (rest, _checksum) = rest.split_at(rest.len().saturating_sub(32));
    let (held, source) = rest.split_at(rest.len().saturating_sub(32));
    [file, held.to_vec(), source.to_vec()]
}

/// Four pictures and one that is none, in two classes, and the file that the cache makes of them, which is copied to `kept`.
fn write_photos(photos: &Path, cache: &Path, kept: &Path) -> io::Result<()> {
    for name in ["a/0", "a/1", "a/none", "b/0", "b/1"] {
        let path = photos.join(name);
        fs::create_dir_all(path.parent().unwrap_or(photos))?;
        let mut picture = io::Cursor::new(Vec::new());
        if !name.ends_with("none") {
            let grey = GrayImage::from_pixel(3, 2, Luma([name.len() as u8]));
            grey.write_to(&mut picture, ImageFormat::Png).map_err(io::Error::other)?;
        }
        fs::write(path, picture.into_inner())?;
    }
    read_photos(photos, cache).map_err(io::Error::other)?;
    let images = cached_images(cache)?;
    // A file that is refused would be made anew, which takes longer than to read it; with a lock that cannot be opened it is not.
    let lock = images.with_file_name("lock");
    fs::remove_file(&lock)?;
    fs::create_dir(lock)?;
    fs::copy(images, kept).map(drop)
}

/// The one file of a cache.
fn cached_images(cache: &Path) -> io::Result<PathBuf> {
    let entry = fs::read_dir(cache)?.next().ok_or(io::ErrorKind::NotFound)?;
    Ok(entry?.path().join("images"))
}

fn read_photos(photos: &Path, cache: &Path) -> Result<ImageFolder, ImageFolderError> {
    let options = ImageOptions { skip_bad: true, ..ImageOptions::default() };
    image_folder::read_cached(photos, &options, cache, &mut |_| ())
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
