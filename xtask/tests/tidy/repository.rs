//! The files of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::manifest::Manifest;

/// The root folder and the committed files below it.
pub(crate) struct Repository {
    root: PathBuf,
    /// Relative to the root, with `/` between folders, sorted.
    pub(crate) files: Vec<String>,
}

impl Repository {
    pub(crate) fn open() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let mut files = if root.join(".git").exists() { committed(&root) } else { below(&root, "") };
        files.retain(|path| root.join(path).is_file());
        files.sort();
        assert!(files.iter().any(|path| path == "xtask/Cargo.toml"), "{} holds no xtask", root.display());
        Self { root, files }
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.root.join(path)).unwrap_or_else(|error| panic!("cannot read {path}: {error}"))
    }

    pub(crate) fn size(&self, path: &str) -> u64 {
        fs::metadata(self.root.join(path)).unwrap().len()
    }

    /// The files whose path ends with `end`.
    pub(crate) fn files_named<'a>(&'a self, end: &'a str) -> impl Iterator<Item = &'a str> {
        self.files.iter().map(String::as_str).filter(move |path| path.ends_with(end))
    }

    /// The manifests of the workspace's members: `crates/*`, `benches` and `xtask`.
    pub(crate) fn members(&self) -> Vec<Manifest> {
        let is_member = |path: &&str| {
            let folders: Vec<&str> = path.split('/').collect();
            matches!(folders[..], ["crates", _, "Cargo.toml"] | ["benches" | "xtask", "Cargo.toml"])
        };
        let paths = self.files_named("Cargo.toml").filter(is_member);
        paths.map(|path| Manifest::parse(path, &self.read(path))).collect()
    }
}

/// What git knows of, whatever else lies about in the folder.
fn committed(root: &Path) -> Vec<String> {
    let output = Command::new("git").arg("-C").arg(root).args(["ls-files", "-z"]).output();
    match output {
        Ok(output) if output.status.success() => {
            let text = String::from_utf8(output.stdout).unwrap();
            text.split_terminator('\0').map(str::to_owned).collect()
        }
        _ => below(root, ""), // no git on this machine
    }
}

/// All files below `root/folder`, but for what a build or a run leaves there.
fn below(root: &Path, folder: &str) -> Vec<String> {
    let mut files = Vec::new();
    for entry in fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if name.starts_with("target") || ["runs", ".git", ".venv", "__pycache__"].contains(&name.as_str()) {
            continue;
        }
        let path = if folder.is_empty() { name } else { format!("{folder}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            files.extend(below(root, &path));
        } else {
            files.push(path);
        }
    }
    files
}
