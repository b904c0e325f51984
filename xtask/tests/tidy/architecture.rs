//! The tables of ARCHITECTURE.md that the rules compare with the tree.

use std::collections::{BTreeMap, BTreeSet};

/// What ARCHITECTURE.md says.
#[derive(Debug)]
pub(crate) struct Architecture {
    /// Each crate with what it may depend on, from the table under "Crates".
    pub(crate) crates: BTreeMap<String, BTreeSet<String>>,
    /// Each feature of a crate, and whether it is one of its default ones, from the table under "Features".
    pub(crate) features: BTreeMap<(String, String), bool>,
    /// The paths of the table under "Where things live".
    pub(crate) paths: BTreeSet<String>,
}

impl Architecture {
    pub(crate) fn parse(text: &str) -> Self {
        let crates = rows(text, "Crates")
            .into_iter()
            .map(|cells| {
                let [name, .., may] = &cells[..] else {
                    panic!("a row of the table of crates is short: {cells:?}")
                };
                let name = quoted(name).pop().unwrap_or_else(|| panic!("`name` is missing: {cells:?}"));
                (name, quoted(may).into_iter().collect())
            })
            .collect();
        let features = rows(text, "Features").into_iter().map(|cells| {
            let [name, feature, default, ..] = &cells[..] else {
                panic!("a row of the table of features is short: {cells:?}")
            };
            ((quoted(name).concat(), quoted(feature).concat()), default == "yes")
        });
        let features = features.collect();
        let paths = rows(text, "Where things live").into_iter().flat_map(|cells| quoted(&cells[0]));
        let paths = paths.map(|path| path.trim_end_matches('/').to_owned()).collect();
        Self { crates, features, paths }
    }
}

/// The rows of the one table under the heading `## heading`, without its head.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let heading = format!("## {heading}");
    let section = text.lines().skip_while(|line| *line != heading).skip(1);
    let rows: Vec<Vec<String>> = section
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix('|')?.strip_suffix('|'))
        .map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect();
    assert!(rows.len() > 2, "ARCHITECTURE.md has no table under \"{heading}\"");
    rows[2..].to_vec()
}

/// The words in backticks.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn tables_are_read() {
    let text = "\
# Title
## Crates
Text with a `word`.

| crate | holds | may depend on |
| --- | --- | --- |
| `a` | things of `no` interest | nothing |
| `b` | | `a`, `candle-core` |

## Where things live
| path | what |
| --- | --- |
| `crates/` | |
| `LICENSE-MIT`, `.ci/run` | |
## Features
| crate | feature | default | brings |
| --- | --- | --- | --- |
| `a` | `fast` | yes | `b/fast` |
| `a` | `slow` | no | |
## End
| `c` | | |
";
    let architecture = Architecture::parse(text);
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    assert_eq!(
        architecture.crates,
        BTreeMap::from([("a".to_owned(), set(&[])), ("b".to_owned(), set(&["a", "candle-core"]))])
    );
    let feature = |name: &str| ("a".to_owned(), name.to_owned());
    assert_eq!(architecture.features, BTreeMap::from([(feature("fast"), true), (feature("slow"), false)]));
    assert_eq!(architecture.paths, set(&["crates", "LICENSE-MIT", ".ci/run"]));
}

#[test]
#[should_panic(expected = "no table under")]
fn a_missing_table_is_not_an_empty_one() {
    rows("# Title\n## Crates\nNone.\n", "Crates");
}
