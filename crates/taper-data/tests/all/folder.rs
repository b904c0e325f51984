//! What `--data-dir` may point at.

use std::fs;
use std::path::Path;

use parquet::basic::Compression;
use taper_data::{Choice, DataError, Expected, LoadOptions, Loaded, idx, load};

use super::made::{self, Layout};

fn options(folder: &Path) -> LoadOptions {
    let mut options = LoadOptions::new(Choice::Auto);
    options.data_dir = Some(folder.to_owned());
    options.expected = made::expected(&made::sets());
    // Nothing of this may ever reach out.
    options.hub.offline = true;
    options
}

fn load_from(folder: &Path) -> Result<Loaded, DataError> {
    load(&options(folder), &mut |_| {})
}

#[test]
fn idx_files_are_found_under_all_their_names() {
    let sets = made::sets();
    for (below, end, dots) in
        [("", "", false), ("", ".gz", false), ("", "", true), ("", ".gz", true), ("MNIST/raw", "", false)]
    {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join(below);
        fs::create_dir_all(&place).unwrap();
        made::write_idx(&place, &sets, end);
        for name in ["train-images", "t10k-images", "train-labels", "t10k-labels"].iter().filter(|_| dots) {
            let kind = if name.ends_with("images") { 3 } else { 1 };
            let path = |separator| place.join(format!("{name}{separator}idx{kind}-ubyte{end}"));
            fs::rename(path('-'), path('.')).unwrap();
        }
        let loaded = load_from(folder.path()).unwrap();
        assert_eq!((&loaded.train, &loaded.test), (&sets.0, &sets.1), "{below} {end} {dots}");
        assert_eq!(loaded.provenance.source, "idx");
        assert_eq!(loaded.provenance.location.as_deref(), Some(folder.path()));
    }
}

#[test]
fn idx_and_parquet_of_the_same_data_have_the_same_hash() {
    let sets = made::sets();
    let (idx, parquet) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    made::write_idx(idx.path(), &sets, ".gz");
    made::write_hub(parquet.path(), &sets);
    let idx = load_from(idx.path()).unwrap();
    for folder in [parquet.path().to_owned(), parquet.path().join("mnist")] {
        let parquet = load_from(&folder).unwrap();
        assert_eq!((&idx.train, &idx.test), (&parquet.train, &parquet.test));
        assert_eq!(idx.provenance.sha256, parquet.provenance.sha256);
        assert_eq!(parquet.provenance.source, "parquet");
        // These are not MNIST, and must not be called so.
        assert_eq!((&*parquet.provenance.name, &parquet.provenance.license), ("custom", &None));
    }
}

#[test]
fn parquet_in_several_files_is_joined_in_order_and_needs_all_of_them() {
    let sets = made::sets();
    let folder = tempfile::tempdir().unwrap();
    made::write_hub(folder.path(), &sets);
    let below = folder.path().join("mnist");
    fs::remove_file(below.join("train-00000-of-00001.parquet")).unwrap();
    for (shard, rows) in made::rows(&sets.0).chunks(20).enumerate() {
        let path = below.join(format!("train-{shard:05}-of-00003.parquet"));
        made::write_parquet(&path, rows, Layout::Hub, Compression::UNCOMPRESSED, 100);
    }
    assert_eq!(load_from(folder.path()).unwrap().train, sets.0);
    fs::remove_file(below.join("train-00001-of-00003.parquet")).unwrap();
    let error = load_from(folder.path()).unwrap_err();
    assert!(
        matches!(&error, DataError::Incomplete { missing, .. } if missing == "train-00001-of-00003.parquet")
    );
    assert!(error.to_string().contains("lacks train-00001-of-00003.parquet"), "{error}");
}

#[test]
fn a_folder_once_given_is_never_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    for choice in [Choice::Auto, Choice::Mnist] {
        let load = |path: &Path| load(&with(choice, path), &mut |_| {}).unwrap_err();
        assert!(matches!(load(folder.path()), DataError::NothingFound { .. }));
        assert!(matches!(load(&folder.path().join("nowhere")), DataError::Folder { .. }));
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        assert!(matches!(load(&file), DataError::Folder { .. }));
    }
    let error = load(&with(Choice::Synthetic, folder.path()), &mut |_| {}).unwrap_err();
    assert!(matches!(error, DataError::FolderForSynthetic { .. }), "{error}");
}

