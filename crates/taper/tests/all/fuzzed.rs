//! Inputs that fuzzing found, or that claim to be huge: every reader gives data or an error. `.ci/fuzz` looks for more, and
//! counts the memory they take.

use std::fs;
use std::path::Path;

use crate::targets;

#[test]
fn what_was_found_is_read_or_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/fuzz");
    let folder = tempfile::tempdir().unwrap();
    let mut inputs = 0;
    for found in fs::read_dir(&fixtures).unwrap() {
        let found = found.unwrap();
        let target = targets::named(found.file_name().to_str().unwrap());
        let target = target.unwrap_or_else(|| panic!("no target has the name of {found:?}"));
        for input in fs::read_dir(found.path()).unwrap() {
            (target.read)(folder.path(), &fs::read(input.unwrap().path()).unwrap());
            inputs += 1;
        }
    }
    assert!(inputs > 0, "{} is empty", fixtures.display());
}
