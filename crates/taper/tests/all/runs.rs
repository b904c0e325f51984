//! Whole runs: what they leave, that they repeat, that they can be stopped.

use std::fs;

use crate::program::{SMALL, copy_of_small_run, json, run, small_run, stderr, succeed, taper};

#[test]
fn a_pipeline_leaves_the_whole_run() {
    let run = small_run().join("run");
    let mut files: Vec<String> =
        fs::read_dir(&run).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(
        files,
        [
            "README.md",
            "config.toml",
            "events.out.tfevents.taper",
            "history.csv",
            "metrics.json",
            "model.onnx",
            "model.safetensors",
            "plots",
            "report.html"
        ]
    );

    let metrics = json(&fs::read_to_string(run.join("metrics.json")).unwrap());
    let present = [
        "/dataset/name",
        "/dataset/source",
        "/dataset/sha256",
        "/dataset/train",
        "/dataset/validation",
        "/dataset/test",
        "/model/name",
        "/model/parameters",
        "/train/epochs",
        "/train/seconds",
        "/train/images_per_second",
        "/train/seed",
        "/train/threads",
        "/test/accuracy",
        "/test/loss",
        "/test/top2_accuracy",
        "/test/ece",
        "/test/confusion_matrix/9/9",
        "/test/per_class/9/f1",
        "/export/opset",
        "/export/max_abs_diff",
        "/export/verified_images",
    ];
    let missing: Vec<&str> = present.into_iter().filter(|path| metrics.pointer(path).is_none()).collect();
    assert!(missing.is_empty(), "metrics.json lacks {missing:?}");
    let number = |path: &str| metrics.pointer(path).unwrap().as_f64().unwrap();
    assert_eq!(metrics["dataset"]["name"], "synthetic");
    assert_eq!(
        [number("/dataset/train"), number("/dataset/validation"), number("/dataset/test")],
        [6000.0, 5000.0, 10000.0]
    );
    assert_eq!([number("/export/opset"), number("/export/verified_images")], [17.0, 1000.0]);
    assert!(number("/export/max_abs_diff") <= 1e-4);
    assert!(number("/test/accuracy") > 0.6, "two short epochs teach it: {}", number("/test/accuracy"));

    let card = fs::read_to_string(run.join("README.md")).unwrap();
    assert!(card.contains("synthetic"), "the model card must name the data");
    assert!(!fs::read_to_string(run.join("history.csv")).unwrap().contains("second"), "no timings");
}

#[test]
fn the_same_configuration_gives_the_same_bytes_on_any_number_of_threads() {
    let first = small_run().join("run");
    let folder = tempfile::tempdir().unwrap();
    let config = first.join("config.toml").display().to_string();
    for threads in ["1", "3"] {
        let words = ["pipeline", "--config", &config, "--threads", threads, "--out", threads, "--quiet"];
        succeed(folder.path(), &words);
        for file in
            ["model.safetensors", "model.onnx", "history.csv", "events.out.tfevents.taper", "README.md"]
        {
            let again = fs::read(folder.path().join(threads).join(file)).unwrap();
            assert!(fs::read(first.join(file)).unwrap() == again, "{file} differs on {threads} threads");
        }
    }
}

#[test]
fn evaluate_and_export_repeat_what_the_pipeline_wrote() {
    let (folder, run) = copy_of_small_run();
    let before = fs::read(run.join("metrics.json")).unwrap();
    let scores = json(&succeed(folder.path(), &["evaluate", "run", "--json", "--quiet"]));
    assert_eq!(scores, json(std::str::from_utf8(&before).unwrap())["test"]);
    let exported = json(&succeed(folder.path(), &["export", "run", "--out", "other.onnx", "--json"]));
    assert_eq!(exported["verified_images"], 1000);
    assert!(fs::read(folder.path().join("other.onnx")).unwrap() == fs::read(run.join("model.onnx")).unwrap());
    assert!(fs::read(run.join("metrics.json")).unwrap() == before, "metrics.json changed");
}

#[test]
fn the_weights_of_a_file_are_exported_without_a_run() {
    let (folder, run_folder) = copy_of_small_run();
    let weights = folder.path().join("weights.safetensors");
    fs::copy(run_folder.join("model.safetensors"), &weights).unwrap();
    let exported =
        json(&succeed(folder.path(), &["export", "weights.safetensors", "--out", "own.onnx", "--json"]));
    assert_eq!(exported["verified_images"], 1000);
    let file = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert!(file("own.onnx") == file("run/model.onnx"), "the network and its metadata are those of the run");

    // As a file from elsewhere: the network is given, and has another name for one of its layers.
    let network = fs::read_to_string(folder.path().join("small.toml")).unwrap();
    fs::write(folder.path().join("other.toml"), network.replace("\"conv1\"", "\"stem.0\"")).unwrap();
    let words = ["export", "weights.safetensors", "--model", "other.toml", "--rename", "conv1=stem.0"];
    let text = succeed(folder.path(), &[&words[..], &["--out", "other.onnx"]].concat());
    assert!(
        text.contains("other.onnx\n          opset 17, profile portable, verified in rten")
            && text.contains("1000 random images"),
        "{text}"
    );
    let inspected = json(&succeed(folder.path(), &["inspect", "other.onnx", "--json"]));
    assert_eq!(inspected["nodes"][0]["name"], "stem.0");
    assert_eq!(inspected["metadata"].as_array().unwrap().len(), 0);
}

