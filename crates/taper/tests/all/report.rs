//! The report of real runs, small ones, and of damaged ones.

use std::fs;
use std::path::Path;

use taper::export::{Metadata, safetensors};
use taper::graph::{Graph, Linear, Op};
use taper::model::Model;

use crate::program::{copy_of_small_run, run, small_run, stderr, succeed};

/// The ids of a page's sections.
fn sections(page: &str) -> Vec<&str> {
    page.split("<section id=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect()
}

fn page(run: &Path) -> String {
    fs::read_to_string(run.join("report.html")).unwrap()
}

#[test]
fn a_pipeline_leaves_a_report_with_every_section() {
    let run = small_run().join("run");
    let page = page(&run);
    let expected = [
        "training",
        "classes",
        "confusion",
        "calibration",
        "results",
        "mistakes",
        "inside",
        "network",
        "settings",
        "use",
    ];
    assert_eq!(sections(&page), expected);
    assert!(page.len() < 3_000_000, "{} bytes", page.len());
    let metrics: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(run.join("metrics.json")).unwrap()).unwrap();
    let accuracy = format!("{:.2} %", 100.0 * metrics["test"]["accuracy"].as_f64().unwrap());
    assert!(page.contains(&accuracy), "{accuracy} is not in the report");
    assert!(page.contains(metrics["dataset"]["sha256"].as_str().unwrap()));
    assert!(page.contains("never seen MNIST"));
    assert!(!page.contains(&*small_run().to_string_lossy()), "a path of this machine is in the report");
    // Twenty that are right; twelve that are not, each explained twice.
    assert_eq!(page.matches("alt=\"Test image ").count(), 20 + 12);
    assert_eq!(page.matches("bright where it speaks for").count(), 2 * 12);
    for plot in ["loss", "accuracy", "confusion", "reliability", "mistakes", "features-2", "network"] {
        for ending in ["svg", "png"] {
            let path = run.join("plots").join(format!("{plot}.{ending}"));
            assert!(path.metadata().is_ok_and(|file| file.len() > 500), "{} is missing", path.display());
        }
    }
}

#[test]
fn the_same_run_gives_the_same_report() {
    let (folder, run) = copy_of_small_run();
    fs::remove_file(run.join("report.html")).unwrap();
    fs::remove_dir_all(run.join("plots")).unwrap();
    let told = succeed(folder.path(), &["report", "run", "--threads", "1"]);
    assert!(told.contains("report.html"), "{told}");
    assert!(page(&run) == page(&small_run().join("run")), "report.html differs");
    for file in fs::read_dir(small_run().join("run/plots")).unwrap() {
        let name = file.unwrap().file_name();
        let [was, is] = [small_run().join("run"), run.clone()]
            .map(|run| fs::read(run.join("plots").join(&name)).unwrap());
        assert!(was == is, "{name:?} differs");
    }
}

#[test]
fn a_run_that_was_only_trained_has_a_report_without_scores() {
    let folder = tempfile::tempdir().unwrap();
    let dense = "name = \"dense\"\ninput = [1, 28, 28]\n\n[[layers]]\nname = \"flatten\"\nop = \"flatten\"\n\n\
                 [[layers]]\nname = \"fc\"\nop = \"linear\"\nout_features = 10\n";
    fs::write(folder.path().join("dense.toml"), dense).unwrap();
    let words = ["--dataset", "synthetic", "--limit", "1000", "--epochs", "1", "--out", "run", "--quiet"];
    succeed(folder.path(), &[&["train", "--model", "dense.toml"], &words[..]].concat());
    succeed(folder.path(), &["report", "run", "--quiet"]);
    let run = folder.path().join("run");
    // A network without convolutions has no maps to look at.
    assert_eq!(sections(&page(&run)), ["training", "network", "settings"]);
    // Once it is scored, so is the report.
    succeed(folder.path(), &["evaluate", "run", "--quiet"]);
    assert!(sections(&page(&run)).contains(&"mistakes") && !sections(&page(&run)).contains(&"use"));
    assert!(!page(&run).contains("Grad-CAM") && !page(&run).contains("Training was stopped"));
    succeed(folder.path(), &["export", "run", "--quiet"]);
    assert!(sections(&page(&run)).contains(&"use"));
    // What metrics.json tells of the run is told here too.
    let path = run.join("metrics.json");
    let mut metrics: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    (metrics["train"]["interrupted"], metrics["dataset"]["fallback"]) = (true.into(), "no network".into());
    fs::write(&path, metrics.to_string()).unwrap();
    succeed(folder.path(), &["report", "run", "--quiet"]);
    assert!(page(&run).contains("Training was stopped after 1 of 1 epochs."));
    assert!(page(&run).contains("MNIST was wanted but could not be had"));
}

