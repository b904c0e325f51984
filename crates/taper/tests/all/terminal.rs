//! What files of others cannot do to who reads of them: command the terminal, or keep the program waiting.

use std::fs;

use taper::export::{Metadata, safetensors};

use crate::program::{copy_of_small_run, json, run, stderr, stdout, succeed};

/// A name that sets a terminal's title, clears it, and goes back to the line's beginning.
const NAME: &str = "z\u{1b}]0;title\u{7}\u{9b}2J\r";

/// The same as it may be shown.
const SHOWN: &str = "z\u{fffd}]0;title\u{fffd}\u{fffd}2J\u{fffd}";

fn is_plain(text: &str) -> bool {
    text.chars().all(|letter| !letter.is_control() || letter == '\n')
}

#[test]
fn names_of_classes_cannot_command_the_terminal() {
    let (folder, run_folder) = copy_of_small_run();
    let file = run_folder.join("model.safetensors");
    let (weights, metadata) = safetensors::load_network(&file).unwrap();
    let class_names = (0..10).map(|digit| format!("{NAME}{digit}")).collect();
    safetensors::save(&file, &weights, &Metadata { class_names, ..metadata }).unwrap();
    let mut pixels = image::GrayImage::new(28, 28);
    (4..24).for_each(|y| pixels.put_pixel(14, y, image::Luma([255])));
    pixels.save(folder.path().join("one.png")).unwrap();

    let words = ["predict", "--run", "run", "one.png"];
    for flags in [&[][..], &["--quiet"]] {
        let told = succeed(folder.path(), &[&words[..], flags].concat());
        assert!(is_plain(&told) && told.contains(SHOWN), "{flags:?}: {told:?}");
    }
    // JSON spells them out, and programs have the names as they are.
    let told = succeed(folder.path(), &[&words[..], &["--json"]].concat());
    assert!(is_plain(&told), "{told:?}");
    assert!(json(&told)[0]["class"].as_str().unwrap().starts_with(NAME));
}

#[test]
fn names_in_an_onnx_file_cannot_command_the_terminal() {
    let (folder, run_folder) = copy_of_small_run();
    let mut bytes = fs::read(run_folder.join("model.onnx")).unwrap();
    let places: Vec<usize> = (0..bytes.len() - 5).filter(|&at| bytes[at..].starts_with(b"conv1")).collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + 5].copy_from_slice(b"c\x1b[2J");
    }
    fs::write(folder.path().join("theirs.onnx"), bytes).unwrap();
    let told = succeed(folder.path(), &["inspect", "theirs.onnx"]);
    assert!(is_plain(&told) && told.contains("c\u{fffd}[2J"), "{told:?}");
    assert!(is_plain(&succeed(folder.path(), &["inspect", "theirs.onnx", "--json"])));
}

#[test]
fn a_message_cannot_command_the_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["inspect", "no\u{1b}[2Jwhere.onnx"]);
    assert!(is_plain(&stderr(&output)) && stderr(&output).contains("no\u{fffd}[2Jwhere.onnx"), "{output:?}");
}

#[cfg(unix)]
#[test]
fn a_named_pipe_is_refused_and_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["pipe.onnx", "pipe.safetensors"] {
        let made = std::process::Command::new("mkfifo").arg(folder.path().join(name)).status().unwrap();
        assert!(made.success());
    }
    for (name, words) in [
        ("pipe.onnx", &["inspect", "pipe.onnx"][..]),
        ("pipe.onnx", &["demo", "pipe.onnx", "--out", "site"]),
        ("pipe.safetensors", &["export", "pipe.safetensors", "--out", "model.onnx"]),
    ] {
        let output = run(folder.path(), words);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{words:?}: {said}");
        assert!(said.contains(&format!("cannot read {name}: it is a pipe or a device")), "{words:?}: {said}");
        assert_eq!(stdout(&output), "");
    }
}