#[test]
fn train_replaces_an_earlier_run_whole_and_leaves_other_files_alone() {
    let (folder, run) = copy_of_small_run();
    fs::write(run.join("notes.txt"), "mine").unwrap();
    succeed(folder.path(), &[&["train", "--out", "run", "--seed", "1"], &SMALL[..]].concat());
    for added in ["model.onnx", "report.html", "plots"] {
        assert!(!run.join(added).exists(), "{added} of the earlier run is left");
    }
    assert_eq!(fs::read_to_string(run.join("notes.txt")).unwrap(), "mine");
    let metrics = json(&fs::read_to_string(run.join("metrics.json")).unwrap());
    assert!(metrics.get("test").is_none() && metrics["train"]["seed"] == 1);
}

#[test]
fn files_that_are_no_run_are_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("README.md"), "mine").unwrap();
    let output = run(folder.path(), &["train", "--dataset", "synthetic", "--out", "."]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("README.md is in the way"), "{}", stderr(&output));
    assert_eq!(fs::read_to_string(folder.path().join("README.md")).unwrap(), "mine");

    let (folder, run_folder) = copy_of_small_run();
    let before = fs::read(run_folder.join("model.safetensors")).unwrap();
    let output = run(folder.path(), &["export", "run", "--out", "./run/model.safetensors"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("belongs to the run"), "{}", stderr(&output));
    assert!(fs::read(run_folder.join("model.safetensors")).unwrap() == before);
}

