//! `taper compare`: two runs that differ in known ways.

use std::fs;

use crate::program::{copy_of_small_run, json, run, small_run, stderr, succeed};

/// The small run, and another beside it, made of its copy: another seed, a better test score, no ONNX file.
fn two_runs() -> (tempfile::TempDir, [String; 2]) {
    let (folder, copy) = copy_of_small_run();
    let config = fs::read_to_string(copy.join("config.toml")).unwrap();
    assert!(config.contains("\nseed = 0\n"), "{config}");
    fs::write(copy.join("config.toml"), config.replace("\nseed = 0\n", "\nseed = 7\n")).unwrap();
    let mut metrics = json(&fs::read_to_string(copy.join("metrics.json")).unwrap());
    metrics["test"]["accuracy"] = 0.99875.into();
    metrics["train"]["threads"] = 64.into();
    fs::write(copy.join("metrics.json"), metrics.to_string()).unwrap();
    fs::remove_file(copy.join("model.onnx")).unwrap();
    let runs = [small_run().join("run"), copy].map(|path| path.display().to_string());
    (folder, runs)
}

#[test]
fn the_table_shows_what_differs_and_marks_the_best() {
    let (folder, [one, two]) = two_runs();
    let table = succeed(folder.path(), &["compare", &one, &two]);
    let line = |name: &str| {
        let found = table.lines().find(|line| line.starts_with(name));
        found.unwrap_or_else(|| panic!("no {name} in\n{table}")).split_whitespace().collect::<Vec<_>>()
    };
    assert_eq!(line("train.seed"), ["train.seed", "0", "7"]);
    assert_eq!(line("threads")[2], "64");
    assert_eq!(line("parameters"), ["parameters", "61,706", "61,706"]);
    assert!(
        table.contains("99.88 %*") && table.matches('*').count() == 2,
        "one is best, and a line says so: {table}"
    );
    assert_eq!(line("model.onnx").last(), Some(&"-"));
    // Both folders are called `run`, so that their paths tell them apart; settings that are the same are not told.
    assert!(table.contains(&one) && table.contains(&two) && !table.contains("train.batch_size"), "{table}");
}

#[test]
fn scores_on_other_images_and_seconds_of_other_epochs_have_no_best() {
    let (folder, [one, two]) = two_runs();
    let mut metrics = json(&fs::read_to_string(format!("{two}/metrics.json")).unwrap());
    metrics["dataset"]["sha256"] = "0".repeat(64).into();
    metrics["train"]["epochs"] = 7.into();
    metrics["train"]["seconds"] = 1e6.into();
    metrics["train"]["images_per_second"] = json(&fs::read_to_string(format!("{one}/metrics.json")).unwrap())
        ["train"]["images_per_second"]
        .clone();
    fs::write(format!("{two}/metrics.json"), metrics.to_string()).unwrap();
    let table = succeed(folder.path(), &["compare", &one, &two]);
    assert!(table.contains("99.88 %") && table.contains("1000000.0") && !table.contains('*'), "{table}");
    assert_eq!(json(&succeed(folder.path(), &["compare", &one, &two, "--json"]))["same_data"], false);
}

#[test]
fn the_json_has_the_numbers_of_the_runs() {
    let (folder, [one, two]) = two_runs();
    let comparison = json(&succeed(folder.path(), &["compare", &one, &two, "--json"]));
    let differing: Vec<&str> =
        comparison["differing"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(differing, ["threads", "train.seed"]);
    for (run, folder) in comparison["runs"].as_array().unwrap().iter().zip([&one, &two]) {
        let metrics = json(&fs::read_to_string(format!("{folder}/metrics.json")).unwrap());
        assert_eq!(run["run"], **folder);
        assert_eq!(run["test_accuracy"], metrics["test"]["accuracy"]);
        assert_eq!(run["validation_loss"], metrics["train"]["validation_loss"]);
        assert_eq!(run["images_per_second"], metrics["train"]["images_per_second"]);
        let bytes = fs::metadata(format!("{folder}/model.safetensors")).unwrap().len();
        assert_eq!(run["safetensors_bytes"], bytes);
    }
    assert!(comparison["runs"][1]["onnx_bytes"].is_null());
}

#[test]
fn what_is_no_run_is_refused() {
    let (folder, [one, _]) = two_runs();
    assert_eq!(run(folder.path(), &["compare", &one]).status.code(), Some(2));
    let refused = run(folder.path(), &["compare", &one, "nowhere"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("nowhere holds no finished run"), "{}", stderr(&refused));
}

#[test]
fn the_page_has_the_table_and_the_curves() {
    let (folder, [one, two]) = two_runs();
    let page = folder.path().join("compare.html");
    let words = ["compare", &one, &two, "--html", "compare.html", "--json"];
    assert!(json(&succeed(folder.path(), &words))["runs"].is_array());
    let text = fs::read_to_string(&page).unwrap();
    assert_eq!(text.matches("<svg").count(), 4);
    assert!(text.contains("99.88 % *") && text.contains("train.seed"), "{text}");

    // The table is shown, and the error names the line.
    let history = format!("{two}/history.csv");
    let damaged = fs::read_to_string(&history).unwrap().replacen("1,2,", "1,two,", 1);
    fs::write(&history, damaged).unwrap();
    let refused = run(folder.path(), &words[..5]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("history.csv") && stderr(&refused).contains("line 3"),
        "{}",
        stderr(&refused)
    );
    assert_eq!(fs::read_to_string(&page).unwrap(), text);
}
