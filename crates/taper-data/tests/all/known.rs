//! Datasets known by name, in small made files of their forms.

use std::fs;
use std::path::Path;

use image::ExtendedColorType;
use parquet::basic::Compression;
use taper_data::{Choice, DataError, Dataset, Expected, Images, LoadOptions, Loaded, idx, load};

use super::made;

fn options(choice: Choice, folder: &Path) -> LoadOptions {
    let mut options = LoadOptions::new(choice);
    options.data_dir = Some(folder.to_owned());
    options.expected = Expected::Any;
    options
}

fn read(choice: Choice, folder: &Path) -> Result<Loaded, DataError> {
    load(&options(choice, folder), &mut |_| ())
}

/// Images `[3, 1, 28, 28]` whose every value is another.
fn images() -> Images {
    let pixels = (0..3 * 784).map(|place: usize| (place * 7 % 251) as u8).collect();
    Images::new(3, 1, 28, 28, pixels).unwrap()
}

fn write_idx(folder: &Path, [train, test]: [&str; 2], labels: &[u8], end: &str) {
    for part in [train, test] {
        idx::write_images(&folder.join(format!("{part}-images-idx3-ubyte{end}")), &images()).unwrap();
        idx::write_labels(&folder.join(format!("{part}-labels-idx1-ubyte{end}")), labels).unwrap();
    }
}

#[test]
fn fashion_and_kuzushiji_have_the_files_of_mnist() {
    for (choice, seventh) in [(Choice::FashionMnist, "Sneaker"), (Choice::Kmnist, "や")] {
        let folder = tempfile::tempdir().unwrap();
        write_idx(folder.path(), ["train", "t10k"], &[0, 7, 9], ".gz");
        let loaded = read(choice, folder.path()).unwrap();
        assert_eq!((&loaded.train.images, &loaded.test.labels), (&images(), &vec![0, 7, 9]));
        assert_eq!(loaded.train.class_names[7], seventh);
        let provenance = &loaded.provenance;
        assert_eq!((&*provenance.name, &*provenance.source), (choice.name(), "idx"));
        assert_eq!((provenance.choice, provenance.license.is_some()), (choice, true));
        // Three images are too few, unless anything will do.
        let mut strict = options(choice, folder.path());
        strict.expected = Expected::default();
        let error = load(&strict, &mut |_| ()).unwrap_err().to_string();
        assert!(
            error.contains("these are 3 images of [1, 28, 28]") && error.contains("has 60000 of"),
            "{error}"
        );
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte.gz")).unwrap();
        let error = read(choice, folder.path()).unwrap_err().to_string();
        assert!(error.contains("lacks t10k-labels-idx1-ubyte (or the same with .gz)"), "{error}");
    }
}

#[test]
fn emnist_is_turned_and_its_letters_begin_at_one() {
    let folder = tempfile::tempdir().unwrap();
    write_idx(folder.path(), ["emnist-letters-train", "emnist-letters-test"], &[1, 2, 26], "");
    let loaded = read(Choice::EmnistLetters, folder.path()).unwrap();
    let names: Vec<&str> =
        loaded.train.labels.iter().map(|&label| &*loaded.train.class_names[usize::from(label)]).collect();
    assert_eq!(names, ["A", "B", "Z"]);
    for index in 0..3 {
        let (given, turned) = (images(), &loaded.train.images);
        for row in 0..28 {
            for column in 0..28 {
                assert_eq!(
                    turned.image(index).unwrap()[row * 28 + column],
                    given.image(index).unwrap()[column * 28 + row]
                );
            }
        }
    }
    // There is no letter before the first.
    write_idx(folder.path(), ["emnist-letters-train", "emnist-letters-test"], &[0, 2, 26], "");
    assert!(matches!(read(Choice::EmnistLetters, folder.path()), Err(DataError::Content { .. })));
    let error = read(Choice::EmnistBalanced, folder.path()).unwrap_err().to_string();
    assert!(
        error.contains("no files of EMNIST") && error.contains("emnist-balanced-train-images"),
        "{error}"
    );
}

/// Rows of whole numbers as IDX.
fn ints(rows: &[[i32; 3]]) -> Vec<u8> {
    let dims = [rows.len() as u32, 3].into_iter().flat_map(u32::to_be_bytes);
    let numbers = rows.iter().flatten().flat_map(|number| number.to_be_bytes());
    [0, 0, 12, 2].into_iter().chain(dims).chain(numbers).collect()
}

