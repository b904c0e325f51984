use std::fs;
use std::path::PathBuf;

use image::ExtendedColorType::{L16, La8, Rgb8};
use parquet::basic::Compression;
use parquet::file::properties::WriterVersion;
use taper_data::parquet::{self as reader, ParquetError, ParquetProblem};
use tempfile::TempDir;

use super::made::{self, Layout, Row};

fn target() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-00000-of-00001.parquet");
    (folder, path)
}

fn read_rows(rows: &[Row]) -> Result<reader::Rows, ParquetError> {
    let (_folder, path) = target();
    made::write_parquet(&path, rows, Layout::Hub, Compression::SNAPPY, 8);
    reader::read(&[path])
}

/// The message for rows of which one was spoilt.
fn refused(spoil: impl FnOnce(&mut Vec<Row>)) -> String {
    let mut rows = made::rows(&made::sets().0);
    spoil(&mut rows);
    let error = read_rows(&rows).unwrap_err().to_string();
    assert!(error.contains("train-00000-of-00001.parquet: "), "{error}");
    error
}

#[test]
fn every_layout_compression_and_grouping_is_read() {
    let data = made::sets().0;
    let rows = made::rows(&data);
    for layout in [Layout::Hub, Layout::MoreColumns, Layout::Plain] {
        for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
            for per_group in [7, 1000] {
                let (_folder, path) = target();
                made::write_parquet(&path, &rows, layout, compression, per_group);
                let read = reader::read(&[path]).unwrap();
                assert_eq!((&read.images, &read.labels), (&data.images, &data.labels));
            }
        }
    }
}

#[test]
fn pages_of_both_versions_are_read() {
    let data = made::sets().0;
    for compression in [Compression::UNCOMPRESSED, Compression::SNAPPY] {
        for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
            let (_folder, path) = target();
            made::write_pages(&path, &made::rows(&data), compression, version);
            let read = reader::read(&[path]).unwrap();
            assert_eq!((&read.images, &read.labels), (&data.images, &data.labels));
        }
    }
}

#[test]
fn more_rows_than_are_read_at_once() {
    let data = taper_data::synthetic::digits(2500, 0, taper_data::synthetic::Part::Train);
    let (_folder, path) = target();
    made::write_parquet(&path, &made::rows(&data), Layout::Hub, Compression::SNAPPY, 2100);
    let read = reader::read(&[path]).unwrap();
    assert_eq!((read.images, read.labels), (data.images, data.labels));
}

#[test]
fn colour_images_come_channel_by_channel() {
    let png = made::png(2, 1, Rgb8, &[1, 2, 3, 4, 5, 6]);
    let read = read_rows(&[(Some(png.clone()), Some(0)), (Some(png), Some(1))]).unwrap();
    assert_eq!((read.images.channels(), read.images.height(), read.images.width()), (3, 1, 2));
    assert_eq!(*read.images.image(1).unwrap(), [1, 4, 2, 5, 3, 6]);
}

#[test]
fn a_missing_column_is_named_with_those_there_are() {
    let rows = made::rows(&made::sets().0);
    for (schema, missing) in [
        ("message m { required int64 label; }", "`image`"),
        ("message m { required binary image; }", "`label`"),
        ("message m { required binary image; required int64 class; }", "`label`"),
        ("message m { required int64 label; required int64 image2; }", "`image`"),
        ("message m { repeated binary image; required int32 label; }", "`image`"),
    ] {
        let (_folder, path) = target();
        if schema.contains("repeated") {
            made::write_schema(&path, &[], schema, Compression::SNAPPY, 8);
        } else {
            made::write_schema(&path, &rows, schema, Compression::SNAPPY, 8);
        }
        let error = reader::read(&[path]).unwrap_err();
        assert!(matches!(error.problem, ParquetProblem::Column { .. }), "{error}");
        let message = error.to_string();
        assert!(message.contains(&format!("no column {missing}")), "{schema}: {message}");
        assert!(message.contains("columns are: "), "{message}");
    }
}

#[test]
fn a_missing_value_is_named_by_row_and_column() {
    let error = refused(|rows| rows[17].0 = None);
    assert!(error.contains("row 17, column `image`: the value is missing"), "{error}");
    let error = refused(|rows| rows[23].1 = None);
    assert!(error.contains("row 23, column `label`: the value is missing"), "{error}");
}

#[test]
fn a_label_that_is_none_is_named() {
    for label in [-1, 256, i64::MAX, i64::MIN] {
        let error = refused(|rows| rows[9].1 = Some(label));
        assert!(error.contains(&format!("row 9, column `label`: {label} is not a class")), "{error}");
    }
}

#[test]
fn a_corrupt_png_is_named_by_row() {
    let spoil: [fn(&mut Vec<u8>); 5] = [
        |png| png.clear(),
        |png| png.truncate(png.len() / 2),
        |png| png[0] = b'x',
        |png| *png = b"\xff\xd8\xff\xe0 a JPEG".to_vec(),
        |png| png[50] ^= 0xff,
    ];
    for (number, spoil) in spoil.into_iter().enumerate() {
        let error = refused(|rows| spoil(rows[12].0.as_mut().unwrap()));
        assert!(error.contains("row 12, column `image`: not a readable PNG"), "{number}: {error}");
    }
    for (color, bytes) in [(L16, 2), (La8, 2)] {
        let error = refused(|rows| rows[3].0 = Some(made::png(28, 28, color, &vec![0; 784 * bytes])));
        assert!(error.contains("row 3") && error.contains("not 8-bit grey or RGB"), "{error}");
    }
}

