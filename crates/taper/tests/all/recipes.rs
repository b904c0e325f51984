//! Settings by name, the search for a learning rate, scores on shifted images, plain Rust.

use std::fs;

use taper::train::{Optimizer, Recipe};
use taper::{Config, Metrics};

use crate::program::{copy_of_small_run, json, run, stderr, succeed, write_network};

#[test]
fn a_recipe_is_written_down_whole_and_flags_change_it() {
    let folder = tempfile::tempdir().unwrap();
    write_network(folder.path());
    let data = ["--dataset", "synthetic", "--model", "small.toml", "--limit", "200"];
    let flags = ["--epochs", "1", "--weight-decay", "0.05", "--rotation", "4", "--clip-norm", "2"];
    let words = [&["train", "--out", "run", "--recipe", "best"][..], &data, &flags].concat();
    succeed(folder.path(), &words);
    let written = Config::read(&folder.path().join("run/config.toml")).unwrap();
    let mut expected = Recipe::Best.config();
    expected.epochs = 1;
    expected.optimizer = Optimizer::adamw().with_weight_decay(0.05);
    expected.augment.rotation = 4.0;
    expected.clip_norm = Some(2.0);
    assert_eq!(written.train, expected);
    // The model card tells of all that is on.
    succeed(folder.path(), &["evaluate", "run"]);
    let card = fs::read_to_string(folder.path().join("run/README.md")).unwrap();
    let told =
        ["weight decay", "0.05", "random rotation", "4°", "elastic distortion", "clipped to norm", "warm-up"];
    for words in told {
        assert!(card.contains(words), "{words}: {card}");
    }
    assert!(!card.contains("cutout") && !card.contains("moving average"), "{card}");
    // The file repeats the run.
    let words = ["train", "--out", "again", "--config", "run/config.toml"];
    succeed(folder.path(), &words);
    succeed(folder.path(), &["evaluate", "again"]);
    let weights = |run: &str| fs::read(folder.path().join(run).join("model.safetensors")).unwrap();
    assert!(weights("again") == weights("run"));
}

#[test]
fn plain_rust_is_another_instruction_set_and_its_bits_are_its_own() {
    let folder = tempfile::tempdir().unwrap();
    write_network(folder.path());
    let words = |out, extra: &[&'static str]| {
        let data = ["--dataset", "synthetic", "--model", "small.toml", "--limit", "300", "--epochs", "1"];
        [&["train", "--out", out][..], &data, extra].concat()
    };
    succeed(folder.path(), &words("plain", &["--deterministic-portable"]));
    let program = crate::program::taper(folder.path())
        .env("TAPER_ISA", "portable")
        .args(words("forced", &["--threads", "1"]))
        .output()
        .unwrap();
    assert!(program.status.success(), "{}", stderr(&program));
    let file = |run: &str, name| fs::read(folder.path().join(run).join(name)).unwrap();
    let metrics = |run| json(&String::from_utf8(file(run, "metrics.json")).unwrap());
    // What is written down repeats it, without the flag.
    succeed(folder.path(), &["train", "--out", "again", "--config", "plain/config.toml"]);
    succeed(folder.path(), &["evaluate", "again"]);
    assert!(file("again", "history.csv") == file("plain", "history.csv"));
    for run in ["plain", "forced", "again"] {
        assert_eq!(metrics(run)["train"]["instruction_set"], "portable");
    }
    for name in ["model.safetensors", "history.csv"] {
        assert!(file("plain", name) == file("forced", name), "{name}");
    }
}

#[test]
fn a_learning_rate_is_suggested_with_its_curve() {
    let folder = tempfile::tempdir().unwrap();
    write_network(folder.path());
    let data = ["--dataset", "synthetic", "--model", "small.toml", "--limit", "2000"];
    let words = [&["lr-find", "--steps", "60", "--to", "10", "--out", "curve.csv"][..], &data].concat();
    let text = succeed(folder.path(), &words);
    let found = json(&succeed(folder.path(), &[&words[..], &["--json"]].concat()));
    let suggestion = found["suggestion"].as_f64().unwrap();
    assert!((1e-5..1.0).contains(&suggestion), "{suggestion}");
    assert!(text.contains(&format!("suggestion: --lr {suggestion:.2e}")), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("<- suggested")).count(), 1, "{text}");
    let csv = fs::read_to_string(folder.path().join("curve.csv")).unwrap();
    let points = found["points"].as_array().unwrap();
    assert_eq!(csv.lines().count(), points.len() + 1);
    assert_eq!(csv.lines().next(), Some("learning_rate,loss,smoothed"));
    let refused = run(folder.path(), &[&words[..], &["--from", "11"]].concat());
    assert_eq!(refused.status.code(), Some(1));
    assert!(stderr(&refused).contains("to is 10; it must be"), "{}", stderr(&refused));
}

#[test]
fn scores_on_shifted_images_are_told_apart() {
    let (folder, path) = copy_of_small_run();
    let metrics = || -> Metrics {
        serde_json::from_str(&fs::read_to_string(path.join("metrics.json")).unwrap()).unwrap()
    };
    let before = metrics();
    assert_eq!(before.test_shifted, None);
    let text = succeed(folder.path(), &["evaluate", "run", "--tta"]);
    let after = metrics();
    assert_eq!(after.test, before.test);
    let shifted = after.test_shifted.unwrap();
    assert_eq!(shifted.images, after.test.unwrap().images);
    assert!(text.contains(&format!("shifted   accuracy {:.2} %", 100.0 * shifted.accuracy)), "{text}");
    // The same weights, scored again, keep it; the score of other weights does not stand beside it.
    succeed(folder.path(), &["evaluate", "run"]);
    assert_eq!(metrics().test_shifted, Some(shifted));
    let mut other = json(&fs::read_to_string(path.join("metrics.json")).unwrap());
    other["test"]["loss"] = 0.5.into();
    fs::write(path.join("metrics.json"), other.to_string()).unwrap();
    succeed(folder.path(), &["evaluate", "run"]);
    assert_eq!(metrics().test, before.test);
    assert_eq!(metrics().test_shifted, None);
}

#[test]
fn the_help_puts_only_what_changes_images_under_that_heading() {
    let folder = tempfile::tempdir().unwrap();
    for word in ["train", "pipeline", "lr-find"] {
        let help = succeed(folder.path(), &[word, "--help"]);
        let (before, rest) = help.split_once("Random changes to training images:").unwrap();
        let (changes, _) = rest.split_once("Examples:").unwrap();
        assert!(changes.contains("--shift") && changes.contains("--cutout"), "{help}");
        for flag in ["--seed", "--threads", "--out", "--recipe"] {
            assert!(before.contains(flag) && !changes.contains(flag), "{word}: {flag}: {help}");
        }
    }
}
