//! `taper export` with every flag: what the file then is, and what is said of it.

use std::fs;

use crate::program::{copy_of_small_run, json, run, stderr, stdout, succeed};

/// Flags, what the file takes and returns, its operator set, and the profile told.
type Row = (&'static [&'static str], &'static str, &'static str, i64, &'static str);

const ROWS: &[Row] = &[
    (&[], "image float32 [N, 1, 28, 28]", "logits float32 [N, 10]", 17, "portable"),
    (&["--softmax"], "image float32 [N, 1, 28, 28]", "probabilities float32 [N, 10]", 17, "portable"),
    (&["--argmax"], "image float32 [N, 1, 28, 28]", "class int64 [N]", 17, "onnxruntime"),
    (&["--half"], "image float16 [N, 1, 28, 28]", "logits float16 [N, 10]", 17, "onnxruntime"),
    (&["--half-weights"], "image float32 [N, 1, 28, 28]", "logits float32 [N, 10]", 17, "portable"),
    (&["--uint8-input"], "image uint8 [N, 1, 28, 28]", "logits float32 [N, 10]", 17, "onnxruntime"),
    (&["--uint8-input=nhwc"], "image uint8 [N, 28, 28, 1]", "logits float32 [N, 10]", 17, "onnxruntime"),
    (&["--opset", "22"], "image float32 [N, 1, 28, 28]", "logits float32 [N, 10]", 22, "onnxruntime"),
    (
        &["--profile", "windows-ml"],
        "image float32 [N, 1, 28, 28]",
        "logits float32 [N, 10]",
        12,
        "windows-ml",
    ),
    (&["--profile", "candle"], "image float32 [N, 1, 28, 28]", "logits float32 [N, 10]", 17, "candle"),
    (
        &["--input", "x", "--output", "y", "--doc", "digits"],
        "x float32 [N, 1, 28, 28]",
        "y float32 [N, 10]",
        17,
        "portable",
    ),
];

#[test]
fn every_flag_is_verified_and_declared() {
    let (folder, _) = copy_of_small_run();
    for source in ["run", "run/model.safetensors"] {
        for (flags, input, output, opset, profile) in ROWS {
            let words = [&["export", source, "--out", "other.onnx", "--json"], *flags].concat();
            let made = run(folder.path(), &words);
            assert!(made.status.success(), "{words:?}: {}", stderr(&made));
            let told = json(&stdout(&made));
            assert_eq!(
                (&told["profile"], &told["opset"]),
                (&(*profile).into(), &(*opset).into()),
                "{words:?}"
            );
            let is_chosen = *profile == "onnxruntime";
            assert_eq!(told["not_portable"].is_string(), is_chosen, "{words:?}: {told}");
            let notes =
                stderr(&made).lines().filter(|line| line.starts_with("note: the file is for")).count();
            assert_eq!(notes, usize::from(is_chosen), "{words:?}: {}", stderr(&made));
            let file = succeed(folder.path(), &["inspect", "other.onnx"]);
            assert!(file.contains(input) && file.contains(output), "{words:?}: {file}");
        }
    }
}

#[test]
fn weights_of_others_say_what_bytes_become() {
    let (folder, _) = copy_of_small_run();
    let words = ["export", "run/model.safetensors", "--model", "small.toml", "--out", "other.onnx"];
    let flags = ["--uint8-input=nhwc", "--range=-0.4242,2.8215", "--quiet"];
    let text = succeed(folder.path(), &[&words[..], &flags].concat());
    assert!(text.contains("1000 random images"), "{text}");
    let inspected = succeed(folder.path(), &["inspect", "other.onnx"]);
    assert!(inspected.contains("pixels.low"), "{inspected}");
}

#[test]
fn int8_of_weights_of_others_is_calibrated_in_their_range() {
    let (folder, _) = copy_of_small_run();
    let words = ["export", "run/model.safetensors", "--model", "small.toml", "--int8", "--out", "other.onnx"];
    for (flag, step) in [("--range=0,1", 1.0 / 255.0), ("--range=-0.5,1.5", 2.0 / 255.0)] {
        let data = ["--dataset", "synthetic", "--quiet", flag];
        succeed(folder.path(), &[&words[..], &data].concat());
        let file = fs::read(folder.path().join("other.onnx")).unwrap();
        assert!((input_scale(&file) - step).abs() < 1e-5, "{flag}: {}", input_scale(&file));
    }
}