#[test]
fn qmnist_tells_more_than_the_class() {
    let folder = tempfile::tempdir().unwrap();
    for part in ["qmnist-train", "qmnist-test"] {
        idx::write_images(&folder.path().join(format!("{part}-images-idx3-ubyte")), &images()).unwrap();
    }
    let write = |rows: &[u8]| {
        for part in ["qmnist-train", "qmnist-test"] {
            fs::write(folder.path().join(format!("{part}-labels-idx2-int")), rows).unwrap();
        }
    };
    let good = ints(&[[5, 0, 2001], [0, 3, 70_000], [9, -1, 0]]);
    write(&good);
    assert_eq!(read(Choice::Qmnist, folder.path()).unwrap().train.labels, [5, 0, 9]);
    for (bytes, reason) in [
        (ints(&[[5, 0, 1], [-1, 3, 7], [9, 0, 0]]), "row 1: -1 is not a class"),
        (good[..good.len() - 4].to_vec(), "the data ends after 44 of 48 bytes"),
        (idx_header_without_columns(), "row 0: nothing is not a class"),
        ([0, 0, 8, 1, 0, 0, 0, 0].to_vec(), "the first four bytes are [00, 00, 08, 01]"),
    ] {
        write(&bytes);
        let error = read(Choice::Qmnist, folder.path()).unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    }
    let nowhere = load(&LoadOptions::new(Choice::Qmnist), &mut |_| ()).unwrap_err().to_string();
    assert!(
        nowhere.contains("QMNIST is not on the Hub") && nowhere.contains("qmnist-train-images"),
        "{nowhere}"
    );
}

fn idx_header_without_columns() -> Vec<u8> {
    [0, 0, 12, 2].into_iter().chain([3u32, 0].into_iter().flat_map(u32::to_be_bytes)).collect()
}

/// Two records of CIFAR-10: a label, then red, green and blue.
fn cifar(labels: [u8; 2]) -> Vec<u8> {
    labels
        .into_iter()
        .flat_map(|label| [vec![label], vec![200; 1024], vec![100; 1024], vec![label; 1024]].concat())
        .collect()
}

#[test]
fn cifar_is_read_from_its_binary_batches() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("cifar-10-batches-bin");
    fs::create_dir(&below).unwrap();
    for batch in 1..=5 {
        fs::write(below.join(format!("data_batch_{batch}.bin")), cifar([batch, 0])).unwrap();
    }
    fs::write(below.join("test_batch.bin"), cifar([9, 8])).unwrap();
    let loaded = read(Choice::Cifar10, folder.path()).unwrap();
    assert_eq!(loaded.train.labels, [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]);
    assert_eq!((loaded.test.labels.clone(), &*loaded.train.class_names[9]), (vec![9, 8], "truck"));
    let image = loaded.train.images.image(2).unwrap();
    assert_eq!((loaded.train.images.channels(), image[0], image[1024], image[2048]), (3, 200, 100, 2));
    fs::write(below.join("test_batch.bin"), &cifar([9, 8])[..4000]).unwrap();
    let error = read(Choice::Cifar10, folder.path()).unwrap_err().to_string();
    assert!(error.contains("test_batch.bin: 4000 bytes are no whole number of images"), "{error}");
    fs::write(below.join("test_batch.bin"), cifar([9, 10])).unwrap();
    assert!(read(Choice::Cifar10, folder.path()).unwrap_err().to_string().contains("label 10 of image 1"));
    fs::remove_file(below.join("data_batch_3.bin")).unwrap();
    let error = read(Choice::Cifar10, folder.path()).unwrap_err().to_string();
    assert!(error.contains("lacks data_batch_3.bin"), "{error}");
}

/// A Parquet file as `uoft-cs/cifar10` has it: the column is called `img`.
fn cifar_parquet(path: &Path, labels: &[i64]) {
    let png = |label: &i64| made::png(32, 32, ExtendedColorType::Rgb8, &[*label as u8; 3072]);
    let rows: Vec<made::Row> = labels.iter().map(|label| (Some(png(label)), Some(*label))).collect();
    let schema = "message m { optional group img { optional binary bytes; optional binary path (STRING); }
                  optional int64 label; }";
    made::write_schema(path, &rows, schema, Compression::SNAPPY, 4);
}

