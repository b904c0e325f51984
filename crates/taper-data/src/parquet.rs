//! Parquet files of images and labels, in the layout of the Hugging Face Hub.
//!
//! One row per image: a column `image`, either a struct with the encoded file in `bytes` or plain binary, and
//! an integer column `label`. Columns are found by name, so others may stand beside them. Each image is a PNG,
//! 8-bit grey or colour, and all have one size. Snappy-compressed and uncompressed pages, optional columns
//! and any number of row groups are read; no Arrow is needed.
//!
//! ```no_run
//! use taper_data::{Dataset, parquet};
//!
//! let rows = parquet::read(&["train-00000-of-00001.parquet"])?;
//! let data = Dataset::digits(rows.images, rows.labels)?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod column;
mod footer;
mod pages;
mod png;
mod thrift;
mod watch;

use std::fs::File;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use ::parquet::errors::ParquetError as FormatError;
use ::parquet::file::metadata::ParquetMetaData;
use thiserror::Error;

use crate::dataset::DatasetError;
use crate::images::Images;
use png::Pixels;
use watch::{PATIENCE, Progress, watched};

/// Name of the column that holds the images.
pub const IMAGE_COLUMN: &str = "image";
/// Name of the column that holds the labels.
pub const LABEL_COLUMN: &str = "label";

/// What the files hold, in the order of the rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// The images, `[N, C, H, W]`.
    pub images: Images,
    /// The label of each row; what range is right is for [`Dataset::new`](crate::Dataset::new) to say.
    pub labels: Vec<u8>,
}

/// A Parquet file that cannot be read, and why.
#[derive(Debug, Error)]
#[error("{}: {problem}", path.display())]
pub struct ParquetError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it, and the remedy.
    pub problem: ParquetProblem,
}

/// What can be wrong with a Parquet file.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ParquetProblem {
    /// The file cannot be opened or read.
    #[error("cannot be read ({0}); check the path and its permissions")]
    Read(io::Error),
    /// The file has no bytes.
    #[error("the file is empty; download or copy it again")]
    Empty,
    /// The file's structure is broken, or uses what is not supported.
    #[error("{place} cannot be decoded ({cause}); the file is damaged or no Parquet file: download it again")]
    Format {
        /// Which part: the footer, or a column from some row on.
        place: String,
        /// What the decoder said.
        cause: String,
    },
    /// Columns are compressed in a way that is not supported.
    #[error("column `{column}` is compressed as {codec}; write the file again with Snappy, or uncompressed")]
    Codec {
        /// The column.
        column: &'static str,
        /// Parquet's name of it.
        codec: String,
    },
    /// The decoder found no end of something.
    #[error(
        "nothing more of it was decoded for half a minute; the file is damaged (download it again), or on a disk that does not answer"
    )]
    Stalled,
    /// A column is missing.
    #[error("there is no column `{column}` of {kind}; the columns are: {}", present.join(", "))]
    Column {
        /// The column's name.
        column: &'static str,
        /// What it must hold.
        kind: &'static str,
        /// The columns there are, with their types.
        present: Vec<String>,
    },
    /// A value is missing.
    #[error(
        "row {row}, column `{column}`: the value is missing (null); every row needs an image and a label"
    )]
    Null {
        /// The row, from 0.
        row: usize,
        /// The column.
        column: &'static str,
    },
    /// A label that no dataset of this crate can have.
    #[error(
        "row {row}, column `label`: {label} is not a class from 0 to 255; the file is not a labelled dataset"
    )]
    Label {
        /// The row, from 0.
        row: usize,
        /// Its label.
        label: i64,
    },
    /// An image that cannot be decoded.
    #[error("row {row}, column `image`: {cause}; the file is damaged: download it again")]
    Image {
        /// The row, from 0.
        row: usize,
        /// What is wrong with the PNG.
        cause: String,
    },
    /// An image of another shape than those before it.
    #[error(
        "row {row}, column `image`: the shape is {found:?}, but the images before it have {expected:?} \
         (channels, height, width); all must be of one size"
    )]
    Shape {
        /// The row, from 0.
        row: usize,
        /// Its channels, height and width.
        found: [usize; 3],
        /// Those of the images before it.
        expected: [usize; 3],
    },
    /// There is no row.
    #[error("the file has no rows; download it again")]
    NoRows,
    /// The rows do not make images.
    #[error("{0}")]
    Images(DatasetError),
}

