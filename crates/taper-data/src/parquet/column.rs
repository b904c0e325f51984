//! One leaf column of a row group, value by value.

use std::fs::File;

use parquet::basic::{Compression, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl, get_column_reader};
use parquet::data_type::{ByteArray, DataType};
use parquet::file::metadata::RowGroupMetaData;
use parquet::schema::types::SchemaDescriptor;

use super::{ParquetProblem, pages};

/// Rows decoded at once: enough to hide the cost of a call, few enough to need little memory.
const CHUNK: usize = 1024;

type Result<T> = std::result::Result<T, ParquetProblem>;

/// The file, and one of its row groups.
pub(super) type Group<'a> = (&'a File, &'a RowGroupMetaData);

/// The leaf with the encoded files: `name.bytes`, or `name` itself.
pub(super) fn find_binary(schema: &SchemaDescriptor, name: &'static str) -> Result<usize> {
    find(schema, name, "struct<bytes: binary> or binary", |path, kind| {
        kind == Type::BYTE_ARRAY && (path == [name, "bytes"] || path == [name])
    })
}

/// The leaf with the labels.
pub(super) fn find_integer(schema: &SchemaDescriptor, name: &'static str) -> Result<usize> {
    find(schema, name, "int32 or int64", |path, kind| {
        matches!(kind, Type::INT32 | Type::INT64) && path == [name]
    })
}

fn find(
    schema: &SchemaDescriptor,
    column: &'static str,
    kind: &'static str,
    fits: impl Fn(&[&str], Type) -> bool,
) -> Result<usize> {
    let found = schema.columns().iter().position(|leaf| {
        let path: Vec<&str> = leaf.path().parts().iter().map(String::as_str).collect();
        // A repeated value would make several images of one row.
        leaf.max_rep_level() == 0 && fits(&path, leaf.physical_type())
    });
    found.ok_or_else(|| {
        let name = |path: String, kind| format!("{path} ({kind})");
        let present = schema.columns().iter().map(|leaf| name(leaf.path().string(), leaf.physical_type()));
        ParquetProblem::Column { column, kind, present: present.collect() }
    })
}

/// Calls `take` with the row's number and bytes, for each row of the group; `first` is the number of its first
/// row.
pub(super) fn read_binary(
    group: Group<'_>,
    leaf: usize,
    name: &'static str,
    first: usize,
    take: &mut dyn FnMut(usize, &[u8]) -> Result<()>,
) -> Result<()> {
    match open(group, leaf, name, first)? {
        ColumnReader::ByteArrayColumnReader(reader) => {
            read(reader, group, leaf, name, first, &mut |row, value: &ByteArray| {
                // A value that was never set has no data; `data` would panic.
                if value.is_empty() { take(row, &[]) } else { take(row, value.data()) }
            })
        }
        _ => Err(changed(name, first)),
    }
}

/// As [`read_binary`], for integers of either width.
pub(super) fn read_integers(
    group: Group<'_>,
    leaf: usize,
    name: &'static str,
    first: usize,
    take: &mut dyn FnMut(usize, i64) -> Result<()>,
) -> Result<()> {
    match open(group, leaf, name, first)? {
        ColumnReader::Int64ColumnReader(reader) => {
            read(reader, group, leaf, name, first, &mut |row, &value| take(row, value))
        }
        ColumnReader::Int32ColumnReader(reader) => {
            read(reader, group, leaf, name, first, &mut |row, &value| take(row, i64::from(value)))
        }
        _ => Err(changed(name, first)),
    }
}

fn place(name: &str, row: usize) -> String {
    format!("column `{name}` from row {row} on")
}

fn changed(name: &str, row: usize) -> ParquetProblem {
    ParquetProblem::Format { place: place(name, row), cause: "its type differs from the schema's".to_owned() }
}

fn open((file, group): Group<'_>, leaf: usize, name: &'static str, first: usize) -> Result<ColumnReader> {
    let column = group.columns().get(leaf).ok_or_else(|| changed(name, first))?;
    let codec = column.compression();
    if !matches!(codec, Compression::UNCOMPRESSED | Compression::SNAPPY) {
        return Err(ParquetProblem::Codec { column: name, codec: codec.to_string() });
    }
    let pages = pages::open(file, column).map_err(ParquetProblem::format(place(name, first)))?;
    Ok(get_column_reader(column.column_descr_ptr(), pages))
}

fn read<T: DataType>(
    mut reader: ColumnReaderImpl<T>,
    group: Group<'_>,
    leaf: usize,
    name: &'static str,
    first: usize,
    take: &mut dyn FnMut(usize, &T::T) -> Result<()>,
) -> Result<()> {
    let full = group.1.column(leaf).column_descr().max_def_level();
    let rows = usize::try_from(group.1.num_rows()).unwrap_or(0);
    let (mut levels, mut values) = (Vec::new(), Vec::new());
    let mut done = 0;
    while done < rows {
        levels.clear();
        values.clear();
        let (read, ..) = reader
            .read_records(CHUNK.min(rows - done), Some(&mut levels), None, &mut values)
            .map_err(ParquetProblem::format(place(name, first + done)))?;
        if read == 0 {
            let cause = format!("the data ends there; the footer promises {} rows", first + rows);
            return Err(ParquetProblem::Format { place: place(name, first + done), cause });
        }
        if let Some(null) = levels.iter().position(|&level| level < full) {
            return Err(ParquetProblem::Null { row: first + done + null, column: name });
        }
        for (offset, value) in values.iter().enumerate() {
            take(first + done + offset, value)?;
        }
        done += read;
    }
    Ok(())
}
