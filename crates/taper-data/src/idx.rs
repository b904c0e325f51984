//! IDX, the format MNIST was published in, plain or gzip-compressed.
//!
//! A file is `00 00 08 D`, then D big-endian `u32` dimensions, then one byte per value (Y. LeCun, "The MNIST
//! database of handwritten digits"). Compression is told by the first bytes, not by the file's name. A header
//! is checked against the file before anything is allocated for it.
//!
//! ```
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("labels-idx1-ubyte.gz");
//! taper_data::idx::write_labels(&path, &[5, 0, 4])?;
//! assert_eq!(taper_data::idx::read_labels(&path)?, [5, 0, 4]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use taper_files::{WriteError, write_atomic};
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::images::Images;

/// Deflate cannot compress further than this (zlib's technical notes, "maximum compression factor").
pub(crate) const DEFLATE_LIMIT: u64 = 1032;

/// An IDX file that cannot be read, and why.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct IdxError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and the remedy.
    pub problem: IdxProblem,
}

/// What can be wrong with an IDX file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum IdxProblem {
    /// The file cannot be opened or read.
    #[error("cannot be read ({0}); check the path and its permissions")]
    Read(io::Error),
    /// The file has no bytes.
    #[error("the file is empty; download or copy it again")]
    Empty,
    /// The first four bytes are not those of the IDX file that is needed.
    #[error(
        "the first four bytes are {found:02x?}, but an IDX file of {what} starts with {expected:02x?}; \
         this is another kind of file, or another of the four MNIST files"
    )]
    Magic {
        /// What was to be read.
        what: &'static str,
        /// The first bytes of the file.
        found: [u8; 4],
        /// The first bytes it should have.
        expected: [u8; 4],
    },
    /// The header's dimensions cannot be those of this file.
    #[error(
        "the header (bytes 4 to {}) claims the dimensions {dims:?}, more than a file of {bytes} bytes can \
         hold; download or copy the file again", 4 + 4 * dims.len()
    )]
    TooLarge {
        /// The dimensions claimed.
        dims: Vec<u32>,
        /// The size of the file.
        bytes: u64,
    },
    /// The file ends before its last value.
    #[error(
        "the data ends after {found} of {expected} bytes: the file was cut short; download or copy it again"
    )]
    Truncated {
        /// Bytes that the header promises, itself included.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// There are bytes after the last value.
    #[error(
        "there is more data after the {expected} bytes that the header promises; download the file again"
    )]
    Trailing {
        /// Bytes that the header promises, itself included.
        expected: u64,
    },
    /// The gzip stream is broken.
    #[error("the gzip data is damaged near byte {place} of the unpacked file ({cause}); download it again")]
    Gzip {
        /// Unpacked bytes read so far.
        place: u64,
        /// What the decoder said.
        cause: io::Error,
    },
    /// A number that is no label.
    #[error("row {row}: {found} is not a class from 0 to 255; the file is damaged or of another kind")]
    Label {
        /// The row, from 0.
        row: usize,
        /// What stands there.
        found: String,
    },
    /// The dimensions do not make images.
    #[error("{0}")]
    Shape(DatasetError),
}

/// Reads images `[N, H, W]` (as one channel) from an IDX file with three dimensions.
///
/// # Errors
/// [`IdxError`] with the file and what is wrong.
pub fn read_images(path: &Path) -> Result<Images, IdxError> {
    let at = |problem| IdxError { path: path.to_owned(), problem };
    let ([count, height, width], pixels) = read::<3>(path, "images").map_err(at)?;
    Images::new(count, 1, height, width, pixels).map_err(|error| at(IdxProblem::Shape(error)))
}

/// Reads labels `[N]` from an IDX file with one dimension.
///
/// # Errors
/// [`IdxError`] with the file and what is wrong.
pub fn read_labels(path: &Path) -> Result<Vec<u8>, IdxError> {
    let (_, labels) =
        read::<1>(path, "labels").map_err(|problem| IdxError { path: path.to_owned(), problem })?;
    Ok(labels)
}

/// Reads the first number of each row of an IDX file of whole numbers `[N, M]`, four bytes each: the classes in the labels of
/// QMNIST, which also tell who wrote a digit.
///
/// # Errors
/// [`IdxError`] with the file and what is wrong, also for a number that is no label.
pub fn read_first_of_rows(path: &Path) -> Result<Vec<u8>, IdxError> {
    let at = |problem| IdxError { path: path.to_owned(), problem };
    let ([_, columns], bytes) = read_as::<2>(path, "rows of labels", INT).map_err(at)?;
    if columns == 0 {
        return Err(at(IdxProblem::Label { row: 0, found: "nothing".to_owned() }));
    }
    let rows = bytes.as_chunks::<4>().0.chunks_exact(columns).enumerate();
    let label = |(row, numbers): (usize, &[[u8; 4]])| {
        let number = i32::from_be_bytes(numbers[0]);
        u8::try_from(number).map_err(|_| at(IdxProblem::Label { row, found: number.to_string() }))
    };
    rows.map(label).collect()
}

/// Writes `images` as an IDX file: `[N, H, W]` for one channel, `[N, C, H, W]` for more; gzip-compressed when
/// the name ends in `.gz`.
///
/// # Errors
/// [`WriteError`] when the file cannot be written, or the images cannot be read.
pub fn write_images(path: &Path, images: &Images) -> Result<(), WriteError> {
    let pixels = images.pixels().map_err(|error| WriteError::new(path, io::Error::other(error)))?;
    write(path, &images_header(images), &pixels)
}

/// Writes `labels` as an IDX file, gzip-compressed when the name ends in `.gz`.
///
/// # Errors
/// [`WriteError`] when the file cannot be written.
pub fn write_labels(path: &Path, labels: &[u8]) -> Result<(), WriteError> {
    write(path, &labels_header(labels.len()), labels)
}

