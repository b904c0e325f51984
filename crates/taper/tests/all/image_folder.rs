//! Folders of images, as of CIFAR-10's: drawn, trained on, exported, and asked about.

use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use image::{Rgb, RgbImage};
use tempfile::TempDir;

use crate::program::{json, run, stderr, succeed};

/// SplitMix64 (Steele et al. 2014), so that every run of the tests draws the same.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n) as u32
    }
}

const CLASSES: [&str; 3] = ["bars", "disc", "square"];

/// A shape of one colour on a noisy ground of another, 32×32.
fn picture(class: usize, random: &mut Random) -> RgbImage {
    let mut level = |low: u64| (low + u64::from(random.below(60))) as i32;
    let (ink, ground) = ([level(150), level(60), level(20)], [level(20), level(60), level(100)]);
    let (x0, y0, size) =
        (10 + random.below(12) as i32, 10 + random.below(12) as i32, 6 + random.below(4) as i32);
    RgbImage::from_fn(32, 32, |x, y| {
        let (dx, dy) = (x as i32 - x0, y as i32 - y0);
        let inside = match class {
            0 => (y / 4) % 2 == 0,
            1 => dx * dx + dy * dy <= size * size,
            _ => dx.abs() <= size && dy.abs() <= size,
        };
        let noise = random.below(30) as i32;
        Rgb(if inside { ink } else { ground }.map(|level| (level + noise).clamp(0, 255) as u8))
    })
}

/// `photos/train/<class>/<number>.jpg` and `photos/test`, and a run on them in `run`, trained once for all tests.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<TempDir> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let mut random = Random(7);
        for (part, count) in [("train", 80), ("test", 20)] {
            for (class, name) in CLASSES.into_iter().enumerate() {
                let below = folder.path().join("photos").join(part).join(name);
                fs::create_dir_all(&below).unwrap();
                for number in 0..count {
                    picture(class, &mut random).save(below.join(format!("{number:03}.jpg"))).unwrap();
                }
            }
        }
        let words = [&["pipeline", "--out", "run"], &FLAGS[..]].concat();
        succeed(folder.path(), &words);
        folder
    });
    folder.path()
}

const FLAGS: [&str; 10] =
    ["--data-dir", "photos", "--model", "residual", "--epochs", "6", "--batch-size", "18", "--lr", "0.005"];

