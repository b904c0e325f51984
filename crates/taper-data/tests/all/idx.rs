use std::fs;
use std::path::PathBuf;

use taper_data::idx::{self, IdxProblem};
use taper_data::synthetic::{self, Part};
use tempfile::TempDir;

/// A file with these bytes.
fn file(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("train-images-idx3-ubyte");
    fs::write(&path, bytes).unwrap();
    (folder, path)
}

fn images_problem(bytes: &[u8]) -> IdxProblem {
    let (_folder, path) = file(bytes);
    let error = idx::read_images(&path).unwrap_err();
    let message = error.to_string();
    assert!(message.contains("train-images-idx3-ubyte: "), "{message}");
    assert_eq!(message.matches("train-images").count(), 1, "{message}");
    error.problem
}

fn header(magic: [u8; 4], dims: &[u32]) -> Vec<u8> {
    magic.into_iter().chain(dims.iter().flat_map(|dim| dim.to_be_bytes())).collect()
}

const IMAGES: [u8; 4] = [0, 0, 8, 3];

/// A whole file of 3 images of 2×2.
fn whole() -> Vec<u8> {
    [header(IMAGES, &[3, 2, 2]), (0..12).collect()].concat()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn what_is_written_is_read_back_plain_and_compressed() {
    let data = synthetic::digits(30, 1, Part::Train);
    let folder = tempfile::tempdir().unwrap();
    for end in ["", ".gz"] {
        let (images, labels) = (folder.path().join(format!("i{end}")), folder.path().join(format!("l{end}")));
        idx::write_images(&images, &data.images).unwrap();
        idx::write_labels(&labels, &data.labels).unwrap();
        assert_eq!(idx::read_images(&images).unwrap(), data.images);
        assert_eq!(idx::read_labels(&labels).unwrap(), data.labels);
    }
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("i").len(), 16 + 30 * 784);
    assert_eq!(read("i")[..8], [0, 0, 8, 3, 0, 0, 0, 30]);
    assert_eq!(read("i.gz")[..2], [0x1f, 0x8b]);
    // The name does not matter, the first bytes do.
    fs::rename(folder.path().join("i.gz"), folder.path().join("plain")).unwrap();
    assert_eq!(idx::read_images(&folder.path().join("plain")).unwrap(), data.images);
}

#[test]
fn a_missing_or_empty_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let error = idx::read_images(&folder.path().join("nowhere")).unwrap_err();
    assert!(matches!(error.problem, IdxProblem::Read(_)), "{error}");
    assert!(error.to_string().contains("nowhere: cannot be read"), "{error}");
    assert!(matches!(idx::read_images(folder.path()).unwrap_err().problem, IdxProblem::Read(_)));
    assert!(matches!(images_problem(b""), IdxProblem::Empty));
}

#[test]
fn a_wrong_magic_number_is_refused() {
    for bytes in [&header([0, 0, 8, 1], &[3])[..], &header([0, 0, 13, 3], &[1, 1, 1]), b"PAR1....", b"<html>"]
    {
        let problem = images_problem(bytes);
        assert!(matches!(problem, IdxProblem::Magic { .. }), "{problem}");
    }
    let (_folder, path) = file(&whole());
    let error = idx::read_labels(&path).unwrap_err().to_string();
    assert!(error.contains("[00, 00, 08, 03]") && error.contains("[00, 00, 08, 01]"), "{error}");
}

#[test]
fn every_truncation_is_refused_plain_and_compressed() {
    let whole = whole();
    for end in 1..whole.len() {
        let problem = images_problem(&whole[..end]);
        assert!(
            matches!(problem, IdxProblem::Truncated { expected, found } if found == end as u64 && expected > found),
            "{end}: {problem}"
        );
    }
    let gzip = gzip(&whole);
    for end in 2..gzip.len() {
        let problem = images_problem(&gzip[..end]);
        assert!(
            matches!(problem, IdxProblem::Truncated { .. } | IdxProblem::Gzip { .. }),
            "{end}: {problem}"
        );
    }
}

#[test]
fn data_after_the_last_value_are_refused() {
    for bytes in [[whole(), vec![0]].concat(), gzip(&[whole(), vec![0]].concat())] {
        assert!(matches!(images_problem(&bytes), IdxProblem::Trailing { expected: 28 }));
    }
}

#[test]
fn counts_that_overflow_or_cannot_be_are_refused_before_allocating() {
    for dims in [[u32::MAX, 28, 28], [u32::MAX; 3], [1 << 31, 1 << 31, 4], [60_000, 28, 28]] {
        let mut bytes = header(IMAGES, &dims);
        bytes.extend([0; 100]);
        for bytes in [gzip(&bytes), bytes] {
            let problem = images_problem(&bytes);
            assert!(
                matches!(&problem, IdxProblem::TooLarge { dims: found, .. } if found[..] == dims),
                "{problem}"
            );
        }
    }
    // Zero-sized images would pass any count.
    assert!(matches!(images_problem(&header(IMAGES, &[u32::MAX, 0, 28])), IdxProblem::Shape(_)));
}

#[test]
fn a_damaged_gzip_stream_is_refused() {
    let gzip = gzip(&[header(IMAGES, &[30, 28, 28]), vec![7; 30 * 784]].concat());
    let mut sum = gzip.clone();
    let end = sum.len() - 6;
    sum[end] ^= 1;
    assert!(matches!(images_problem(&sum), IdxProblem::Gzip { .. }));
    for place in 10..gzip.len() {
        let mut damaged = gzip.clone();
        damaged[place] ^= 0x55;
        images_problem(&damaged);
    }
}