fn write(path: &Path, header: &[u8], values: &[u8]) -> Result<(), WriteError> {
    write_atomic(path, |file| {
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut gzip = GzEncoder::new(file, Compression::default());
            gzip.write_all(header)?;
            gzip.write_all(values)?;
            gzip.finish()?.flush()
        } else {
            file.write_all(header)?;
            file.write_all(values)
        }
    })
}

pub(crate) fn images_header(images: &Images) -> Vec<u8> {
    let (height, width) = (images.height(), images.width());
    match images.channels() {
        1 => header(&[images.count(), height, width]),
        channels => header(&[images.count(), channels, height, width]),
    }
}

pub(crate) fn labels_header(count: usize) -> Vec<u8> {
    header(&[count])
}

/// Code, and bytes, of a type of values.
type Kind = (u8, u64);
const BYTE: Kind = (0x08, 1);
const INT: Kind = (0x0c, 4);

fn magic((code, _): Kind, dimensions: usize) -> [u8; 4] {
    [0, 0, code, dimensions as u8]
}

fn header(dims: &[usize]) -> Vec<u8> {
    // Dimensions past 2^32 would need more than the memory of any machine: saturating keeps this infallible.
    let sizes = dims.iter().flat_map(|&dim| u32::try_from(dim).unwrap_or(u32::MAX).to_be_bytes());
    magic(BYTE, dims.len()).into_iter().chain(sizes).collect()
}

/// Reads a file of D dimensions: the dimensions, and the values.
fn read<const D: usize>(path: &Path, what: &'static str) -> Result<([usize; D], Vec<u8>), IdxProblem> {
    read_as(path, what, BYTE)
}

fn read_as<const D: usize>(
    path: &Path,
    what: &'static str,
    kind: Kind,
) -> Result<([usize; D], Vec<u8>), IdxProblem> {
    let file = File::open(path).map_err(IdxProblem::Read)?;
    let metadata = file.metadata().map_err(IdxProblem::Read)?;
    if !metadata.is_file() {
        return Err(IdxProblem::Read(io::Error::other("it is not a file")));
    }
    let bytes = metadata.len();
    let mut file = BufReader::new(file);
    if file.fill_buf().map_err(IdxProblem::Read)?.is_empty() {
        return Err(IdxProblem::Empty);
    }
    if file.buffer().starts_with(&[0x1f, 0x8b]) {
        decode(&mut MultiGzDecoder::new(file), what, kind, bytes)
    } else {
        decode(&mut file, what, kind, bytes)
    }
}

/// `bytes` is the size of the file on disk, compressed or not.
fn decode<const D: usize>(
    reader: &mut dyn Read,
    what: &'static str,
    kind: Kind,
    bytes: u64,
) -> Result<([usize; D], Vec<u8>), IdxProblem> {
    let header_len = 4 + 4 * D as u64;
    let mut found = [0; 4];
    fill(reader, &mut found, 0, header_len)?;
    if found != magic(kind, D) {
        return Err(IdxProblem::Magic { what, found, expected: magic(kind, D) });
    }
    let mut dims = [0u32; D];
    for (position, dim) in dims.iter_mut().enumerate() {
        let mut word = [0; 4];
        fill(reader, &mut word, 4 + 4 * position as u64, header_len)?;
        *dim = u32::from_be_bytes(word);
    }
    let too_large = || IdxProblem::TooLarge { dims: dims.to_vec(), bytes };
    let values = dims
        .iter()
        .try_fold(kind.1, |product, &dim| product.checked_mul(u64::from(dim)))
        .filter(|_| dims.iter().all(|&dim| usize::try_from(dim).is_ok()))
        .ok_or_else(too_large)?;
    let expected = values.checked_add(header_len).ok_or_else(too_large)?;
    if expected > bytes.saturating_mul(DEFLATE_LIMIT) {
        return Err(too_large());
    }
    Ok((dims.map(|dim| dim as usize), read_values(reader, header_len, expected, bytes)?))
}

/// Reads what lies between the header and `expected`. The buffer grows with what arrives, so that a header
/// that lies costs no memory; only as much as the file's own size is set aside at once.
fn read_values(reader: &mut dyn Read, start: u64, expected: u64, bytes: u64) -> Result<Vec<u8>, IdxProblem> {
    let values = expected - start;
    let mut data = Vec::with_capacity(usize::try_from(values.min(bytes)).unwrap_or(0));
    let read = reader.take(values).read_to_end(&mut data);
    let found = start + data.len() as u64;
    if let Err(cause) = read {
        return Err(failed(cause, found, expected));
    }
    if found < expected {
        return Err(IdxProblem::Truncated { expected, found });
    }
    // Reading to the very end also has gzip check its sum.
    match reader.read(&mut [0]) {
        Ok(0) => Ok(data),
        Ok(_) => Err(IdxProblem::Trailing { expected }),
        Err(cause) => Err(failed(cause, found, expected)),
    }
}

/// `read_exact` with an error that says how far the data reached.
fn fill(reader: &mut dyn Read, buffer: &mut [u8], place: u64, expected: u64) -> Result<(), IdxProblem> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => return Err(IdxProblem::Truncated { expected, found: place + filled as u64 }),
            Ok(read) => filled += read,
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => {}
            Err(cause) => return Err(failed(cause, place + filled as u64, expected)),
        }
    }
    Ok(())
}

fn failed(cause: io::Error, found: u64, expected: u64) -> IdxProblem {
    match cause.kind() {
        io::ErrorKind::UnexpectedEof if found < expected => IdxProblem::Truncated { expected, found },
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
            IdxProblem::Gzip { place: found, cause }
        }
        _ => IdxProblem::Read(cause),
    }
}
