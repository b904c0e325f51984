//! `taper demo` without a runtime and without a network: all that can be told before the page is there. The page itself is
//! tested in a browser, by `.ci/browser/run`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use taper::RunFolder;
use taper::data::Choice;
use taper::export::{Metadata, safetensors};
use taper::graph::{Graph, Linear, Op};
use taper::model::Model;
use taper::pipeline::{self, DemoSamples};

use crate::program::{copy_of_small_run, json, stderr, succeed, taper};

/// Runs `taper demo WORDS`, which must fail, with an empty cache and a registry; what it says.
fn fails(folder: &Path, registry: &str, code: i32, words: &[&str]) -> String {
    let mut command = taper(folder);
    command.env("TAPER_CACHE", folder.join("cache")).env("NPM_CONFIG_REGISTRY", registry);
    let output = command.arg("demo").args(words).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
    assert!(!said.contains("panicked"), "{words:?}: {said}");
    assert_eq!(said.matches("error: ").count(), 1, "{words:?}: {said}");
    assert!(!folder.join("site").exists(), "{words:?}");
    said
}

/// `bytes` with `to` in every place of `from`, which is as long.
fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for place in 0..=bytes.len() - from.len() {
        if bytes[place..].starts_with(from) {
            bytes[place..place + to.len()].copy_from_slice(to);
        }
    }
    bytes
}

const NOBODY: &str = "http://127.0.0.1:1";

#[test]
fn what_cannot_be_shown_is_refused_before_anything_is_downloaded() {
    let (folder, run) = copy_of_small_run();
    let path = folder.path();
    succeed(path, &["export", "run", "--argmax", "--quiet", "--out", "class.onnx"]);
    fs::write(path.join("cut.onnx"), [8, 8, 18]).unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    fs::create_dir(path.join("mine")).unwrap();
    fs::write(path.join("mine/demo.json"), "{\"mine\": true}").unwrap();
    succeed(path, &["export", "run", "--external-data", "--quiet", "--out", "split.onnx"]);
    let weights = fs::read(path.join("split.onnx.data")).unwrap();
    fs::remove_file(path.join("split.onnx.data")).unwrap();
    let split = fs::read(path.join("split.onnx")).unwrap();
    for (file, name) in [("hidden.onnx", ".plit.onnx.data"), ("away.onnx", "../it.onnx.data")] {
        fs::write(path.join(file), replaced(&split, b"split.onnx.data", name.as_bytes())).unwrap();
    }
    succeed(path, &["export", "run", "--external-data", "--quiet", "--out", "short.onnx"]);
    fs::write(path.join("short.onnx.data"), &weights[1..]).unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    for (code, words, mentions) in [
        (2, &["run", "--port", "8000", "--out", "site"][..], "--port"),
        (2, &["run", "--port", "70000"], "--port"),
        (2, &["run", "extra"], "extra"),
        (1, &["nowhere"], "nowhere"),
        (1, &["nowhere.onnx"], "nowhere.onnx"),
        (1, &["cut.onnx"], "cut.onnx"),
        (1, &["empty"], "metrics.json"),
        (1, &["run", "--data-dir", "empty"], "empty"),
        (1, &["run", "--runtime", "empty"], "ort.wasm.bundle.min.mjs"),
        (1, &["class.onnx"], "--softmax"),
        (1, &["class.onnx", "--data-dir", "empty"], "empty"),
        (1, &["run", "--port", &port], "--port"),
        (1, &["run", "--out", "mine"], "demo.json"),
        (1, &["run", "--out", "run/model.onnx"], "model.onnx"),
        (1, &["split.onnx"], "split.onnx.data"),
        (1, &["hidden.onnx"], "under a plain name"),
        (1, &["away.onnx"], "under a plain name"),
        (1, &["short.onnx"], "put the whole file there"),
    ] {
        let said = fails(path, NOBODY, code, words);
        assert!(said.contains(mentions), "{words:?}: {said}");
    }
    fs::remove_file(run.join("model.onnx")).unwrap();
    let said = fails(path, NOBODY, 1, &["run"]);
    assert!(said.contains("taper export run"), "{said}");
    assert!(!path.join("cache").exists());
    assert_eq!(fs::read_to_string(path.join("mine/demo.json")).unwrap(), "{\"mine\": true}");
}

#[test]
fn a_registry_that_is_none_or_another_is_an_error_and_nothing_is_kept() {
    let (folder, _) = copy_of_small_run();
    let secret = NOBODY.replace("//", "//me:secret@");
    let said = fails(folder.path(), &secret, 1, &["run", "--out", "site"]);
    assert!(said.contains("NPM_CONFIG_REGISTRY") && said.contains("--runtime"), "{said}");
    assert!(said.contains("getting onnxruntime-web 1.30.0 from http://127.0.0.1:1,"), "{said}");
    assert!(!said.contains("secret"), "{said}");

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let registry = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let _ = stream.read(&mut [0; 4096]);
            // As many bytes as the package has, and another package.
            let head = "HTTP/1.1 200 OK\r\ncontent-length: 33106585\r\nconnection: close\r\n\r\n";
            let _ = stream.write_all(&[head.as_bytes(), &vec![7; 33_106_585]].concat());
        }
    });
    let said = fails(folder.path(), &registry, 1, &["run", "--out", "site"]);
    assert!(said.contains("SHA-512") && said.contains("onnxruntime-web-1.30.0.tgz"), "{said}");
    assert!(!folder.path().join("cache/onnxruntime-web-1.30.0").exists());
}

#[test]
fn data_that_are_away_or_damaged_are_told_and_the_page_does_without() {
    let (folder, path) = copy_of_small_run();
    let run = RunFolder::new(&path);
    let mut metrics = json(&fs::read_to_string(path.join("metrics.json")).unwrap());
    metrics["dataset"]["source"] = "idx".into();
    fs::write(path.join("metrics.json"), metrics.to_string()).unwrap();
    let data = folder.path().join("data");
    let mut config = run.config().unwrap();
    (config.data.dataset, config.data.data_dir) = (Choice::Mnist, Some(data.clone()));
    fs::write(path.join("config.toml"), config.to_toml().unwrap()).unwrap();
    let missing = |mentions: &str| match pipeline::demo_samples(Some(&run), None).unwrap() {
        DemoSamples::Missing(why) => assert!(why.contains(mentions), "{why}"),
        other => panic!("{other:?}"),
    };
    missing("data");
    fs::create_dir(&data).unwrap();
    for part in ["train", "t10k"] {
        fs::write(data.join(format!("{part}-images-idx3-ubyte")), [0, 0, 8, 3, 0]).unwrap();
        fs::write(data.join(format!("{part}-labels-idx1-ubyte")), [0, 0, 8, 1, 0]).unwrap();
    }
    missing("ubyte");
    assert!(pipeline::demo_samples(Some(&run), Some(data)).is_err(), "what is asked for must be there");
    assert_eq!(pipeline::demo_samples(None, None).unwrap(), DemoSamples::Unknown);

    // A network for colour has no use for them, so that nobody looks at the data.
    let ops = [Op::Flatten, Op::Linear(Linear::new(10))];
    let graph = Graph::sequential("colour", &[3, 4, 4], ops).unwrap();
    let (_, metadata) = safetensors::load_network(&run.safetensors()).unwrap();
    let weights = Model::new(graph.clone(), 0).unwrap().weights().unwrap();
    safetensors::save(&run.safetensors(), &weights, &Metadata { graph, ..metadata }).unwrap();
    assert_eq!(pipeline::demo_samples(Some(&run), None).unwrap(), DemoSamples::Colour);
}
