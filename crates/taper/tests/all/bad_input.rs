//! Bad input: one clear error that names the place and the remedy, exit code 1 (2 for wrong usage), nothing left behind.

use std::fs;
use std::path::Path;

use taper::model::DeviceKind;

use crate::program::{copy_of_small_run, run, stderr, succeed};

/// Runs every row and reports all that fail: words, exit code, and what the error must mention.
fn check(folder: &Path, rows: &[(&[&str], i32, &[&str])]) {
    let mut failures = Vec::new();
    for (words, code, mentions) in rows {
        let output = run(folder, words);
        let said = stderr(&output);
        let missing: Vec<&&str> = mentions.iter().filter(|mention| !said.contains(**mention)).collect();
        let errors = said.lines().filter(|line| line.starts_with("error: ")).count();
        if output.status.code() != Some(*code)
            || !missing.is_empty()
            || errors != 1
            || said.contains("panicked")
        {
            failures.push(format!("taper {words:?}: {:?}, lacks {missing:?}, said {said}", output.status));
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[test]
fn wrong_usage_exits_2() {
    let folder = tempfile::tempdir().unwrap();
    check(
        folder.path(),
        &[
            (&["fly"], 2, &["fly"]),
            (&["train", "--epochs", "0"], 2, &["--epochs", "at least 1"]),
            (&["train", "--lr", "-1"], 2, &["--lr"]),
            (&["train", "--lr", "NaN"], 2, &["--lr", "greater than 0"]),
            (&["train", "--limit", "many"], 2, &["--limit"]),
            (&["train", "--threads", "100000000"], 2, &["--threads", "1024"]),
            (&["train", "--dataset", "cifar"], 2, &["cifar", "auto, mnist, synthetic"]),
            (&["pipeline", "--sed", "3"], 2, &["--sed", "--seed"]),
            (&["train", "--recipe", "quick"], 2, &["quick", "tutorial, fast, best"]),
            (&["train", "--recipe", "best", "--config", "x.toml"], 2, &["--config", "cannot be used with"]),
            (&["train", "--device", "tpu"], 2, &["tpu", "cpu, cuda, metal"]),
            (&["train", "--dropout", "1"], 2, &["--dropout", "1"]),
            (&["train", "--rotation", "-5"], 2, &["--rotation", "0 or greater"]),
            (&["lr-find", "--from", "0"], 2, &["--from", "greater than 0"]),
            (&["lr-find", "--lr", "0.1"], 2, &["`--lr` does nothing"]),
            (&["lr-find", "--ema-decay", "0.9"], 2, &["`--ema-decay` does nothing"]),
            (&["predict"], 2, &["IMAGE"]),
            (&["inspect"], 2, &["<FILE>"]),
        ],
    );
}

#[test]
fn bad_networks_and_configurations_are_refused_before_any_data_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    write(
        "misfit.toml",
        "name = \"m\"\ninput = [1, 28, 28]\n[[layers]]\nname = \"big\"\nop = \"conv2d\"\nout_channels = 4\nkernel = 40\n",
    );
    write("plain.toml", taper::graph::Preset::LeNet5.toml());
    write("syntax.toml", "name = \"m\"\ninput = [1, 28, 28\n");
    write("rate.toml", "[train]\nlearning_rate = -1.0\n");
    write("unknown.toml", "[train]\nepoch = 3\n");
    write("both.toml", "[model]\npreset = \"lenet5\"\ngraph = \"\"\n");
    write("none.toml", "[data]\nlimit = 0\n");
    write("device.toml", "device = \"tpu\"\n");
    let softmax =
        format!("{}\n[[layers]]\nname = \"end\"\nop = \"softmax\"\n", taper::graph::Preset::LeNet5.toml());
    write("softmax.toml", &softmax);
    check(
        folder.path(),
        &[
            (&["train", "--model", "vgg"], 1, &["vgg", "tutorial, lenet5, residual"]),
            (&["train", "--model", "plain.toml", "--dropout", "0.1"], 1, &["0.1", "no dropout layer"]),
            (&["train", "--dataset", "mnist", "--dropout", "0.99999999"], 1, &["dropout is 1"]),
            (&["lr-find", "--dataset", "mnist", "--from", "2"], 1, &["to is 1"]),
            (&["lr-find", "--dataset", "mnist", "--scale", "3"], 1, &["augment.scale is 3"]),
            (&["train", "--model", "nowhere.toml"], 1, &["nowhere.toml", "check the path"]),
            (
                &["train", "--model", "misfit.toml"],
                1,
                &["misfit.toml", "`big`", "[N, 1, 28, 28]", "at most 28"],
            ),
            (&["summary", "--model", "syntax.toml"], 1, &["syntax.toml", "line 2"]),
            (&["train", "--config", "rate.toml"], 1, &["rate.toml", "learning_rate", "-1"]),
            (&["train", "--config", "both.toml"], 1, &["both.toml", "preset", "graph"]),
            (&["train", "--config", "none.toml"], 1, &["none.toml", "data.limit", "at least 1"]),
            (
                &["train", "--dataset", "synthetic", "--model", "softmax.toml"],
                1,
                &["`end`", "delete that layer"],
            ),
            (&["train", "--config", "unknown.toml"], 1, &["unknown.toml", "epoch", "epochs"]),
            (&["train", "--config", "absent.toml"], 1, &["absent.toml"]),
            (&["train", "--config", "device.toml"], 1, &["device.toml", "tpu", "give cpu, cuda or metal"]),
            (&["train", "--device", "cuda", "--shards", "2"], 1, &["shards", "train on the CPU"]),
        ],
    );
    for device in DeviceKind::ALL.into_iter().filter(|device| device.check().is_err()) {
        let name = device.name();
        let refused: &[&str] = &["this build cannot use", name, "--features"];
        check(
            folder.path(),
            &[(&["train", "--device", name], 1, refused), (&["lr-find", "--device", name], 1, refused)],
        );
    }
    assert!(!folder.path().join("runs").exists());
}

#[test]
fn bad_data_are_refused_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::create_dir(file("empty")).unwrap();
    fs::create_dir(file("cut")).unwrap();
    for name in [
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ] {
        fs::write(file("cut").join(name), [0, 0, 8, 3, 0, 0]).unwrap();
    }
    fs::write(file("taken"), "a file").unwrap();
    check(
        folder.path(),
        &[
            (&["pipeline", "--data-dir", "nowhere", "--out", "run"], 1, &["nowhere", "--data-dir"]),
            (&["pipeline", "--data-dir", "empty", "--out", "run"], 1, &["empty", "train-images-idx3-ubyte"]),
            (&["pipeline", "--data-dir", "cut", "--out", "run"], 1, &["train-images-idx3-ubyte"]),
            (&["train", "--dataset", "synthetic", "--data-dir", "empty"], 1, &["empty", "synthetic"]),
            (&["train", "--dataset", "synthetic", "--out", "taken"], 1, &["taken"]),
            (&["train", "--dataset", "synthetic", "--out", "taken/run"], 1, &["taken/run"]),
        ],
    );
    assert!(!file("run").exists(), "a folder is left");
}

#[test]
fn bad_runs_are_refused() {
    let (folder, run_folder) = copy_of_small_run();
    let tutorial = folder.path().join("tutorial");
    fs::create_dir(&tutorial).unwrap();
    for name in ["config.toml", "metrics.json"] {
        fs::copy(run_folder.join(name), tutorial.join(name)).unwrap();
    }
    fs::write(tutorial.join("model.safetensors"), [8, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    fs::write(folder.path().join("cut.onnx"), [8, 8, 18]).unwrap();
    fs::write(folder.path().join("not.png"), "no picture").unwrap();
    check(
        folder.path(),
        &[
            (&["evaluate"], 1, &["runs/", "--run"]),
            (&["evaluate", "nowhere"], 1, &["nowhere", "metrics.json"]),
            (&["evaluate", "tutorial"], 1, &["model.safetensors", "cut short"]),
            (&["predict", "--run", "run", "absent.png"], 1, &["absent.png"]),
            (&["predict", "--run", "run", "not.png"], 1, &["not.png"]),
            (&["inspect", "cut.onnx"], 1, &["cut.onnx"]),
            (&["inspect", "absent.onnx"], 1, &["absent.onnx"]),
            (&["export", "run", "--out", "no/such/folder.onnx"], 1, &["folder.onnx"]),
            (&["export", "run/model.safetensors"], 2, &["needs --out FILE.onnx"]),
            (&["export", "run/model.safetensors", "--out", "run/model.onnx"], 1, &["belongs to the run"]),
            (
                &["export", "run/model.safetensors", "--out", "./run/model.safetensors"],
                1,
                &["belongs to the run"],
            ),
            (
                &["export", "absent.safetensors", "--out", "x.onnx"],
                1,
                &["absent.safetensors", "check the path"],
            ),
            (&["export", "run", "--model", "tutorial"], 2, &["a run has its own network"]),
            (&["export", "run", "--half"], 2, &["always the plain one", "--out FILE.onnx"]),
            (&["export", "run", "--opset", "11", "--out", "x.onnx"], 2, &["--opset", "12 to 22"]),
            (&["export", "run", "--profile", "ios", "--out", "x.onnx"], 2, &["ios", "portable, onnxruntime"]),
            (&["export", "run", "--uint8-input=nwhc", "--out", "x.onnx"], 2, &["nwhc", "nchw, nhwc"]),
            (&["export", "run", "--softmax", "--argmax", "--out", "x.onnx"], 2, &["--softmax", "--argmax"]),
            (&["export", "run", "--half", "--half-weights", "--out", "x.onnx"], 2, &["--half-weights"]),
            (&["export", "run", "--half", "--int8", "--out", "x.onnx"], 2, &["--half", "--int8"]),
            (&["export", "run", "--calibration", "entropy", "--out", "x.onnx"], 2, &["--int8"]),
            (
                &["export", "run", "--int8", "--calibration", "mean", "--out", "x.onnx"],
                2,
                &["mean", "min-max, percentile, entropy"],
            ),
            (&["export", "run/model.safetensors", "--int8", "--out", "x.onnx"], 1, &["x.onnx", "--data-dir"]),
            (
                &["export", "run", "--int8", "--opset", "12", "--out", "x.onnx"],
                1,
                &["x.onnx", "13 or newer", "choose 17"],
            ),
            (
                &["export", "run", "--int8", "--profile", "tensorrt", "--out", "x.onnx"],
                1,
                &["`tensorrt`", "zero point"],
            ),
            (
                &["export", "run", "--int8", "--profile", "windows-ml", "--out", "x.onnx"],
                1,
                &["x.onnx", "`windows-ml`", "int8", "operator set 13"],
            ),
            (
                &["export", "run/model.safetensors", "--dataset", "synthetic", "--out", "x.onnx"],
                2,
                &["--dataset", "--int8", "random"],
            ),
            (
                &["export", "run/model.safetensors", "--data-dir", "nowhere", "--out", "x.onnx"],
                2,
                &["--data-dir", "--int8"],
            ),
            (
                &["export", "run/model.safetensors", "--revision", "main", "--out", "x.onnx"],
                2,
                &["--revision", "--int8"],
            ),
            (
                &["export", "x.safetensors", "--range", "2,1", "--uint8-input", "--out", "x.onnx"],
                2,
                &["lower"],
            ),
            (&["export", "run", "--range=0,2", "--uint8-input", "--out", "x.onnx"], 2, &["--model"]),
            (
                &["export", "run/model.safetensors", "--range=0,2", "--uint8-input", "--out", "x.onnx"],
                2,
                &["--model"],
            ),
            (
                &["export", "run/model.safetensors", "--model", "lenet5", "--range=0,2", "--out", "x.onnx"],
                2,
                &["--uint8-input and --int8"],
            ),
            (
                &[
                    "export",
                    "run/model.safetensors",
                    "--model",
                    "small.toml",
                    "--int8",
                    "--dataset",
                    "synthetic",
                    "--out",
                    "x.onnx",
                ],
                1,
                &["x.onnx", "weights of others", "--range LOW,HIGH"],
            ),
            (
                &["export", "run/model.safetensors", "--profile", "opencv", "--argmax", "--out", "x.onnx"],
                1,
                &["x.onnx", "`opencv`", "argmax", "4.12", "another profile"],
            ),
            (
                &[
                    "export",
                    "run/model.safetensors",
                    "--profile",
                    "windows-ml",
                    "--opset",
                    "17",
                    "--out",
                    "x.onnx",
                ],
                1,
                &["`windows-ml`", "operator set 17", "choose operator set 12"],
            ),
            (
                &["export", "run/model.safetensors", "--input", "a", "--output", "a", "--out", "x.onnx"],
                1,
                &["`a`", "its own name"],
            ),
            (&["export", "x.safetensors", "--out", "x.onnx", "--rename", "a=b"], 2, &["--model"]),
            (
                &[
                    "export",
                    "run/model.safetensors",
                    "--out",
                    "x.onnx",
                    "--model",
                    "tutorial",
                    "--rename",
                    "a",
                ],
                2,
                &["write FROM=TO"],
            ),
            (
                &["export", "run/model.safetensors", "--out", "x.onnx", "--model", "tutorial"],
                1,
                &["model.safetensors", "missing layer1.0.weight", "unexpected conv1.bias"],
            ),
        ],
    );
    // Weights whose header names another network than they are of.
    let mut weights = fs::read(run_folder.join("model.safetensors")).unwrap();
    let place = weights.windows(5).position(|window| window == b"conv1").unwrap();
    weights[place + 4] = b'7';
    fs::write(run_folder.join("model.safetensors"), weights).unwrap();
    check(folder.path(), &[(&["evaluate", "run"], 1, &["model.safetensors", "missing", "unexpected"])]);
}

#[test]
fn a_run_is_not_scored_on_other_data() {
    let (folder, run_folder) = copy_of_small_run();
    let metrics = fs::read_to_string(run_folder.join("metrics.json")).unwrap();
    let hash = metrics.split("\"sha256\": \"").nth(1).unwrap()[..64].to_owned();
    fs::write(run_folder.join("metrics.json"), metrics.replace(&hash, &"0".repeat(64))).unwrap();
    check(folder.path(), &[(&["evaluate", "run"], 1, &[&hash, "--dataset", "--data-dir"])]);
    assert!(succeed(folder.path(), &["summary"]).contains("tutorial"));
}
