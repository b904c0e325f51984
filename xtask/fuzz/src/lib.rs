//! Taper's readers under libFuzzer; see `.ci/fuzz`.

pub mod targets;

use std::alloc::System;
use std::panic::{catch_unwind, set_hook};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use cap::Cap;
// What the watched crates call is in it, also in a program that does not fuzz.
use libfuzzer_sys as _;
use tempfile::TempDir;

use targets::Target;

/// Counts what is held, and refuses what would be too much.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Where the last panic was, and why.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// Reads `bytes` within the memory that `target` may take. Ends the process if the reader panics; the allocator does if it
/// takes more.
pub fn run(target: &str, bytes: &[u8]) {
    static READER: OnceLock<(Target, TempDir)> = OnceLock::new();
    let (target, folder) = READER.get_or_init(|| {
        // The Parquet reader catches the assertions of its decoder. What is caught is no finding, so that the hook that
        // ends the process at every panic has to go.
        set_hook(Box::new(|panic| {
            if let Ok(mut last) = LAST_PANIC.lock() {
                *last = panic.to_string();
            }
        }));
        let target = targets::named(target).expect("a program is named as its target");
        (target, tempfile::tempdir().expect("a folder for the input"))
    });
    let folder: &Path = folder.path();
    let budget = target.fixed + target.memory * bytes.len();
    MEMORY.set_limit(MEMORY.allocated() + budget).expect("more than is held");
    let outcome = catch_unwind(|| (target.read)(folder, bytes));
    MEMORY.set_limit(usize::MAX).expect("no limit is below what is held");
    if outcome.is_err() {
        eprintln!("{}", LAST_PANIC.lock().map(|last| last.clone()).unwrap_or_default());
        std::process::abort();
    }
}