/// The step between two bytes that the image becomes: its constant's name, tag and length, then the number.
fn input_scale(file: &[u8]) -> f32 {
    let name = b"image.scale\x4a\x04";
    let place = file.windows(name.len()).position(|bytes| bytes == name).unwrap() + name.len();
    f32::from_le_bytes(file[place..place + 4].try_into().unwrap())
}

#[test]
fn int8_tells_size_and_accuracy_before_and_after() {
    let (folder, _) = copy_of_small_run();
    let words = ["export", "run", "--int8", "--out", "int8.onnx"];
    let mut told = serde_json::Value::Null;
    for (flags, method) in [(&["--calibration", "entropy"][..], "entropy"), (&[], "min-max")] {
        told = json(&succeed(folder.path(), &[&words[..], flags, &["--json", "--quiet"]].concat()));
        let int8 = &told["int8"];
        assert_eq!(
            (&int8["calibration"], &int8["calibration_images"]),
            (&method.into(), &500.into()),
            "{told}"
        );
        assert_eq!(told["verified_images"], 10_000, "{told}");
        let number = |name: &str| int8[name].as_f64().unwrap();
        let lost = number("float_accuracy") - number("accuracy");
        assert!(lost.abs() < 0.02 && number("agreement") > 0.95, "{told}");
        assert!(told["bytes"].as_f64().unwrap() < 0.4 * number("float_bytes"), "{told}");
    }
    let test = json(&succeed(folder.path(), &["evaluate", "run", "--json", "--quiet"]));
    assert_eq!(told["int8"]["float_accuracy"], test["accuracy"]);
    let text = succeed(folder.path(), &words);
    assert!(
        text.contains("int8      ") && text.contains("instead of") && text.contains("10000 test images"),
        "{text}"
    );

    // A file has no training images of its own.
    let words = ["export", "run/model.safetensors", "--int8", "--out", "file.onnx", "--dataset", "synthetic"];
    let made = json(&succeed(folder.path(), &[&words[..], &["--json", "--quiet"]].concat()));
    assert_eq!(made["int8"], told["int8"]);
    assert!(
        fs::read(folder.path().join("file.onnx")).unwrap()
            == fs::read(folder.path().join("int8.onnx")).unwrap()
    );
}

#[test]
fn large_weights_go_into_a_file_of_their_own() {
    let (folder, _) = copy_of_small_run();
    let words = ["export", "run", "--external-data", "--out", "two.onnx", "--json", "--quiet"];
    let told = json(&succeed(folder.path(), &words));
    let [one, data] =
        ["two.onnx", "two.onnx.data"].map(|name| fs::metadata(folder.path().join(name)).unwrap().len());
    assert_eq!(
        (told["bytes"].as_u64(), told["profile"].as_str()),
        (Some(one + data), Some("onnxruntime")),
        "{told}"
    );
    assert!(told["not_portable"].as_str().unwrap().contains("external data"), "{told}");
    assert!(succeed(folder.path(), &["inspect", "two.onnx"]).contains("two.onnx.data"));

    // In int8 all weights are small.
    for (flag, is_noted) in [("--half-weights", false), ("--int8", true)] {
        let made = run(folder.path(), &["export", "run", "--external-data", flag, "--out", "one.onnx"]);
        assert!(made.status.success(), "{}", stderr(&made));
        assert_eq!(stderr(&made).contains("so there is one file"), is_noted, "{}", stderr(&made));
    }
}

#[cfg(unix)]
#[test]
fn external_data_need_a_name_that_can_be_written_down() {
    use std::os::unix::ffi::OsStrExt;

    let (folder, _) = copy_of_small_run();
    let name = std::ffi::OsStr::from_bytes(b"a\xff.onnx");
    let words = ["export", "run", "--external-data", "--out"];
    let made = crate::program::taper(folder.path()).args(words).arg(name).output().unwrap();
    assert_eq!(made.status.code(), Some(2), "{}", stderr(&made));
    assert!(stderr(&made).contains("UTF-8"), "{}", stderr(&made));
    assert!(!folder.path().join(name).exists());
}

#[test]
fn the_help_shows_every_profile() {
    let folder = tempfile::tempdir().unwrap();
    let help = succeed(folder.path(), &["export", "--help"]);
    for profile in taper::export::onnx::Profile::ALL {
        assert!(help.contains(&format!("- {}: ", profile.name())), "{profile}: {help}");
    }
}
