//! One process at a time writes into a run, and what one that was killed left is cleared away by the next.

use std::fs;
use std::path::Path;

use taper::data::Choice;
use taper::pipeline::{self, Observer, RunOptions};
use taper::train::Control;
use taper::{Config, Error, ModelConfig};

use crate::program::{copy_of_small_run, run, stderr, succeed};

/// Names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_a_killed_process_left_is_cleared_away() {
    for words in [&["report", "run"][..], &["evaluate", "run"], &["export", "run"]] {
        let (folder, run_folder) = copy_of_small_run();
        let before = names(&run_folder);
        // As `write_together` and `write_atomic` leave them.
        fs::create_dir(run_folder.join(".taper-Ab3xYz")).unwrap();
        fs::write(run_folder.join(".taper-Ab3xYz/0"), "half").unwrap();
        fs::write(run_folder.join(".taper-q9Kd2e.tmp"), "half").unwrap();
        succeed(folder.path(), words);
        assert_eq!(names(&run_folder), before, "{words:?}");
    }
}

/// Only where the folder itself is what is locked.
#[cfg(unix)]
#[test]
fn a_run_that_another_process_writes_to_is_left_alone() {
    let (folder, run_folder) = copy_of_small_run();
    let lock = fs::File::open(&run_folder).unwrap();
    lock.lock().unwrap();
    // A report that is being written by the process with the lock.
    fs::create_dir(run_folder.join(".taper-Ab3xYz")).unwrap();
    fs::copy(run_folder.join("model.safetensors"), folder.path().join("other.safetensors")).unwrap();
    for words in [
        &["report", "run"][..],
        &["evaluate", "run"],
        &["evaluate", "run", "--tta"],
        &["export", "run"],
        &["export", "run", "--softmax", "--out", "run/softmax.onnx"],
        &["export", "other.safetensors", "--out", "run/other.onnx"],
        &["compare", "run", "run", "--html", "run/compared.html"],
        &["reference", "run", "--out", "run/reference.safetensors"],
        &["train", "--dataset", "synthetic", "--limit", "400", "--out", "run"],
        &["pipeline", "--dataset", "synthetic", "--limit", "400", "--out", "run"],
    ] {
        let refused = run(folder.path(), words);
        assert_eq!(refused.status.code(), Some(1), "{words:?}: {}", stderr(&refused));
        assert!(stderr(&refused).contains("another process writes into run; wait"), "{}", stderr(&refused));
        assert!(run_folder.join(".taper-Ab3xYz").exists(), "{words:?}");
    }
    // A run may be read at any time.
    succeed(folder.path(), &["export", "run", "--softmax", "--out", "softmax.onnx"]);
    succeed(folder.path(), &["compare", "run", "run"]);
    // A run has saved nothing before its first checkpoint.
    let unfinished = folder.path().join("unfinished");
    fs::create_dir(&unfinished).unwrap();
    let other = fs::File::open(&unfinished).unwrap();
    other.lock().unwrap();
    let refused = run(folder.path(), &["export", "other.safetensors", "--out", "unfinished/other.onnx"]);
    assert!(stderr(&refused).contains("another process writes into unfinished;"), "{}", stderr(&refused));
    // Who shares it only looks, as a second export does.
    other.unlock().unwrap();
    other.lock_shared().unwrap();
    succeed(folder.path(), &["export", "run", "--out", "unfinished/other.onnx"]);
    drop(lock);
    succeed(folder.path(), &["report", "run"]);
}

#[test]
fn a_run_stays_locked_between_its_training_and_what_comes_next() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config { model: ModelConfig::from_name("lenet5").unwrap(), ..Config::default() };
    config.data.dataset = Choice::Synthetic;
    (config.data.limit, config.data.validation, config.train.epochs) = (Some(100), Some(100), 1);
    let mut options = RunOptions::default();
    options.out = Some(folder.path().join("run"));
    let mut observer = Observer { data: &mut |_| (), run: &mut |_| (), train: &mut |_| Control::Continue };
    let run = pipeline::train(&config, &options, &mut observer).unwrap();
    let again = run.folder.clone();
    assert!(matches!(again.lock(), Err(Error::Locked { .. })), "others may write before it is scored");
    pipeline::evaluate(&run.folder, &run.data).unwrap();
    drop(run);
    let _lock = again.lock().unwrap();
}