#[test]
fn an_image_of_another_size_is_named() {
    let other = made::png(27, 28, image::ExtendedColorType::L8, &[0; 27 * 28]);
    let error = refused(|rows| rows[40].0 = Some(other));
    assert!(error.contains("row 40") && error.contains("[1, 28, 27]"), "{error}");
}

#[test]
fn a_png_that_promises_more_than_it_can_hold_is_refused_before_allocating() {
    let mut png = made::png(1, 1, image::ExtendedColorType::L8, &[0]);
    // Width and height of the header chunk, whose sum is made right again.
    png[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    let mut sum = flate2::Crc::new();
    sum.update(&png[12..29]);
    png[29..33].copy_from_slice(&sum.sum().to_be_bytes());
    let error = read_rows(&[(Some(png), Some(0))]).unwrap_err().to_string();
    assert!(error.contains("row 0") && error.contains("cannot hold 65535×65535 pixels"), "{error}");
}

#[test]
fn what_is_no_parquet_file_is_refused() {
    let (folder, path) = target();
    let problem = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        reader::read(&[&path]).unwrap_err().problem
    };
    assert!(matches!(problem(b""), ParquetProblem::Empty));
    for bytes in [&b"PAR1"[..], b"version https://git-lfs.github.com/spec/v1\n", b"PAR1\xff\xff\xff\x7fPAR1"]
    {
        assert!(matches!(problem(bytes), ParquetProblem::Format { .. }));
    }
    let missing = reader::read(&[folder.path().join("nowhere.parquet")]).unwrap_err();
    assert!(matches!(missing.problem, ParquetProblem::Read(_)), "{missing}");
    assert!(matches!(reader::read(&[folder.path()]).unwrap_err().problem, ParquetProblem::Read(_)));

    let error = read_rows(&[]).unwrap_err();
    assert!(matches!(error.problem, ParquetProblem::NoRows), "{error}");
}

#[test]
fn a_truncated_or_damaged_file_never_panics() {
    let data = made::sets().1.take(4);
    let (folder, path) = target();
    made::write_parquet(&path, &made::rows(&data), Layout::Hub, Compression::SNAPPY, 3);
    let whole = fs::read(&path).unwrap();
    // A new file each time: to overwrite one is slow on some file systems, which then wait for the disk.
    let read = |bytes: &[u8]| {
        let damaged = folder.path().join("damaged.parquet");
        fs::write(&damaged, bytes).unwrap();
        let result = reader::read(&[&damaged]);
        fs::remove_file(damaged).unwrap();
        result
    };
    for end in 0..whole.len() {
        assert!(read(&whole[..end]).is_err(), "cut at {end}");
    }
    let mut refused = 0;
    for place in 0..whole.len() {
        for flip in [0x01, 0xff] {
            let mut damaged = whole.clone();
            damaged[place] ^= flip;
            match read(&damaged) {
                // Damage outside of the values (in the other column, in statistics) passes, and so may that of a
                // label: the hash of what was decoded has the last word.
                Ok(rows) => assert_eq!(rows.images.image_len(), 784, "{place}"),
                Err(error) => {
                    assert!(!error.to_string().contains("gave up"), "{place}: the decoder panicked");
                    refused += 1;
                }
            }
        }
    }
    assert!(refused > whole.len() / 2, "only {refused} of {} damaged files were refused", 2 * whole.len());
}

#[test]
fn no_more_is_believed_than_a_file_can_hold() {
    for (found, reason) in [
        ("counts-beyond-the-end", "the header of a page goes on behind the end of its column"),
        ("a-size-beyond-32-bits", "the header of a page has a size that is negative or beyond 32 bits"),
        (
            "deep-lists",
            "the footer cannot be decoded (Parquet error: it has too many structs within each other)",
        ),
        ("a-schema-of-other-types", "it has a schema of other types than Parquet's"),
        ("lists-of-truth-values", "the footer cannot be decoded (Parquet error: it goes on behind its end)"),
    ] {
        let fixtures = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fuzz/parquet_rows");
        let error = reader::read(&[fixtures.join(found)]).unwrap_err();
        assert!(matches!(error.problem, ParquetProblem::Format { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
}

#[test]
fn a_page_cannot_unpack_to_more_than_snappy_packs() {
    let (_folder, path) = target();
    made::write_pages(&path, &made::rows(&made::sets().0), Compression::SNAPPY, WriterVersion::PARQUET_1_0);
    let mut bytes = fs::read(&path).unwrap();
    // Behind the magic number the first header begins: its kind, and what its page unpacks to.
    assert_eq!((bytes[4], bytes[6]), (0x15, 0x15));
    // Three bytes, the last without the highest bit; the lowest bit of the first is the sign.
    for (byte, most) in bytes[7..].iter_mut().zip([0x7e, 0x7f, 0x7f]) {
        *byte |= most;
    }
    fs::write(&path, bytes).unwrap();
    let error = reader::read(&[path]).unwrap_err().to_string();
    assert!(error.contains("packed bytes cannot give the 1048575 of a page"), "{error}");
}
