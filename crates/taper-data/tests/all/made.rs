//! Small made files in the formats that the crate reads, and the real ones where they are at hand.

use std::fs::{self, File};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parquet::basic::Compression;
use parquet::data_type::{ByteArray, ByteArrayType, Int32Type, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::parser::parse_message_type;
use taper_data::synthetic::{self, Part};
use taper_data::{Dataset, Expected, PartHashes, idx};

/// A small training and a small test set.
pub(crate) fn sets() -> (Dataset, Dataset) {
    (synthetic::digits(50, 9, Part::Train), synthetic::digits(20, 9, Part::Test))
}

pub(crate) fn expected((train, test): &(Dataset, Dataset)) -> Expected {
    Expected::Hashes(PartHashes::of(train, test).unwrap())
}

/// The folder with the real data, or nothing: then the test says so and does with what it can make.
#[allow(clippy::print_stderr)]
pub(crate) fn real_data() -> Option<PathBuf> {
    let folder = std::env::var_os("TAPER_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    let found = folder.join("mnist").is_dir();
    if !found {
        eprintln!("no real data in {}: this test uses small made files", folder.display());
    }
    found.then_some(folder)
}

pub(crate) fn write_idx(folder: &Path, (train, test): &(Dataset, Dataset), end: &str) {
    for (name, set) in [("train", train), ("t10k", test)] {
        idx::write_images(&folder.join(format!("{name}-images-idx3-ubyte{end}")), &set.images).unwrap();
        idx::write_labels(&folder.join(format!("{name}-labels-idx1-ubyte{end}")), &set.labels).unwrap();
    }
}

/// A grey or RGB picture as a PNG.
pub(crate) fn png(width: usize, height: usize, color: image::ExtendedColorType, pixels: &[u8]) -> Vec<u8> {
    let mut png = Cursor::new(Vec::new());
    let (width, height) = (width as u32, height as u32);
    image::write_buffer_with_format(&mut png, pixels, width, height, color, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

/// The rows of a dataset: its images as PNG, and its labels.
pub(crate) fn rows(set: &Dataset) -> Vec<Row> {
    let encode = |index| {
        png(
            set.images.width(),
            set.images.height(),
            image::ExtendedColorType::L8,
            &set.images.image(index).unwrap(),
        )
    };
    (0..set.len()).map(|index| (Some(encode(index)), Some(i64::from(set.labels[index])))).collect()
}

pub(crate) type Row = (Option<Vec<u8>>, Option<i64>);

/// How a Parquet file is laid out.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Layout {
    /// As the Hub has it: optional columns, `image` a struct.
    Hub,
    /// The same with a column before and one after.
    MoreColumns,
    /// Required plain binary and int32, labels first.
    Plain,
}

impl Layout {
    fn schema(self) -> &'static str {
        match self {
            Self::Hub => {
                "message m { optional group image { optional binary bytes; optional binary path (STRING); }
                 optional int64 label; }"
            }
            Self::MoreColumns => {
                "message m { optional int64 id; optional group image { optional binary bytes;
                 optional binary path (STRING); } optional int64 label; optional int64 fold; }"
            }
            Self::Plain => "message m { required int32 label; required binary image; }",
        }
    }
}

/// Writes rows with the low-level writer, a few to a row group.
pub(crate) fn write_parquet(
    path: &Path,
    rows: &[Row],
    layout: Layout,
    compression: Compression,
    per_group: usize,
) {
    write_schema(path, rows, layout.schema(), compression, per_group);
}

pub(crate) fn write_schema(
    path: &Path,
    rows: &[Row],
    schema: &str,
    compression: Compression,
    per_group: usize,
) {
    let properties = WriterProperties::builder().set_compression(compression);
    write_with(path, rows, schema, properties.build(), per_group);
}

/// Pages of a few rows, of version 2 or 1 and, where there is one, with a dictionary.
pub(crate) fn write_pages(path: &Path, rows: &[Row], compression: Compression, version: WriterVersion) {
    let properties = WriterProperties::builder().set_compression(compression).set_writer_version(version);
    let properties = properties.set_data_page_row_count_limit(5).set_write_batch_size(5).build();
    write_with(path, rows, Layout::Hub.schema(), properties, rows.len());
}

fn write_with(path: &Path, rows: &[Row], schema: &str, properties: WriterProperties, per_group: usize) {
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let file = File::create(path).unwrap();
    let mut writer = SerializedFileWriter::new(file, schema.clone(), Arc::new(properties)).unwrap();
    let leaves = parquet::schema::types::SchemaDescriptor::new(schema);
    for rows in rows.chunks(per_group) {
        let mut group = writer.next_row_group().unwrap();
        for leaf in leaves.columns() {
            let int32 = leaf.physical_type() == parquet::basic::Type::INT32;
            write_column(&mut group, &leaf.path().string(), int32, leaf.max_def_level(), rows);
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
}

fn write_column(
    group: &mut SerializedRowGroupWriter<'_, File>,
    name: &str,
    int32: bool,
    full: i16,
    rows: &[Row],
) {
    let mut column = group.next_column().unwrap().unwrap();
    let levels: Vec<i16> = rows
        .iter()
        .map(|(image, label)| match name {
            // A missing image is a struct without bytes.
            "image.bytes" if image.is_none() => full - 1,
            "label" if label.is_none() => full - 1,
            _ => full,
        })
        .collect();
    let levels = Some(&levels[..]);
    match name {
        "image" | "image.bytes" | "img.bytes" => {
            let values: Vec<ByteArray> = rows.iter().flat_map(|row| row.0.clone()).map(Into::into).collect();
            column.typed::<ByteArrayType>().write_batch(&values, levels, None).unwrap();
        }
        "image.path" | "img.path" => {
            let values = vec![ByteArray::from("digit.png"); rows.len()];
            column.typed::<ByteArrayType>().write_batch(&values, levels, None).unwrap();
        }
        _ if int32 => {
            let values: Vec<i32> = rows.iter().flat_map(|row| row.1).map(|label| label as i32).collect();
            column.typed::<Int32Type>().write_batch(&values, None, None).unwrap();
        }
        _ => {
            let values: Vec<i64> = rows.iter().flat_map(|row| row.1).collect();
            column.typed::<Int64Type>().write_batch(&values, levels, None).unwrap();
        }
    }
    column.close().unwrap();
}

/// The two files of the Hub's layout below `folder`, Snappy-compressed, in several row groups.
pub(crate) fn write_hub(folder: &Path, (train, test): &(Dataset, Dataset)) {
    fs::create_dir_all(folder.join("mnist")).unwrap();
    for (name, set) in [("train", train), ("test", test)] {
        let path = folder.join(format!("mnist/{name}-00000-of-00001.parquet"));
        write_parquet(&path, &rows(set), Layout::Hub, Compression::SNAPPY, 7);
    }
}
