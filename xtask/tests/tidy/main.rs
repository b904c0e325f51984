//! The tree is as ARCHITECTURE.md and CONTRIBUTING.md say it is. Every rule reports every place that breaks it.
#![allow(clippy::unwrap_used, missing_docs)]

mod architecture;
mod links;
mod manifest;
mod repository;
mod source;

use std::collections::{BTreeMap, BTreeSet};

use architecture::Architecture;
use manifest::{Manifest, Section};
use repository::Repository;

/// The most lines a source file may have; past it, it is about more than one thing.
const MAX_LINES: usize = 400;

/// The largest file that may be committed: a clone should take seconds.
const MAX_BYTES: u64 = 2_000_000;

/// The only crate whose sources may hold unsafe code.
const UNSAFE_PLACE: &str = "crates/taper-kernels/";

/// Crates that ARCHITECTURE.md must list where they are used: they hold tensors.
const TENSOR_LIBRARIES: [&str; 7] = ["burn", "candle", "ndarray", "ort", "rten", "tch", "tract"];

/// Fails with the list of all places that break a rule.
#[track_caller]
fn check(rule: &str, places: Vec<String>) {
    assert!(places.is_empty(), "{rule}\n  {}\n", places.join("\n  "));
}

/// Is `name` a crate whose users ARCHITECTURE.md lists?
fn is_listed(name: &str) -> bool {
    let family = name.split('-').next().unwrap_or(name);
    name.starts_with("taper") || TENSOR_LIBRARIES.contains(&family)
}

#[test]
fn crates_depend_only_on_what_the_architecture_allows() {
    let repository = Repository::open();
    let architecture = Architecture::parse(&repository.read("ARCHITECTURE.md"));
    let mut places = Vec::new();
    for manifest in repository.members() {
        let Some(allowed) = architecture.crates.get(&manifest.name) else { continue }; // told by the next rule
        let used: BTreeSet<String> = manifest
            .dependencies()
            .filter(|entry| entry.section != Section::Dev && is_listed(&entry.name))
            .map(|entry| entry.name.clone())
            .collect();
        let difference =
            |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
        for name in difference(&used, allowed) {
            places
                .push(format!("{}: depends on {name}, which ARCHITECTURE.md does not allow", manifest.path));
        }
        for name in difference(allowed, &used) {
            places.push(format!("ARCHITECTURE.md: {} no longer depends on {name}", manifest.name));
        }
        if manifest.name == "xtask" {
            let entries = manifest.dependencies();
            places.extend(entries.map(|entry| format!("{}: xtask needs no {}", manifest.path, entry.name)));
        }
    }
    check("the dependencies of a crate are those of the table in ARCHITECTURE.md", places);
}

#[test]
fn the_architecture_lists_every_crate_and_every_top_level_path() {
    let repository = Repository::open();
    let architecture = Architecture::parse(&repository.read("ARCHITECTURE.md"));
    let members: BTreeSet<String> = repository.members().into_iter().map(|manifest| manifest.name).collect();
    let listed: BTreeSet<String> = architecture.crates.keys().cloned().collect();
    let top = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let stands: BTreeSet<String> = repository.files.iter().map(top).collect();
    let described: BTreeSet<String> = architecture.paths.iter().map(top).collect();

    let missing = |from: &BTreeSet<String>, other: &BTreeSet<String>, what: &str| {
        from.difference(other).map(|name| format!("{name} {what}")).collect::<Vec<_>>()
    };
    let mut places = missing(&members, &listed, "is a crate without a row in the table of crates");
    places.extend(missing(&listed, &members, "has a row in the table of crates but is none"));
    places.extend(missing(&stands, &described, "stands at the top and in no row of \"Where things live\""));
    for path in &architecture.paths {
        let folder = format!("{path}/");
        if !repository.files.iter().any(|file| file == path || file.starts_with(&folder)) {
            places.push(format!("{path} has a row in \"Where things live\" but does not stand"));
        }
    }
    check("ARCHITECTURE.md describes the tree", places);
}

#[test]
fn the_architecture_lists_every_feature() {
    let repository = Repository::open();
    let listed = Architecture::parse(&repository.read("ARCHITECTURE.md")).features;
    let of = |manifest: Manifest| {
        let features: Vec<_> = manifest.features().collect();
        features.into_iter().map(move |(feature, default)| ((manifest.name.clone(), feature), default))
    };
    let features: BTreeMap<_, _> = repository.members().into_iter().flat_map(of).collect();
    let names = features.keys().chain(listed.keys()).collect::<BTreeSet<_>>();
    let differs = |name: &&(String, String)| features.get(*name) != listed.get(*name);
    let tell = |name: &(String, String)| {
        let say = |of: Option<&bool>| {
            of.map_or("not there", |default| if *default { "default" } else { "optional" })
        };
        let (manifest, table) = (say(features.get(name)), say(listed.get(name)));
        format!("{}/{}: {manifest} in the manifest, {table} in the table", name.0, name.1)
    };
    let places = names.into_iter().filter(differs).map(tell).collect();
    check("the features are those of the table in ARCHITECTURE.md", places);
}