fn with(choice: Choice, folder: &Path) -> LoadOptions {
    let mut options = options(folder);
    options.choice = choice;
    options
}

#[test]
fn each_missing_file_is_named() {
    let sets = made::sets();
    for (missing, other) in [
        ("train-images-idx3-ubyte", "t10k"),
        ("train-labels-idx1-ubyte", "train-images"),
        ("t10k-images-idx3-ubyte", "train-images"),
        ("t10k-labels-idx1-ubyte", "train-images"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        made::write_idx(folder.path(), &sets, "");
        fs::remove_file(folder.path().join(missing)).unwrap();
        let error = load_from(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("lacks {missing}")), "{error}");
        assert!(missing.starts_with("train-images") || error.contains(other), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    made::write_hub(folder.path(), &sets);
    fs::remove_file(folder.path().join("mnist/test-00000-of-00001.parquet")).unwrap();
    let error = load_from(folder.path()).unwrap_err().to_string();
    assert!(error.contains("lacks test-*.parquet"), "{error}");
}

#[test]
fn data_that_are_not_mnist_are_refused_by_name_and_hash() {
    let folder = tempfile::tempdir().unwrap();
    let sets = made::sets();
    made::write_idx(folder.path(), &sets, "");
    let mut options = options(folder.path());
    options.expected = Expected::default();
    let error = load(&options, &mut |_| {}).unwrap_err();
    assert!(
        matches!(&error, DataError::Hash { part: "training images", found, .. } if *found == sets.0.images.sha256().unwrap())
    );
    let message = error.to_string();
    for needed in ["train-images-idx3-ubyte", "ba891046", &sets.0.images.sha256().unwrap(), "--data-dir"] {
        assert!(message.contains(needed), "{needed}: {message}");
    }
    options.expected = Expected::Any;
    assert_eq!(load(&options, &mut |_| {}).unwrap().train, sets.0);

    // A single wrong label, in the last file.
    options.expected = made::expected(&sets);
    let mut labels = sets.1.labels.clone();
    labels[3] = (labels[3] + 1) % 10;
    idx::write_labels(&folder.path().join("t10k-labels-idx1-ubyte"), &labels).unwrap();
    let error = load(&options, &mut |_| {}).unwrap_err();
    assert!(matches!(&error, DataError::Hash { part: "test labels", .. }), "{error}");
    assert!(error.to_string().contains("t10k-labels-idx1-ubyte"), "{error}");
}

#[test]
fn counts_that_disagree_and_labels_out_of_range_name_the_files() {
    let (train, test) = made::sets();
    let folder = tempfile::tempdir().unwrap();
    made::write_idx(folder.path(), &(train.clone(), test.clone()), "");
    let labels = folder.path().join("train-labels-idx1-ubyte");
    idx::write_labels(&labels, &train.labels[..49]).unwrap();
    let error = load_from(folder.path()).unwrap_err().to_string();
    assert!(error.contains("50 images but 49 labels"), "{error}");
    assert!(error.contains("train-images-idx3") && error.contains("train-labels-idx1"), "{error}");

    let mut wrong = train.labels.clone();
    wrong[17] = 10;
    idx::write_labels(&labels, &wrong).unwrap();
    let error = load_from(folder.path()).unwrap_err().to_string();
    assert!(error.contains("label 10 of image 17") && error.contains("train-labels-idx1"), "{error}");

    idx::write_labels(&labels, &train.labels).unwrap();
    let small = taper_data::Images::new(20, 1, 14, 28, vec![0; 20 * 14 * 28]).unwrap();
    idx::write_images(&folder.path().join("t10k-images-idx3-ubyte"), &small).unwrap();
    let mut options = options(folder.path());
    options.expected = Expected::Any;
    let error = load(&options, &mut |_| {}).unwrap_err();
    assert!(matches!(error, DataError::Shapes { test: [1, 14, 28], .. }), "{error}");
}
