//! As much of `Cargo.toml` as the rules need: tables, keys and one-line values.

/// The kind of a dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Normal,
    Dev,
    Build,
    Workspace,
}

/// A line of a table of dependencies.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) section: Section,
    /// Says `workspace = true`, and no version or path of its own.
    pub(crate) from_workspace: bool,
    pub(crate) line: usize,
}

/// A `Cargo.toml`.
pub(crate) struct Manifest {
    pub(crate) path: String,
    pub(crate) name: String,
    /// Table, key and value, and the number of the line.
    values: Vec<(String, String, String, usize)>,
}

impl Manifest {
    pub(crate) fn parse(path: &str, text: &str) -> Self {
        let mut table = String::new();
        let mut values = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with('#') {
                continue;
            }
            if let Some(header) = line.strip_prefix('[') {
                table = header.split(']').next().unwrap_or_default().trim_matches('[').to_owned();
            } else if let Some((key, value)) = line.split_once('=') {
                let value = value.trim().trim_matches('"').to_owned();
                values.push((table.clone(), key.trim().to_owned(), value, index + 1));
            }
        }
        let mut manifest = Self { path: path.to_owned(), name: String::new(), values };
        manifest.name = manifest.value("package", "name").unwrap_or_default().to_owned();
        manifest
    }

    /// The value of a key, without quotes.
    pub(crate) fn value(&self, table: &str, key: &str) -> Option<&str> {
        let mut values = self.values.iter();
        values.find(|(t, k, ..)| t == table && k == key).map(|(_, _, value, _)| value.as_str())
    }

    /// Every feature, and whether it is one of the default ones.
    pub(crate) fn features(&self) -> impl Iterator<Item = (String, bool)> {
        let default = self.value("features", "default").unwrap_or_default();
        let own = self.values.iter().filter(|(table, key, ..)| table == "features" && key != "default");
        own.map(move |(_, key, ..)| (key.clone(), default.contains(&format!("\"{key}\""))))
    }

    /// Every dependency of every section, those of single targets included. One that is written as a table of its
    /// own, `[dependencies.name]`, is counted once a line, so that no spelling goes unseen.
    pub(crate) fn dependencies(&self) -> impl Iterator<Item = Dependency> {
        self.values.iter().filter_map(|(table, key, value, line)| {
            let (section, own_table) = section(table)?;
            let (name, workspace) = match own_table {
                Some(name) => (name, key == "workspace" && value == "true"),
                None => match key.split_once('.') {
                    Some((name, attribute)) => (name, attribute == "workspace" && value == "true"),
                    None => (key.as_str(), is_from_workspace(value)),
                },
            };
            let name = name.trim_matches('"').to_owned();
            Some(Dependency { name, section, from_workspace: workspace, line: *line })
        })
    }
}

/// The section that a table belongs to, and the dependency's name in `[dependencies.name]`.
fn section(table: &str) -> Option<(Section, Option<&str>)> {
    let table = match table.strip_prefix("target.") {
        Some(rest) => {
            &rest[rest.rfind("dependencies").map(|at| rest[..at].rfind('.').map_or(0, |dot| dot + 1))?..]
        }
        None => table,
    };
    let (kind, name) = match table.split_once("dependencies") {
        Some((kind, "")) => (kind, None),
        Some((kind, rest)) => (kind, Some(rest.strip_prefix('.')?)),
        None => return None,
    };
    let section = match kind {
        "" => Section::Normal,
        "dev-" => Section::Dev,
        "build-" => Section::Build,
        "workspace." => Section::Workspace,
        _ => return None,
    };
    Some((section, name))
}

/// Reads `{ workspace = true, optional = true }`.
fn is_from_workspace(value: &str) -> bool {
    let Some(fields) = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else { return false };
    let keys: Vec<&str> =
        fields.split(',').filter_map(|field| field.split('=').next()).map(str::trim).collect();
    keys.contains(&"workspace") && !keys.contains(&"version") && !keys.contains(&"path")
}

#[test]
fn dependencies_are_found_in_every_spelling() {
    let text = r#"
[package]
name = "example" # not a dependency

[dependencies]
# a comment = "1"
plain = "1.0"
dotted.workspace = true
inline = { workspace = true, optional = true }
both = { workspace = true, version = "2" }

[dev-dependencies]
tool.workspace = true
[build-dependencies]
builder = { path = "../builder" }
[target.'cfg(unix)'.dependencies]
unix.workspace = true
[target.'cfg(any(unix, target_os = "wasi"))'.dev-dependencies]
wasi.workspace = true
[dependencies.table]
workspace = true
[features]
default = ["more"]
more = ["dep:inline"]
most = ["more"]
"#;
    let manifest = Manifest::parse("Cargo.toml", text);
    let found: Vec<_> = manifest
        .dependencies()
        .map(|entry| (entry.name, entry.section, entry.from_workspace, entry.line))
        .collect();
    let expected = [
        ("plain", Section::Normal, false, 7),
        ("dotted", Section::Normal, true, 8),
        ("inline", Section::Normal, true, 9),
        ("both", Section::Normal, false, 10),
        ("tool", Section::Dev, true, 13),
        ("builder", Section::Build, false, 15),
        ("unix", Section::Normal, true, 17),
        ("wasi", Section::Dev, true, 19),
        ("table", Section::Normal, true, 21),
    ];
    assert_eq!(
        found,
        expected.map(|(name, section, workspace, line)| (name.to_owned(), section, workspace, line))
    );
    let features: Vec<_> = manifest.features().collect();
    assert_eq!(features, [("more".to_owned(), true), ("most".to_owned(), false)]);
}
