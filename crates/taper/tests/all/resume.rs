//! Runs that are killed, and gone on with.
#![cfg(unix)]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::program::{json, run, stderr, succeed, taper, write_network};

/// A run of so many epochs with many checkpoints.
fn words<'a>(model: &'a str, epochs: &'a str, extra: &[&'a str]) -> Vec<&'a str> {
    let data = ["pipeline", "--dataset", "synthetic", "--limit", "6000"];
    let own = ["--checkpoint-every", "7", "--keep-checkpoints", "2", "--model", model, "--epochs", epochs];
    // The recipe has a schedule, and changes the images at random; the average of the weights is one more thing to keep.
    let recipe = ["--recipe", "best", "--ema-decay", "0.99"];
    data.into_iter().chain(own).chain(recipe).chain(extra.iter().copied()).collect()
}

/// Starts a program and kills it after a while; whether it had ended by itself.
fn killed(folder: &Path, words: &[&str], after: Duration) -> bool {
    let mut child = taper(folder).args(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(after);
    let ended = child.try_wait().unwrap().is_some();
    // SIGKILL: nothing is saved or cleaned up.
    child.kill().unwrap();
    child.wait().unwrap();
    ended
}

/// All that a run leaves that must not depend on how often it was interrupted.
fn results(run: &Path) -> Vec<Vec<u8>> {
    let mut metrics = json(&fs::read_to_string(run.join("metrics.json")).unwrap());
    for varying in ["seconds", "images_per_second", "threads", "per_epoch"] {
        metrics["train"].as_object_mut().unwrap().remove(varying).unwrap();
    }
    let files = ["model.safetensors", "model.onnx", "history.csv", "events.out.tfevents.taper", "README.md"];
    let files = files.iter().map(|file| fs::read(run.join(file)).unwrap());
    files.chain([serde_json::to_vec(&metrics).unwrap()]).collect()
}

fn names(folder: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn a_run_that_is_killed_again_and_again_ends_with_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    write_network(folder.path());
    let words = |extra: &[&'static str]| words("small.toml", "2", extra);
    succeed(folder.path(), &words(&["--out", "whole", "--quiet"]));
    let mut kills = 0;
    for after in [200, 700, 450, 1100, 350, 900, 1600, 800].map(Duration::from_millis) {
        let threads = ["1", "2", "3"][kills % 3];
        let words = words(&["--out", "killed", "--resume", "--threads", threads]);
        kills += usize::from(!killed(folder.path(), &words, after));
    }
    assert!(kills > 2, "it was over before it could be killed");
    succeed(folder.path(), &words(&["--out", "killed", "--resume", "--quiet"]));
    assert!(results(&folder.path().join("killed")) == results(&folder.path().join("whole")));
    assert_eq!(
        names(&folder.path().join("killed")),
        names(&folder.path().join("whole")),
        "nothing is left behind"
    );

    let before = results(&folder.path().join("killed"));
    let again = taper(folder.path()).args(words(&["--out", "killed", "--resume"])).output().unwrap();
    assert!(again.status.success() && stderr(&again).contains("is finished"), "{}", stderr(&again));
    assert!(results(&folder.path().join("killed")) == before);

    let other = words(&["--out", "killed", "--resume", "--seed", "1"]);
    let refused = run(folder.path(), &other);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        stderr(&refused).contains("killed holds a finished run whose `train.seed` was 0, and 1 is asked")
    );
    assert!(results(&folder.path().join("killed")) == before);
}

#[test]
fn an_unfinished_run_is_not_gone_on_with_under_other_settings() {
    let folder = tempfile::tempdir().unwrap();
    let words =
        |model, epochs, extra: &[&'static str]| words(model, epochs, &[&["--out", "run"], extra].concat());
    let checkpoints = folder.path().join("run/checkpoints");
    let mut child =
        taper(folder.path()).args(words("tutorial", "1000", &[])).stderr(Stdio::null()).spawn().unwrap();
    let is_there = |mut files: fs::ReadDir| files.any(|file| file.unwrap().path().extension().is_some());
    while !fs::read_dir(&checkpoints).is_ok_and(is_there) {
        std::thread::sleep(Duration::from_millis(20));
    }
    let locked = run(folder.path(), &words("tutorial", "1000", &[]));
    assert_eq!(locked.status.code(), Some(1));
    assert!(stderr(&locked).contains("another process writes into run"), "{}", stderr(&locked));
    child.kill().unwrap();
    child.wait().unwrap();

    for (other, name) in [
        (words("tutorial", "999", &[]), "train.epochs"),
        (words("tutorial", "1000", &["--seed", "5"]), "train.seed"),
        (words("tutorial", "1000", &["--label-smoothing", "0.1"]), "train.label_smoothing"),
        (words("lenet5", "1000", &[]), "model.preset"),
    ] {
        let refused = run(folder.path(), &other);
        assert_eq!(refused.status.code(), Some(1), "{name}");
        assert!(stderr(&refused).contains(&format!("`{name}` was")), "{}", stderr(&refused));
    }
    assert!(fs::read_dir(&checkpoints).unwrap().next().is_some(), "a refusal loses nothing");

    // Killed while its results were moved into their places, it is still a run of Taper's, which another may replace, even
    // if that one ends before it has left anything.
    for name in ["model.safetensors", "model.onnx", "README.md"] {
        fs::write(folder.path().join("run").join(name), "of the run that was killed").unwrap();
    }
    let refused = run(folder.path(), &words("lenet5", "1", &[]));
    assert!(stderr(&refused).contains("`model.preset` was"), "{}", stderr(&refused));
    let anew = ["train", "--dataset", "synthetic", "--limit", "100", "--model", "lenet5", "--epochs", "1"];
    let diverging = run(folder.path(), &[&anew[..], &["--out", "run", "--lr", "1e30"]].concat());
    let said = stderr(&diverging);
    assert!(
        said.contains("at step 1 of epoch 1 (learning rate 1000") && said.contains("has diverged"),
        "{said}"
    );
    assert!(!said.contains("the last checkpoint"), "there is none: {said}");
    assert!(!folder.path().join("run/README.md").exists() && !folder.path().join("run/model.onnx").exists());
    succeed(folder.path(), &[&anew[..], &["--out", "run"]].concat());
    assert!(!checkpoints.exists());
}

#[test]
fn a_run_that_diverges_names_the_step_the_rate_and_the_checkpoint_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let settings = ["--dataset", "synthetic", "--limit", "300", "--model", "lenet5", "--epochs", "1"];
    let words =
        [&["train", "--out", "run", "--checkpoint-every", "1", "--lr", "1e30"], &settings[..]].concat();
    let diverged = run(folder.path(), &words);
    let said = stderr(&diverged);
    assert_eq!(diverged.status.code(), Some(1), "{said}");
    assert!(said.contains("at step 2 of epoch 1 (learning rate 1000"), "{said}");
    let named = said.split("the last checkpoint before it is ").nth(1).unwrap_or_else(|| panic!("{said}"));
    let checkpoint = folder.path().join(named.lines().next().unwrap());
    assert!(checkpoint.is_file() && named.contains("step-0000000001-"), "{said}");
}

#[test]
fn a_trained_run_that_was_not_scored_is_not_trained_again() {
    let folder = tempfile::tempdir().unwrap();
    write_network(folder.path());
    let settings = ["--dataset", "synthetic", "--limit", "400", "--model", "small.toml", "--epochs", "1"];
    let words = |word, seed| [&[word, "--out", "run", "--seed", seed][..], &settings].concat();
    let metrics = || json(&fs::read_to_string(folder.path().join("run/metrics.json")).unwrap());
    succeed(folder.path(), &words("train", "3"));
    let trained = metrics();
    assert!(trained.get("test").is_none());
    succeed(folder.path(), &words("pipeline", "3"));
    // The seconds are those of the one training there was.
    assert_eq!(metrics()["train"], trained["train"]);
    assert!(metrics()["test"].is_object() && metrics()["export"].is_object());
    succeed(folder.path(), &words("train", "3"));
    succeed(folder.path(), &words("pipeline", "4"));
    assert_eq!(metrics()["train"]["seed"], 4);
}