#[test]
fn cifar_is_read_from_parquet_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("plain_text")).unwrap();
    for (part, labels) in [("train", &[3, 1, 4][..]), ("test", &[5])] {
        cifar_parquet(&folder.path().join(format!("plain_text/{part}-00000-of-00001.parquet")), labels);
    }
    let loaded = read(Choice::Cifar10, folder.path()).unwrap();
    assert_eq!((loaded.train.labels, loaded.test.labels), (vec![3, 1, 4], vec![5]));
    assert!(loaded.train.images.image(0).unwrap().iter().all(|&value| value == 3));
    // Of the same form, but other data.
    let error = read(Choice::FashionMnist, &folder.path().join("plain_text")).unwrap_err().to_string();
    assert!(error.contains("there is no column `image`"), "{error}");
}

#[test]
fn files_of_mnist_are_not_taken_for_others() {
    let Some(real) = made::real_data() else { return };
    let error = load(&options(Choice::FashionMnist, &real.join("mnist")), &mut |_| ()).unwrap_err();
    assert!(error.to_string().contains("these files are MNIST's, not those of Fashion-MNIST"), "{error}");
}

#[test]
fn choices_say_how_their_images_are_used() {
    for choice in Choice::ALL {
        assert_eq!(choice.name().parse(), Ok(choice));
    }
    assert!(!Choice::Mnist.is_normalized() && Choice::Cifar10.is_normalized());
    assert!(Choice::EmnistLetters.is_handwriting() && !Choice::FashionMnist.is_handwriting());
}

#[cfg(feature = "hub")]
#[test]
fn cifar_comes_from_the_hub() {
    use super::hub;
    use super::server::{Fault, Route, Server};

    let folder = tempfile::tempdir().unwrap();
    let names = ["plain_text/train-00000-of-00001.parquet", "plain_text/test-00000-of-00001.parquet"];
    let files = names.map(|name| {
        let path = folder.path().join(name.replace('/', "-"));
        cifar_parquet(&path, &[0, 9, 2]);
        (name, fs::read(path).unwrap())
    });
    let server = Server::start(&files, Route::Direct, Fault::None);
    let mut options = LoadOptions::new(Choice::Cifar10);
    options.expected = Expected::Any;
    options.hub = hub::options(&folder.path().join("cache"), &server.endpoint);
    let loaded: Loaded = load(&options, &mut |_| ()).unwrap();
    assert_eq!(loaded.provenance.source, "hub:uoft-cs/cifar10@main");
    let Dataset { labels, class_names, .. } = &loaded.train;
    assert_eq!((labels, class_names.len()), (&vec![0, 9, 2], 10));
    let asked = server.take_requests().concat();
    assert!(asked.contains("/datasets/uoft-cs/cifar10/resolve/main/plain_text/train-"), "{asked}");
    options.hub.offline = true;
    assert_eq!(load(&options, &mut |_| ()).unwrap().provenance.sha256, loaded.provenance.sha256);
}

#[cfg(feature = "hub")]
#[test]
fn emnist_comes_from_the_hub_as_its_authors_packed_it() {
    use super::hub;
    use super::server::{Fault, Route, Server};

    for (choice, repository, below) in [
        (Choice::EmnistLetters, "Royc30ne/emnist-letters", ""),
        (Choice::EmnistMnist, "tanganke/emnist_mnist", "raw/"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let parts = ["train", "test"].map(|part| format!("{}-{part}", choice.name()));
        write_idx(folder.path(), parts.each_ref().map(String::as_str), &[1, 2, 9], ".gz");
        let names: Vec<String> = parts
            .iter()
            .flat_map(|part| ["images-idx3", "labels-idx1"].map(|what| format!("{part}-{what}-ubyte.gz")))
            .collect();
        let paths: Vec<String> = names.iter().map(|name| format!("{below}{name}")).collect();
        let contents = names.iter().map(|name| fs::read(folder.path().join(name)).unwrap());
        let files: Vec<(&str, Vec<u8>)> = paths.iter().map(String::as_str).zip(contents).collect();
        let server = Server::start(&files, Route::Direct, Fault::None);
        let mut options = LoadOptions::new(choice);
        options.expected = Expected::Any;
        options.hub = hub::options(&folder.path().join("cache"), &server.endpoint);
        let loaded = load(&options, &mut |_| ()).unwrap();
        assert_eq!(loaded.provenance.source, format!("hub:{repository}@main"));
        let given = read(choice, folder.path()).unwrap();
        assert_eq!((loaded.train, loaded.test), (given.train, given.test));
        let asked = server.take_requests().concat();
        for path in &paths {
            assert!(asked.contains(&format!("/datasets/{repository}/resolve/main/{path}")), "{asked}");
        }
        options.hub.offline = true;
        assert_eq!(load(&options, &mut |_| ()).unwrap().provenance.sha256, loaded.provenance.sha256);
    }
}