#[test]
fn a_folder_of_jpegs_is_trained_on_exported_and_verified() {
    let run = folder().join("run");
    let metrics = json(&fs::read_to_string(run.join("metrics.json")).unwrap());
    let dataset = &metrics["dataset"];
    assert_eq!((&dataset["name"], &dataset["source"]), (&"photos".into(), &"folder:photos".into()));
    assert_eq!(dataset["class_names"], serde_json::json!(CLASSES));
    assert_eq!([&dataset["train"], &dataset["validation"], &dataset["test"]], [216, 24, 60]);
    let accuracy = metrics["test"]["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.8, "{accuracy}");
    assert_eq!(metrics["export"]["verified_images"], 60);
    assert!(metrics["export"]["max_abs_diff"].as_f64().unwrap() < 1e-4);
    for (what, range) in [("mean", 0.1..0.7), ("std", 0.02..0.5)] {
        let numbers = dataset["normalized_by"][what].as_array().unwrap();
        assert!(
            numbers.len() == 3 && numbers.iter().all(|n| range.contains(&n.as_f64().unwrap())),
            "{dataset}"
        );
    }
    let inspected = succeed(folder(), &["inspect", "run/model.onnx"]);
    for part in ["class_names", "[\"bars\",\"disc\",\"square\"]", "[N, 3, 32, 32]", "normalize"] {
        assert!(inspected.contains(part), "no {part} in {inspected}");
    }
    let card = fs::read_to_string(run.join("README.md")).unwrap();
    for part in ["`folder:photos`", "`bars`", "taper predict --run . photo.jpg", "normalize"] {
        assert!(card.contains(part), "no {part} in {card}");
    }
    assert!(fs::read_to_string(run.join("report.html")).unwrap().contains("disc"));
}

/// What stands in the ONNX file, and takes plain pixels: computed here by the definition.
#[test]
fn the_file_normalises_by_the_numbers_of_the_training_images() {
    let run = folder().join("run");
    let metrics = json(&fs::read_to_string(run.join("metrics.json")).unwrap());
    let (weights, metadata) =
        taper::export::safetensors::load_network(&run.join("model.safetensors")).unwrap();
    assert!(!weights.iter().any(|(name, _)| name.starts_with("normalize")));
    let normalize = metadata.graph.normalization().unwrap();
    let told: Vec<f32> = serde_json::from_value(metrics["dataset"]["normalized_by"]["mean"].clone()).unwrap();
    assert_eq!(normalize.mean, told);
    // Of the 216 images trained on; of all 240 they are nearly the same.
    let (mut sums, mut count) = ([[0.0; 2]; 3], 0.0);
    for class in CLASSES {
        for number in 0..80 {
            let path = folder().join(format!("photos/train/{class}/{number:03}.jpg"));
            let picture = image::open(path).unwrap().to_rgb8();
            for pixel in picture.pixels() {
                for (channel, [sum, squares]) in sums.iter_mut().enumerate() {
                    let value = f64::from(pixel[channel]) / 255.0;
                    (*sum, *squares) = (*sum + value, *squares + value * value);
                }
            }
            count += 1024.0;
        }
    }
    for (channel, [sum, squares]) in sums.into_iter().enumerate() {
        let mean: f64 = sum / count;
        let std = (squares / count - mean * mean).sqrt();
        assert!((f64::from(normalize.mean[channel]) - mean).abs() < 0.01, "{normalize:?}");
        assert!((f64::from(normalize.std[channel]) - std).abs() < 0.01, "{normalize:?}");
    }
}

#[test]
fn pictures_are_classified_whatever_their_size() {
    let folder = folder();
    let large = image::open(folder.join("photos/test/disc/000.jpg")).unwrap();
    let large = large.resize_exact(320, 320, image::imageops::FilterType::CatmullRom);
    large.save(folder.join("large.png")).unwrap();
    let words = ["predict", "--run", "run", "large.png", "photos/test/bars/000.jpg", "--json"];
    let predictions = json(&succeed(folder, &words));
    let found: Vec<&str> =
        predictions.as_array().unwrap().iter().map(|it| it["class"].as_str().unwrap()).collect();
    assert_eq!(found, ["disc", "bars"]);
    let rows = predictions[1]["pixels"].as_array().unwrap();
    assert!(
        rows.len() == 32 && rows[0].as_str().unwrap().len() == 32 * 3 * 2 && predictions[1]["channels"] == 3
    );
    let text = succeed(folder, &["predict", "--run", "run", "large.png"]);
    assert!(text.lines().count() > 16 && text.contains("disc"), "{text}");
    let none = run(folder, &["predict", "--run", "run", "run/model.onnx"]);
    assert!(stderr(&none).contains("run/model.onnx: it is not PNG, JPEG or WebP"), "{}", stderr(&none));
}

#[test]
fn later_words_find_the_same_data_again() {
    let folder = folder();
    let first = fs::read(folder.join("run/metrics.json")).unwrap();
    let scores = json(&succeed(folder, &["evaluate", "run", "--json"]));
    assert_eq!(scores["accuracy"], json(std::str::from_utf8(&first).unwrap())["test"]["accuracy"]);
    succeed(folder, &["export", "run", "--uint8-input=nhwc", "--softmax", "--out", "camera.onnx"]);
    succeed(folder, &["export", "run", "--int8", "--calibration-images", "50", "--out", "int8.onnx"]);
    succeed(folder, &["reference", "run", "--out", "reference.safetensors"]);
    // A folder that has changed since is another.
    let (from, to) = (folder.join("photos/test/bars/001.jpg"), folder.join("away.jpg"));
    fs::rename(&from, &to).unwrap();
    let other = run(folder, &["evaluate", "run"]);
    fs::rename(&to, &from).unwrap();
    assert!(stderr(&other).contains("the run was trained on photos data with SHA-256"), "{}", stderr(&other));
}

#[test]
fn a_second_run_is_the_same_to_the_last_bit() {
    let folder = folder();
    let words = [&["train", "--out", "again", "--threads", "1"], &FLAGS[..]].concat();
    succeed(folder, &words);
    let read = |run: &str, file: &str| fs::read(folder.join(run).join(file)).unwrap();
    assert_eq!(read("run", "history.csv"), read("again", "history.csv"));
    // The first also knows its accuracy.
    let weights = |run: &str| {
        let path = folder.join(run).join("model.safetensors");
        taper::export::safetensors::load_network(&path).unwrap().0
    };
    assert_eq!(weights("run"), weights("again"));
}

#[test]
fn what_does_not_fit_is_said_with_the_flags() {
    let folder = folder();
    fs::write(folder.join("digits.toml"), taper::graph::Preset::LeNet5.toml()).unwrap();
    let said = |words: &[&str]| {
        let words = [&["train", "--out", "refused", "--data-dir", "photos"], words].concat();
        let output = run(folder, &words);
        assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
        stderr(&output)
    };
    let network = said(&["--model", "digits.toml"]);
    for part in [
        "takes images of 1x28x28",
        "have 3x32x32 and 3 classes",
        "--input 3x32x32 --classes 3",
        "--image-size",
    ] {
        assert!(network.contains(part), "no {part} in {network}");
    }
    let small = said(&["--model", "lenet5", "--image-size", "8"]);
    assert!(small.contains("no such network for images of 3x8x8 and 3 classes: node `conv2`"), "{small}");
    let digits = run(folder, &["train", "--dataset", "synthetic", "--channels", "3", "--out", "refused"]);
    assert!(stderr(&digits).contains("--channels is for folders of images"), "{}", stderr(&digits));
    assert!(!folder.join("refused/metrics.json").exists());
}

#[test]
fn bad_images_are_listed_or_left_out_loudly() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random(1);
    for (class, name) in CLASSES.into_iter().enumerate() {
        let below = folder.path().join("some").join(name);
        fs::create_dir_all(&below).unwrap();
        for number in 0..20 {
            picture(class, &mut random).save(below.join(format!("{number}.png"))).unwrap();
        }
    }
    fs::write(folder.path().join("some/disc/broken.jpg"), "no image").unwrap();
    let words = [
        "train",
        "--data-dir",
        "some",
        "--model",
        "lenet5",
        "--epochs",
        "1",
        "--out",
        "run",
        "--channels",
        "1",
    ];
    let refused = run(folder.path(), &words);
    assert_eq!(refused.status.code(), Some(1));
    let said = stderr(&refused);
    assert!(
        said.contains("1 file is no whole image")
            && said.contains("disc/broken.jpg")
            && said.contains("--skip-bad"),
        "{said}"
    );
    let output = run(folder.path(), &[&words[..], &["--skip-bad"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("WARNING: leaving out some/disc/broken.jpg"), "{}", stderr(&output));
    let metrics = json(&fs::read_to_string(folder.path().join("run/metrics.json")).unwrap());
    assert_eq!(metrics["dataset"]["skipped"], 1);
    assert_eq!(metrics["dataset"]["normalized_by"]["mean"].as_array().unwrap().len(), 1);
    // A tenth of each class for the test, then of what is left for validation.
    let sizes = ["train", "validation", "test"].map(|part| metrics["dataset"][part].as_u64().unwrap());
    assert_eq!(sizes, [48, 6, 6]);
    let config = fs::read_to_string(folder.path().join("run/config.toml")).unwrap();
    assert!(config.contains("dataset = \"image-folder\"") && config.contains("skip_bad = true"), "{config}");
    assert!(!config.contains("validation ="), "{config}");

    // A hundred thousand would hide all else.
    for number in 0..24 {
        fs::write(folder.path().join(format!("some/bars/broken{number}.jpg")), "x").unwrap();
    }
    let words = ["download", "--data-dir", "some", "--channels", "1", "--skip-bad", "--quiet"];
    let said = stderr(&run(folder.path(), &words));
    assert_eq!(said.matches("WARNING: leaving out some/bars/broken").count(), 20, "{said}");
    assert!(said.ends_with("\nWARNING: and leaving out 5 more\n") && said.lines().count() == 21, "{said}");
}
