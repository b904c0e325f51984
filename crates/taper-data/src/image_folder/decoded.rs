//! From the list of files to the images of all of them, in memory or in the cache.

use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::cache::{self, Cached};
use super::decode::{self, Target};
use super::error::ImageFolderError;
use super::scan::File;
use super::{CacheEvent, ImageOptions};
use crate::hash::{self, Sha};
use crate::images::Images;

/// Raised with every change to what is decoded from the same file: to this code, or to the version of the crate `image`.
const DECODER: u32 = 1;

/// Images that are decoded at once, between two calls that tell how far it is.
const STRIDE: usize = 2048;
/// Most bytes that these take.
const STRIDE_BYTES: usize = 64 << 20;

/// The images of all files, in their order, but for those that hold none.
pub(super) struct Decoded {
    pub(super) images: Images,
    /// Numbers of files that are no whole images, and what is wrong with them; in ascending order.
    pub(super) left_out: Vec<(usize, String)>,
}

type LeftOut = Vec<(usize, String)>;

pub(super) fn in_memory(
    files: &[File],
    options: &ImageOptions,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Decoded, ImageFolderError> {
    let (target, unreadable) = find_target(files, options)?;
    let mut pixels = Vec::new();
    let take = &mut |more: &[u8]| -> Result<(), Infallible> {
        pixels.extend_from_slice(more);
        Ok(())
    };
    let Ok(left_out) = decode_all(files, target, unreadable, take, progress);
    let images = images(files.len() - left_out.len(), target, pixels)?;
    Ok(Decoded { images, left_out })
}

pub(super) fn in_cache(
    folder: &Path,
    files: &[File],
    options: &ImageOptions,
    cache: &Path,
    on_event: &mut dyn FnMut(CacheEvent),
) -> Result<Decoded, ImageFolderError> {
    let source = source(folder, files, options);
    let entry = cache_entry(folder, options, cache);
    let path = cache::images_of(&entry);
    let found = || cache::open(&path, &source).and_then(|cached| explained(cached, files));
    let all = CacheEvent::Decoding { done: files.len(), total: files.len() };
    if let Some(decoded) = found() {
        on_event(all);
        return Ok(decoded);
    }
    let _lock = cache::lock(&entry, || on_event(CacheEvent::Waiting))?;
    // Another process may have decoded them meanwhile.
    if let Some(decoded) = found() {
        on_event(all);
        return Ok(decoded);
    }
    let progress = &mut |done, total| on_event(CacheEvent::Decoding { done, total });
    let (target, unreadable) = find_target(files, options)?;
    let mut left_out = Vec::new();
    cache::write(&path, &source, [target.channels, target.height, target.width], |take| {
        left_out = decode_all(files, target, unreadable, take, progress)?;
        Ok(left_out.iter().map(|(index, _)| *index).collect())
    })?;
    match cache::open(&path, &source) {
        Some(Cached { images, .. }) => Ok(Decoded { images, left_out }),
        // Every image is bad: that is told next.
        None if left_out.len() == files.len() => {
            Ok(Decoded { images: images(0, target, Vec::new())?, left_out })
        }
        None => Err(ImageFolderError::CacheChanged { path }),
    }
}

fn images(count: usize, target: Target, pixels: Vec<u8>) -> Result<Images, ImageFolderError> {
    let Target { channels, height, width } = target;
    Images::new(count, channels, height, width, pixels).map_err(ImageFolderError::Shape)
}

/// Decodes in strides and hands the pixels on; gives the files that are no whole images.
fn decode_all<E>(
    files: &[File],
    target: Target,
    mut left_out: LeftOut,
    take: &mut dyn FnMut(&[u8]) -> Result<(), E>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<LeftOut, E> {
    let stride = STRIDE.min(STRIDE_BYTES / target.len()).max(1);
    let readable: Vec<usize> = {
        let mut is_readable = vec![true; files.len()];
        left_out.iter().for_each(|(index, _)| is_readable[*index] = false);
        (0..files.len()).filter(|&index| is_readable[index]).collect()
    };
    let mut pixels = Vec::new();
    for (number, indices) in readable.chunks(stride).enumerate() {
        progress(number * stride, readable.len());
        let paths: Vec<&Path> = indices.iter().map(|&index| files[index].path.as_path()).collect();
        pixels.clear();
        let outcomes = decode::all(&paths, target, &mut pixels);
        take(&pixels)?;
        let bad = indices.iter().zip(outcomes).filter_map(|(&index, outcome)| Some((index, outcome.err()?)));
        left_out.extend(bad);
    }
    progress(readable.len(), readable.len());
    left_out.sort_unstable();
    Ok(left_out)
}

/// The images of the cache, and why those are left out that are. Nothing when one of these is whole by now.
fn explained(cached: Cached, files: &[File]) -> Option<Decoded> {
    let Cached { images, left_out } = cached;
    if images.count().checked_add(left_out.len()) != Some(files.len()) {
        return None;
    }
    let target = Target { channels: images.channels(), height: images.height(), width: images.width() };
    let reason = |index: usize| {
        let path = files.get(index)?.path.as_path();
        Some((index, decode::all(&[path], target, &mut Vec::new()).pop()?.err()?))
    };
    let left_out = left_out.into_iter().map(reason).collect::<Option<_>>()?;
    Some(Decoded { images, left_out })
}

/// A hash of everything that decides what the cache holds: how images are decoded, what was asked for, and every file's state.
fn source(folder: &Path, files: &[File], options: &ImageOptions) -> Sha {
    let mut hasher = Sha256::new();
    hasher.update(format!("{DECODER} {} ", env!("CARGO_PKG_VERSION")));
    hasher.update(asked(options));
    for File { path, .. } in files {
        let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes();
        hasher.update((name.len() as u64).to_le_bytes());
        hasher.update(name);
        let state = fs::metadata(path).map(|file| state(&file)).unwrap_or_default();
        state.iter().for_each(|number| hasher.update(number.to_le_bytes()));
    }
    hasher.finalize().into()
}

/// What tells a file from the one it was. A copy may keep size and time of another, but not when its entry in the file system
/// was changed, nor which that is.
type State = [u64; 6];

#[cfg(unix)]
fn state(file: &fs::Metadata) -> State {
    use std::os::unix::fs::MetadataExt;
    let times = [file.mtime(), file.mtime_nsec(), file.ctime(), file.ctime_nsec()].map(i64::cast_unsigned);
    let [changed, changed_nanoseconds, entry, entry_nanoseconds] = times;
    [file.len(), changed, changed_nanoseconds, entry, entry_nanoseconds, file.ino()]
}

#[cfg(windows)]
fn state(file: &fs::Metadata) -> State {
    use std::os::windows::fs::MetadataExt;
    [file.len(), file.last_write_time(), file.creation_time(), 0, 0, 0]
}

#[cfg(not(any(unix, windows)))]
fn state(file: &fs::Metadata) -> State {
    [file.len(), 0, 0, 0, 0, 0]
}

fn asked(options: &ImageOptions) -> String {
    format!("{:?} {:?} ", options.size, options.channels)
}

/// One entry for a folder and what is asked of it, so that a folder that changes does not fill the disk.
fn cache_entry(folder: &Path, options: &ImageOptions, cache: &Path) -> PathBuf {
    let whole = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mut hasher = Sha256::new();
    hasher.update(asked(options));
    hasher.update(whole.as_os_str().as_encoded_bytes());
    cache.join(&hash::hex(&hasher.finalize())[..32])
}

/// What the images are to be made, by the options or by their headers, and the files that have none.
fn find_target(files: &[File], options: &ImageOptions) -> Result<(Target, LeftOut), ImageFolderError> {
    if let (Some([height, width]), Some(channels)) = (options.size, options.channels) {
        return Ok((Target { channels, height, width }, Vec::new()));
    }
    let mut first: Option<(&Path, [usize; 2])> = None;
    let mut channels = 1;
    let mut left_out = Vec::new();
    for (index, (file, header)) in files.iter().zip(decode::headers(files)).enumerate() {
        let header = match header {
            Ok(header) => header,
            Err(reason) => {
                left_out.push((index, reason));
                continue;
            }
        };
        if header.is_colour {
            channels = 3;
        }
        let (path, size) = *first.get_or_insert((&file.path, header.size));
        if size != header.size && options.size.is_none() {
            return Err(ImageFolderError::Sizes {
                first: path.to_owned(),
                first_size: size,
                other: file.path.clone(),
                other_size: header.size,
            });
        }
    }
    // Without a single image, its size does not matter: what is wrong is told later.
    let [height, width] = options.size.or(first.map(|(_, size)| size)).unwrap_or([1, 1]);
    Ok((Target { channels: options.channels.unwrap_or(channels), height, width }, left_out))
}
