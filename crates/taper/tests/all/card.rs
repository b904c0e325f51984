//! The licence of a run, from the configuration into the model card.

use std::fs;

use crate::program::{SMALL, copy_of_small_run, run, stderr, succeed};

#[test]
fn the_licence_is_told_in_the_card() {
    let (folder, run_folder) = copy_of_small_run();
    let card = || fs::read_to_string(run_folder.join("README.md")).unwrap();
    assert!(!card().contains("\nlicense: ") && card().contains("say which licence"));
    // As the card tells to do.
    let config = fs::read_to_string(run_folder.join("config.toml")).unwrap();
    fs::write(run_folder.join("config.toml"), format!("license = \"cc-by-4.0\"\n{config}")).unwrap();
    succeed(folder.path(), &["evaluate", "run", "--quiet"]);
    assert!(card().starts_with("---\nlicense: \"cc-by-4.0\"\n"), "{}", card());
    assert!(card().trim_end().ends_with("-->") && card().contains("    hf upload USER/NAME . . --exclude"));

    let resumed = |extra: &[&str]| {
        run(folder.path(), &[&["train", "--out", "run", "--resume"], &SMALL[..], extra].concat())
    };
    let again = resumed(&[]);
    assert!(again.status.success() && stderr(&again).contains("is finished"), "{}", stderr(&again));
    // What is asked for is not dropped without a word.
    let other = resumed(&["--license", "mit"]);
    assert_eq!(other.status.code(), Some(1));
    assert!(
        stderr(&other).contains("whose `license` was \"cc-by-4.0\", and \"mit\" is asked"),
        "{}",
        stderr(&other)
    );
}

#[test]
fn what_is_no_licence_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let flag = run(folder.path(), &["train", "--dataset", "synthetic", "--license", "MIT License"]);
    assert_eq!(flag.status.code(), Some(2));
    fs::write(folder.path().join("mine.toml"), "license = \"\"\n").unwrap();
    let file = run(folder.path(), &["train", "--config", "mine.toml"]);
    assert_eq!(file.status.code(), Some(1));
    for said in [flag, file].map(|output| stderr(&output)) {
        assert!(said.contains("such as mit, apache-2.0 or cc-by-4.0"), "{said}");
    }
}