#[test]
fn a_run_that_cannot_be_written_leaves_the_earlier_one_as_it_was() {
    let (folder, run_folder) = copy_of_small_run();
    // A folder in the place of a file cannot be replaced by it.
    fs::remove_file(run_folder.join("model.onnx")).unwrap();
    fs::create_dir(run_folder.join("model.onnx")).unwrap();
    let names = ["model.safetensors", "history.csv", "config.toml"];
    let before = names.map(|name| fs::read(run_folder.join(name)).unwrap());
    let output = run(folder.path(), &[&["train", "--out", "run", "--seed", "1"], &SMALL[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("model.onnx"), "{}", stderr(&output));
    assert!(names.map(|name| fs::read(run_folder.join(name)).unwrap()) == before);
}

#[test]
fn download_does_not_pass_drawn_digits_off_as_mnist() {
    let folder = tempfile::tempdir().unwrap();
    let output = run(folder.path(), &["download"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
    assert!(succeed(folder.path(), &["download", "--dataset", "synthetic"]).contains("60000 training"));
}

#[test]
fn auto_falls_back_loudly_and_mnist_insists() {
    let folder = tempfile::tempdir().unwrap();
    let words = ["--model", "lenet5", "--limit", "100", "--epochs", "1"];
    let output = run(folder.path(), &[&["train", "--quiet"], &words[..]].concat());
    assert!(output.status.success());
    let said = stderr(&output);
    assert_eq!(said.matches("SYNTHETIC").count(), 2, "at the start and at the end: {said}");
    let metrics = fs::read_to_string(folder.path().join("runs/synthetic-lenet5/metrics.json")).unwrap();
    assert!(json(&metrics)["dataset"]["fallback"].is_string());
    // The configuration names what was used, so that it repeats the run.
    let config = fs::read_to_string(folder.path().join("runs/synthetic-lenet5/config.toml")).unwrap();
    assert!(config.contains("dataset = \"synthetic\""), "{config}");

    let output = run(folder.path(), &[&["train", "--dataset", "mnist"], &words[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("127.0.0.1:9"), "{}", stderr(&output));
}

/// Twenty digits as people draw them: large, dark on light paper, and not in the middle.
fn pictures(folder: &std::path::Path, ink: fn(u8) -> u8) -> Vec<String> {
    let digits = taper::data::synthetic::digits(20, 7, taper::data::synthetic::Part::Test);
    let picture = |index: usize| {
        let pixels = digits.images.image(index).unwrap().iter().map(|&pixel| ink(pixel)).collect();
        let small = image::GrayImage::from_raw(28, 28, pixels).unwrap();
        let large = image::imageops::resize(&small, 84, 84, image::imageops::FilterType::Triangle);
        let mut paper = image::GrayImage::from_pixel(130, 110, image::Luma([ink(0)]));
        image::imageops::replace(&mut paper, &large, 40, 5);
        let path = folder.join(format!("{}-{index}.png", digits.labels[index]));
        paper.save(&path).unwrap();
        path.display().to_string()
    };
    (0..20).map(picture).collect()
}

#[test]
fn predict_names_the_digits_of_pictures_dark_or_light() {
    let folder = tempfile::tempdir().unwrap();
    let run_folder = small_run().join("run").display().to_string();
    let classes = |ink: fn(u8) -> u8| -> Vec<String> {
        let pictures = pictures(folder.path(), ink);
        let mut words = vec!["predict", "--run", &run_folder, "--json"];
        words.extend(pictures.iter().map(String::as_str));
        let predictions = json(&succeed(folder.path(), &words));
        let predictions = predictions.as_array().unwrap();
        for prediction in predictions {
            let probabilities = prediction["probabilities"].as_array().unwrap();
            let sum: f64 = probabilities.iter().map(|p| p[1].as_f64().unwrap()).sum();
            assert!(probabilities.len() == 10 && (sum - 1.0).abs() < 1e-9, "{prediction}");
            let rows = prediction["pixels"].as_array().unwrap();
            let rows: Vec<&str> = rows.iter().map(|row| row.as_str().unwrap()).collect();
            assert!(rows.len() == 28 && rows.iter().all(|row| row.len() == 2 * 28), "{rows:?}");
            assert!(rows.concat().contains("ff") && rows.concat().contains("00"), "{rows:?}");
        }
        let name = |prediction: &serde_json::Value| prediction["class"].as_str().unwrap().to_owned();
        predictions.iter().map(name).collect()
    };
    let (dark, light) = (classes(|pixel| 255 - pixel), classes(|pixel| pixel));
    assert_eq!(dark, light);
    let digits = taper::data::synthetic::digits(20, 7, taper::data::synthetic::Part::Test);
    let right = dark.iter().zip(&digits.labels).filter(|(class, label)| **class == label.to_string()).count();
    assert!(right >= 12, "{right} of 20 right: {dark:?}");

    let first = pictures(folder.path(), |pixel| pixel).remove(0);
    let text = succeed(folder.path(), &["predict", "--run", &run_folder, &first]);
    let lines: Vec<&str> = text.lines().collect();
    // A line with the name, 14 of two rows of pixels each, and an empty one; no terminal, so no colours.
    assert!(lines.len() == 16 && lines[0].contains("-0.png: ") && text.is_ascii(), "{text}");
    assert!(lines.iter().filter(|line| line.contains(" %")).count() == 3 && text.contains('@'), "{text}");
    assert!(lines[1..].iter().all(|line| line.len() < 80), "{text}");
    let quiet = succeed(folder.path(), &["predict", "--run", &run_folder, &first, "--quiet"]);
    assert!(
        quiet.contains("-0.png: ") && quiet.lines().count() == 1 && quiet.matches('%').count() == 3,
        "{quiet}"
    );
}

#[test]
fn summary_and_inspect_say_what_a_network_is() {
    let folder = small_run();
    let summary = succeed(folder, &["summary"]);
    assert!(summary.contains("layer3.2") && summary.contains("1,379,557"), "{summary}");
    let text = succeed(folder, &["summary", "--model", "residual", "--toml"]);
    fs::write(folder.join("mine.toml"), text).unwrap();
    assert!(succeed(folder, &["summary", "--model", "mine.toml"]).contains("block2.add"));
    assert_eq!(json(&succeed(folder, &["summary", "--json"]))["multiply_adds"], 8_737_386);
    let inspection = succeed(folder, &["inspect", "run/model.onnx"]);
    assert!(inspection.contains("MaxPool") && inspection.contains("dataset_sha256"), "{inspection}");
    assert_eq!(json(&succeed(folder, &["inspect", "run/model.onnx", "--json"]))["ir_version"], 8);
}

/// Starts a long run into `run`, stops it in its first epoch, and gives the exit code.
#[cfg(unix)]
fn stopped_run(folder: &std::path::Path) -> Option<i32> {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};
    let mut child = taper(folder)
        .args(["pipeline", "--dataset", "synthetic", "--epochs", "1000", "--out", "run"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("training:")), "it never began");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    lines.for_each(drop);
    child.wait().unwrap().code()
}

#[cfg(unix)]
#[test]
fn ctrl_c_saves_and_exits_130() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(stopped_run(folder.path()), Some(130));
    let run = folder.path().join("run");
    let metrics = json(&fs::read_to_string(run.join("metrics.json")).unwrap());
    assert_eq!(metrics["train"]["interrupted"], true);
    assert!(run.join("model.safetensors").exists() && !run.join("model.onnx").exists());
    // Those that TensorBoard watched are up to date.
    let [events, live] = ["", "checkpoints/"]
        .map(|folder| fs::read(run.join(format!("{folder}events.out.tfevents.taper"))).unwrap());
    assert!(events == live && !events.is_empty());
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_does_not_replace_a_whole_one() {
    let (folder, run) = copy_of_small_run();
    let before = fs::read(run.join("model.safetensors")).unwrap();
    assert_eq!(stopped_run(folder.path()), Some(130));
    assert!(fs::read(run.join("model.safetensors")).unwrap() == before && run.join("model.onnx").exists());
    assert!(folder.path().join("run-interrupted/model.safetensors").exists());
}
