//! Folders of images: the parts that a run takes from them, and what of it is refused.

use std::fs;
use std::path::Path;

use image::{GrayImage, Luma};
use safetensors::SafeTensors;

use crate::program::{json, run, stderr, succeed};

/// `photos/<part>/{dark,light}/<number>.png`, 16×16, as many of each class.
fn draw(folder: &Path, part: &str, count: u32) {
    for (class, level) in [("dark", 20), ("light", 200)] {
        let below = folder.join("photos").join(part).join(class);
        fs::create_dir_all(&below).unwrap();
        for number in 0..count {
            let noise = |x: u32, y: u32| ((x * 7 + y * 13 + number * 31) % 40) as u8;
            let picture = GrayImage::from_fn(16, 16, |x, y| Luma([level + noise(x, y)]));
            picture.save(below.join(format!("{number:04}.png"))).unwrap();
        }
    }
}

const TRAIN: [&str; 11] = [
    "train",
    "--data-dir",
    "photos",
    "--model",
    "lenet5",
    "--epochs",
    "1",
    "--batch-size",
    "10",
    "--out",
    "run",
];

#[test]
fn a_val_folder_validates_and_a_large_test_part_keeps_its_labels() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (part, count) in [("train", 20), ("val", 5), ("test", 600)] {
        draw(folder, part, count);
    }
    succeed(folder, &TRAIN);
    let metrics = json(&fs::read_to_string(folder.join("run/metrics.json")).unwrap());
    let dataset = &metrics["dataset"];
    assert_eq!([&dataset["train"], &dataset["validation"], &dataset["test"]], [40, 10, 1200]);
    // 1,000 of 1,200 images, some of each class: each with the label of its own.
    succeed(folder, &["reference", "run", "--out", "reference.safetensors"]);
    let bytes = fs::read(folder.join("reference.safetensors")).unwrap();
    let tensors = SafeTensors::deserialize(&bytes).unwrap();
    let (images, labels) = (tensors.tensor("images").unwrap(), tensors.tensor("labels").unwrap());
    assert_eq!((images.shape(), labels.shape()), (&[1000, 1, 16, 16][..], &[1000][..]));
    let firsts =
        images.data().chunks_exact(4 * 256).map(|image| f32::from_le_bytes(image[..4].try_into().unwrap()));
    let expected: Vec<u8> = firsts.map(|first| u8::from(first > 0.5)).collect();
    assert_eq!(labels.data(), expected);
    assert_eq!(expected.iter().filter(|&&label| label == 0).count(), 500);
}

#[test]
fn what_leaves_nothing_to_test_on_is_refused_before_the_first_step() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    draw(folder, "train", 1);
    draw(folder, "val", 1);
    let refused = run(folder, &TRAIN);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("there are no images to test on"), "{}", stderr(&refused));
    assert!(!folder.join("run/checkpoints").exists());
}

#[test]
fn a_split_seed_is_for_folders_alone() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["train", "--dataset", "synthetic", "--split-seed", "3", "--out", "refused"];
    let refused = run(folder.path(), &words);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("--split-seed is for folders of images"), "{}", stderr(&refused));
}

#[test]
fn a_summary_is_for_the_images_that_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["summary", "--model", "residual", "--input", "3x32x32", "--classes", "10"];
    let summary = succeed(folder.path(), &words);
    for part in ["[N, 3, 32, 32]", "[N, 10]", "residual"] {
        assert!(summary.contains(part), "no {part} in {summary}");
    }
}