impl ParquetProblem {
    fn format(place: impl Into<String>) -> impl FnOnce(FormatError) -> Self {
        let place = place.into();
        move |cause| Self::Format { place, cause: cause.to_string() }
    }
}

/// Reads the rows of `paths`, one file after the other, as one dataset.
///
/// # Errors
/// [`ParquetError`] with the file, the row and the column.
pub fn read<P: AsRef<Path>>(paths: &[P]) -> Result<Rows, ParquetError> {
    read_column(paths, IMAGE_COLUMN)
}

/// As [`read`], with the images in the column `image`: datasets on the Hub call it otherwise.
///
/// # Errors
/// [`ParquetError`] with the file, the row and the column.
pub fn read_column<P: AsRef<Path>>(paths: &[P], image: &'static str) -> Result<Rows, ParquetError> {
    let mut read = (Pixels::default(), Vec::new());
    for path in paths {
        let path = path.as_ref();
        let at = |problem| ParquetError { path: path.to_owned(), problem };
        let file = open(path).map_err(at)?;
        let (mut pixels, mut labels) = read;
        let decoded = watched(PATIENCE, move |progress| {
            read_file(file, image, progress, (&mut pixels, &mut labels)).map(|()| (pixels, labels))
        });
        read = decoded
            .map_err(ParquetProblem::Read)
            .and_then(|result| result.unwrap_or(Err(ParquetProblem::Stalled)))
            .map_err(at)?;
    }
    let (pixels, labels) = read;
    let last = paths.last().map(|path| path.as_ref().to_owned()).unwrap_or_default();
    let at = |problem| ParquetError { path: last, problem };
    match pixels.finish() {
        Some(images) => {
            images.map(|images| Rows { images, labels }).map_err(|error| at(ParquetProblem::Images(error)))
        }
        None => Err(at(ParquetProblem::NoRows)),
    }
}

fn open(path: &Path) -> Result<File, ParquetProblem> {
    let file = File::open(path).map_err(ParquetProblem::Read)?;
    let metadata = file.metadata().map_err(ParquetProblem::Read)?;
    if !metadata.is_file() {
        return Err(ParquetProblem::Read(io::Error::other("it is not a file")));
    }
    if metadata.len() == 0 { Err(ParquetProblem::Empty) } else { Ok(file) }
}

fn read_file(
    file: File,
    image: &'static str,
    progress: &Progress,
    (pixels, labels): (&mut Pixels, &mut Vec<u8>),
) -> Result<(), ParquetProblem> {
    let run = || {
        let metadata = footer::read(&file).map_err(ParquetProblem::format("the footer"))?;
        read_rows((&file, &metadata), image, progress, (pixels, labels))
    };
    // The decoder has assertions that a damaged file might reach in spite of the checks in `pages`. What was
    // decoded so far is given up with the error, so nothing half-changed is looked at again.
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
        let cause = "the decoder gave up".to_owned();
        Err(ParquetProblem::Format { place: "the file".to_owned(), cause })
    })
}

fn read_rows(
    (file, metadata): (&File, &ParquetMetaData),
    column: &'static str,
    progress: &Progress,
    (pixels, labels): (&mut Pixels, &mut Vec<u8>),
) -> Result<(), ParquetProblem> {
    let schema = metadata.file_metadata().schema_descr();
    let image = column::find_binary(schema, column)?;
    let label = column::find_integer(schema, LABEL_COLUMN)?;
    let mut first = 0;
    for group in metadata.row_groups() {
        column::read_binary((file, group), image, column, first, &mut |row, encoded| {
            progress.tick();
            pixels.push(encoded).map_err(|problem| problem.at(row))
        })?;
        column::read_integers((file, group), label, LABEL_COLUMN, first, &mut |row, label| {
            progress.tick();
            labels.push(u8::try_from(label).map_err(|_| ParquetProblem::Label { row, label })?);
            Ok(())
        })?;
        first += usize::try_from(group.num_rows()).unwrap_or(0);
    }
    Ok(())
}
