use std::fs;

use super::folder::FILES;
use super::made::{network, page, runtime, sample};
use crate::{DemoError, Element, Page, Runtime};

#[test]
fn the_description_says_what_the_page_has_to_know() {
    let folder = tempfile::tempdir().unwrap();
    let (page, site) = (page(folder.path()), folder.path().join("site"));
    page.write(&site, &runtime()).unwrap();
    let text = fs::read_to_string(site.join("demo.json")).unwrap();
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!({
        "network": {
            "name": "lenet5",
            "input": {
                "name": "image", "element": "float32", "low": -1.0, "high": 1.0, "layout": "nchw",
                "channels": 1, "height": 2, "width": 3,
            },
            "drawing": "picture",
            "output": { "name": "logits", "answer": "logits" },
            "classes": ["cat", "</script>"],
            "dataset": "pets",
            "accuracy": 0.5,
        },
        "model": "model.onnx",
        "weights": [{ "name": "lenet5.onnx.data", "path": "model-0.data" }],
        "samples": [{ "label": "cat", "pixels": [0, 1, 2, 3, 4, 255] }],
        "runtime": "onnxruntime/ort.js",
        "runtime_version": Runtime::VERSION,
        "taper_version": env!("CARGO_PKG_VERSION"),
        "files": found["files"],
    });
    let mut listed: Vec<String> = serde_json::from_value(found["files"].clone()).unwrap();
    listed.sort();
    assert_eq!(listed, FILES);
    assert_eq!(found, expected);
}

#[test]
fn the_page_names_only_files_that_it_has_and_no_other_server() {
    let folder = tempfile::tempdir().unwrap();
    let site = folder.path().join("site");
    page(folder.path()).write(&site, &runtime()).unwrap();
    let html = fs::read_to_string(site.join("index.html")).unwrap();
    let mut named: Vec<&str> = Vec::new();
    for attribute in ["href=\"", "src=\""] {
        named.extend(html.split(attribute).skip(1).map(|rest| rest.split('"').next().unwrap()));
    }
    named.retain(|address| !address.starts_with("data:"));
    assert_eq!(named, ["demo.css", "model.onnx", "onnxruntime/LICENSE.txt", "demo.js"]);
    for script in ["demo.js", "network.js", "pad.js", "prepare.js"] {
        let text = fs::read_to_string(site.join(script)).unwrap();
        for import in text.split("from \"./").skip(1) {
            assert!(FILES.contains(&import.split('"').next().unwrap()), "{script}: {import}");
        }
        assert!(!text.contains("://") && !text.contains("innerHTML"), "{script}");
    }
    // Nothing but what is named, and nothing from elsewhere.
    let policy = crate::page::policy();
    assert!(policy.starts_with("default-src 'none'; script-src 'self' "), "{policy}");
    assert!(!policy.contains('*') && !policy.contains("http") && !policy.contains("inline"), "{policy}");
}

#[test]
fn networks_that_cannot_be_drawn_for_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    page(folder.path());
    let file = |name: &str| folder.path().join(name);
    let change = |change: fn(&mut crate::Network)| {
        let mut network = network();
        change(&mut network);
        Page::new(&network, file("lenet5.onnx")).map(|_| ()).unwrap_err().to_string()
    };
    for (error, mentions) in [
        (change(|network| network.input.channels = 4), "4 channels"),
        (change(|network| network.input.width = 5000), "2×5000"),
        (change(|network| network.input.height = 0), "0×3"),
        (change(|network| network.classes.truncate(1)), "1 classes"),
        (change(|network| network.classes = vec![String::new(); 10_001]), "10001 classes"),
        (change(|network| network.input.element = Element::Float32 { low: 0.0, high: f32::NAN }), "NaN"),
    ] {
        assert!(error.contains(mentions), "{mentions}: {error}");
    }
    let page = Page::new(&network(), file("lenet5.onnx")).unwrap();
    let mut wrong = sample();
    wrong.pixels.pop();
    assert!(page.samples(vec![wrong]).unwrap_err().to_string().contains("5 pixels"));
    let error = Page::new(&network(), file("nowhere.onnx")).unwrap_err();
    assert!(error.to_string().contains("nowhere.onnx"), "{error}");
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let file = |name: &str| folder.path().join(name);
    fs::create_dir(file("folder")).unwrap();
    assert!(matches!(Page::new(&network(), file("folder")).unwrap_err(), DemoError::NoFile { .. }));
    let error = page.clone().weights("folder", file("folder")).unwrap_err();
    assert!(matches!(&error, DemoError::NoFile { path } if *path == file("folder")), "{error}");
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(file("weights"), file("link")).unwrap();
        assert!(matches!(page.clone().weights("link", file("link")).unwrap_err(), DemoError::NoFile { .. }));
        Page::new(&network(), file("link")).unwrap();
        // To open a named pipe waits for a writer.
        let made = std::process::Command::new("mkfifo").arg(file("pipe")).status();
        if made.is_ok_and(|status| status.success()) {
            assert!(matches!(page.weights("pipe", file("pipe")).unwrap_err(), DemoError::NoFile { .. }));
        }
    }
}