#[test]
fn manifests_follow_the_workspace() {
    let repository = Repository::open();
    let mut places = Vec::new();
    for manifest in repository.members() {
        let mut need = |table: &str, key: &str| {
            if manifest.value(table, key) != Some("true") {
                places.push(format!("{}: [{table}] lacks `{key} = true`", manifest.path));
            }
        };
        for key in ["version", "edition", "rust-version", "license", "repository", "publish"] {
            need("package", &format!("{key}.workspace"));
        }
        need("lints", "workspace");
        if manifest.value("package", "description").is_none_or(|text| text.len() < 12) {
            places.push(format!("{}: [package] lacks a description", manifest.path));
        }
        for entry in manifest.dependencies().filter(|entry| !entry.from_workspace) {
            let (path, line, name) = (&manifest.path, entry.line, &entry.name);
            places.push(format!(
                "{path}:{line}: {name} belongs in [workspace.dependencies], once for all crates"
            ));
        }
    }
    check("members take versions, licence and lints from the workspace", places);
}

#[test]
fn every_package_is_under_the_same_licence() {
    let repository = Repository::open();
    let mut places: Vec<String> = ["LICENSE-MIT", "LICENSE-APACHE"]
        .iter()
        .filter(|name| !repository.files.iter().any(|file| file == *name))
        .map(|name| format!("{name} is missing"))
        .collect();
    for path in repository.files_named("Cargo.toml") {
        let manifest = Manifest::parse(path, &repository.read(path));
        let table = if path == "Cargo.toml" { "workspace.package" } else { "package" };
        let own = manifest.value(table, "license") == Some("MIT OR Apache-2.0");
        if !own && manifest.value(table, "license.workspace") != Some("true") {
            places.push(format!("{path}: [{table}] is not under \"MIT OR Apache-2.0\""));
        }
    }
    check("every package is under the MIT licence or Apache 2.0, as the user likes", places);
}

#[test]
fn workspace_dependencies_are_used() {
    let repository = Repository::open();
    let root = Manifest::parse("Cargo.toml", &repository.read("Cargo.toml"));
    let members = repository.members();
    let used: BTreeSet<String> =
        members.iter().flat_map(|m| m.dependencies()).map(|entry| entry.name).collect();
    let places = root
        .dependencies()
        .filter(|entry| !used.contains(&entry.name) && !entry.name.starts_with("taper"))
        .map(|entry| format!("Cargo.toml:{}: no crate uses {}", entry.line, entry.name))
        .collect();
    check("[workspace.dependencies] lists what is used", places);
}

#[test]
fn sources_are_short_and_finished_and_say_what_they_are_about() {
    let repository = Repository::open();
    let mut rules: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for path in repository.files_named(".rs") {
        let text = repository.read(path);
        let lines = text.lines().count();
        if lines > MAX_LINES {
            rules
                .entry("a source file is about one thing")
                .or_default()
                .push(format!("{path}: {lines} lines"));
        }
        if !source::is_part_of_tests(path) && !source::opens_with_a_doc_comment(&text) {
            rules.entry("a source file opens with `//!`").or_default().push(format!("{path}:1"));
        }
        for (line, word) in source::unfinished(&text) {
            rules.entry("code is finished").or_default().push(format!("{path}:{line}: {word}!"));
        }
        if !path.starts_with(UNSAFE_PLACE) {
            let found = source::lines_of_trust(&text).into_iter().map(|line| format!("{path}:{line}"));
            rules.entry("only taper-kernels asks to be trusted").or_default().extend(found);
        }
    }
    rules.retain(|_, places| !places.is_empty());
    let broken = rules.iter().map(|(rule, places)| format!("{rule}\n    {}", places.join("\n    ")));
    check("sources are short, finished and explained", broken.collect());
}

#[test]
fn no_large_file_is_committed() {
    let repository = Repository::open();
    let places = repository
        .files
        .iter()
        .map(|path| (path, repository.size(path)))
        .filter(|(_, bytes)| *bytes > MAX_BYTES)
        .map(|(path, bytes)| format!("{path}: {bytes} bytes"))
        .collect();
    check("large files are made or downloaded, not committed", places);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let repository = Repository::open();
    let is_there = |path: &str| {
        path.is_empty()
            || repository
                .files
                .iter()
                .any(|file| file == path || file.strip_prefix(path).is_some_and(|rest| rest.starts_with('/')))
    };
    let mut places = Vec::new();
    for page in repository.files_named(".md") {
        let text = repository.read(page);
        for link in links::links(&text) {
            let target = if link.path.is_empty() { page.to_owned() } else { links::resolve(page, link.path) };
            if !is_there(&target) {
                places.push(format!("{page}:{}: there is no {target}", link.line));
                continue;
            }
            let Some(heading) = link.heading.filter(|_| target.ends_with(".md")) else { continue };
            if !links::headings(&repository.read(&target)).iter().any(|title| title == heading) {
                places.push(format!("{page}:{}: {target} has no heading #{heading}", link.line));
            }
        }
    }
    check("links between pages lead somewhere", places);
}
