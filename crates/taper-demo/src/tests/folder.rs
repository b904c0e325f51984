use std::fs;
use std::path::Path;

use super::made::{network, page, runtime};
use crate::folder::{begin, stage, take_place};
use crate::page::{Content, Entry};
use crate::{DemoError, Page};

/// The paths of all files below a folder.
pub(crate) fn files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}

/// The files of the page of [`page`](super::made::page).
pub(crate) const FILES: [&str; 13] = [
    "demo.css",
    "demo.js",
    "demo.json",
    "index.html",
    "keys.js",
    "model-0.data",
    "model.onnx",
    "network.js",
    "onnxruntime/LICENSE.txt",
    "onnxruntime/ort-wasm-simd-threaded.wasm",
    "onnxruntime/ort.js",
    "pad.js",
    "prepare.js",
];

fn foreign(error: &DemoError) -> &str {
    match error {
        DemoError::Foreign { stranger, .. } => stranger,
        _ => panic!("{error}"),
    }
}

#[test]
fn the_folder_holds_all_and_can_be_written_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (page, site) = (page(folder.path()), folder.path().join("new/site"));
    for _ in 0..2 {
        Page::check_folder(&site).unwrap();
        page.write(&site, &runtime()).unwrap();
        assert_eq!(files(&site), FILES);
        assert_eq!(fs::read_to_string(site.join("model.onnx")).unwrap(), "onnx");
        assert_eq!(fs::read_to_string(site.join("onnxruntime/ort.js")).unwrap(), "export {};");
    }
}

#[test]
fn nothing_of_an_earlier_page_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (split, site) = (page(folder.path()), folder.path().join("site"));
    let whole = Page::new(&network(), folder.path().join("lenet5.onnx")).unwrap();
    split.write(&site, &runtime()).unwrap();
    whole.write(&site, &runtime()).unwrap();
    assert_eq!(files(&site), FILES.into_iter().filter(|file| *file != "model-0.data").collect::<Vec<_>>());
    // Nor of one whose files had other names.
    let text = fs::read_to_string(site.join("demo.json")).unwrap();
    fs::create_dir(site.join("old")).unwrap();
    fs::write(site.join("old/pad.js"), "").unwrap();
    fs::write(site.join("demo.json"), text.replace("\"pad.js\"", "\"pad.js\",\"old/pad.js\"")).unwrap();
    split.write(&site, &runtime()).unwrap();
    assert_eq!(files(&site), FILES);
    assert!(!site.join("old").exists());
}

#[test]
fn a_folder_with_other_things_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let page = page(folder.path());
    let written = |name: &str, text: &str| {
        let site = folder.path().join("site");
        if site.exists() {
            fs::remove_dir_all(&site).unwrap();
        }
        if name != "demo.json" {
            page.write(&site, &runtime()).unwrap();
        }
        let path = site.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let error = Page::check_folder(&site).unwrap_err();
        let again = page.write(&site, &runtime()).unwrap_err();
        assert_eq!(foreign(&error), foreign(&again));
        assert!(again.to_string().contains("site") && again.to_string().contains(name), "{again}");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    };
    // Someone's own file of that name is no demo page.
    for text in ["mine", "{}", "[]", r#"{"taper_version": "1"}"#, r#"{"files": ["demo.json"]}"#] {
        written("demo.json", text);
    }
    for name in ["notes.txt", "onnxruntime/mine.js", ".hidden", "onnxruntime/.taper-deep"] {
        written(name, "mine");
    }

    let taken = folder.path().join("lenet5.onnx");
    assert!(matches!(Page::check_folder(&taken).unwrap_err(), DemoError::Write(_)));
    assert!(matches!(page.write(&taken, &runtime()).unwrap_err(), DemoError::Write(_)));
}

#[test]
fn a_folder_in_the_place_of_a_file_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (page, site) = (page(folder.path()), folder.path().join("site"));
    page.write(&site, &runtime()).unwrap();
    fs::remove_file(site.join("model.onnx")).unwrap();
    fs::create_dir(site.join("model.onnx")).unwrap();
    assert_eq!(foreign(&page.write(&site, &runtime()).unwrap_err()), "model.onnx");
    fs::remove_dir(site.join("model.onnx")).unwrap();
    page.write(&site, &runtime()).unwrap();
    assert_eq!(files(&site), FILES);
}

#[test]
fn what_a_killed_process_leaves_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let (page, site) = (page(folder.path()), folder.path().join("site"));
    // While the files were gathered.
    fs::create_dir_all(site.join(".taper-Ab3xYz")).unwrap();
    fs::write(site.join(".taper-Ab3xYz/demo.css"), "half").unwrap();
    Page::check_folder(&site).unwrap();
    page.write(&site, &runtime()).unwrap();
    assert_eq!(files(&site), FILES);
    // While they were moved.
    let site = folder.path().join("other");
    let entries = page.entries(&runtime());
    for moved in 0..entries.len() {
        let staging = begin(&site, &entries).unwrap();
        entries[..moved].iter().for_each(|entry| take_place(entry, staging.path(), &site).unwrap());
        let _ = staging.keep();
        let description = fs::read_to_string(site.join("demo.json")).unwrap();
        assert!(!description.contains("\"network\""), "{moved}: {description}");
        Page::check_folder(&site).unwrap();
    }
    page.write(&site, &runtime()).unwrap();
    assert_eq!(files(&site), FILES);
}

#[test]
fn a_file_that_has_gone_is_named_and_the_earlier_page_stays() {
    let folder = tempfile::tempdir().unwrap();
    let (page, site) = (page(folder.path()), folder.path().join("site"));
    page.write(&site, &runtime()).unwrap();
    fs::remove_file(folder.path().join("weights")).unwrap();
    let error = page.write(&site, &runtime()).unwrap_err();
    assert!(matches!(&error, DemoError::Read { path, .. } if path.ends_with("weights")), "{error}");
    assert_eq!(files(&site), FILES);
    assert!(fs::read_to_string(site.join("demo.json")).unwrap().contains("\"network\""));
    assert!(page.write(&folder.path().join("other"), &runtime()).is_err());
    assert!(!folder.path().join("other").exists());
}

#[test]
fn an_error_says_what_was_read_or_where_it_was_to_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().join("site/model.onnx");
    let entry = |content| Entry { path: "model.onnx".to_owned(), content };
    // A folder can be opened, and not be read.
    let unreadable = entry(Content::File(folder.path().to_owned()));
    let error = stage(&unreadable, &folder.path().join("staged"), &target).unwrap_err();
    assert!(matches!(&error, DemoError::Read { path, .. } if path == folder.path()), "{error}");
    fs::write(folder.path().join("file"), "").unwrap();
    let error = stage(&entry(Content::Text("")), &folder.path().join("file/staged"), &target).unwrap_err();
    assert!(matches!(&error, DemoError::Write(error) if error.path == target), "{error}");
}