#[test]
fn a_deep_network_is_shown_in_four_stages() {
    let folder = tempfile::tempdir().unwrap();
    let conv = |at: usize| {
        format!("\n[[layers]]\nname = \"conv{at}\"\nop = \"conv2d\"\nout_channels = 2\nkernel = 3\n")
    };
    let convs: String = (1..=7).map(conv).collect();
    let end = "\n[[layers]]\nname = \"flatten\"\nop = \"flatten\"\n\n[[layers]]\nname = \"fc\"\nop = \"linear\"\nout_features = 10\n";
    let network = format!("name = \"deep\"\ninput = [1, 28, 28]\n{convs}{end}");
    fs::write(folder.path().join("deep.toml"), network).unwrap();
    let words = ["--dataset", "synthetic", "--limit", "200", "--epochs", "1", "--out", "run", "--quiet"];
    succeed(folder.path(), &[&["train", "--model", "deep.toml"], &words[..]].concat());
    succeed(folder.path(), &["report", "run", "--quiet"]);
    let page = page(&folder.path().join("run"));
    for (stage, is_shown) in [(1, true), (2, false), (3, true), (4, false), (5, true), (6, false), (7, true)]
    {
        assert_eq!(page.contains(&format!("Feature maps of conv{stage}: ")), is_shown, "conv{stage}");
    }
}

#[test]
fn a_damaged_run_has_no_report_and_keeps_its_old_one() {
    type Damage = fn(&Path);
    let damages: [(&str, Damage, &str); 6] = [
        (
            "history",
            |run| damage(&run.join("history.csv"), "1,3,", "1,three,"),
            "line 4: `three` is no value for `step`",
        ),
        ("no history", |run| fs::remove_file(run.join("history.csv")).unwrap(), "history.csv"),
        ("metrics", |run| damage(&run.join("metrics.json"), "\"dataset\"", "\"data\""), "metrics.json"),
        ("another network", of_another_network, "[N, 5]"),
        ("scores of another", other_scores, "does not answer as its metrics.json says"),
        ("weights", |run| fs::write(run.join("model.safetensors"), "short").unwrap(), "model.safetensors"),
    ];
    for (what, damage, expected) in damages {
        let (folder, run_folder) = copy_of_small_run();
        let before = page(&run_folder);
        damage(&run_folder);
        let output = run(folder.path(), &["report", "run"]);
        assert_eq!(output.status.code(), Some(1), "{what}");
        assert!(stderr(&output).contains(expected), "{what}: {}", stderr(&output));
        assert!(page(&run_folder) == before, "{what}: the report is not what it was");
    }
}

/// One test image more that was taken for another class.
fn other_scores(run: &Path) {
    let path = run.join("metrics.json");
    let mut metrics: serde_json::Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    let row = &mut metrics["test"]["confusion_matrix"][3];
    (row[3], row[5]) = ((row[3].as_u64().unwrap() - 1).into(), (row[5].as_u64().unwrap() + 1).into());
    fs::write(&path, metrics.to_string()).unwrap();
}

/// The weights of a network for five classes.
fn of_another_network(run: &Path) {
    let path = run.join("model.safetensors");
    let (_, metadata) = safetensors::load_network(&path).unwrap();
    let ops = [Op::Flatten, Op::Linear(Linear::new(5))];
    let model = Model::new(Graph::sequential("five", &[1, 28, 28], ops).unwrap(), 0).unwrap();
    let metadata = Metadata { graph: model.graph().clone(), class_names: Vec::new(), ..metadata };
    safetensors::save(&path, &model.weights().unwrap(), &metadata).unwrap();
}

fn damage(file: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{} lacks {from}", file.display());
    fs::write(file, text.replacen(from, to, 1)).unwrap();
}

#[test]
fn wrong_usage_and_other_data_are_refused() {
    let (folder, _) = copy_of_small_run();
    let output = run(folder.path(), &["report", "nowhere"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("holds no finished run"), "{}", stderr(&output));
    assert_eq!(run(folder.path(), &["report", "run", "--no-such-flag"]).status.code(), Some(2));
    assert_eq!(run(folder.path(), &["report", "run", "more"]).status.code(), Some(2));
    let config = folder.path().join("run/config.toml");
    damage(&config, "synthetic_seed = 0", "synthetic_seed = 9");
    let output = run(folder.path(), &["report", "run"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("was trained on"), "{}", stderr(&output));
}
