//! Taper's readers under libFuzzer; see `.ci/fuzz`.

pub mod targets;

use std::alloc::System;
use std::io::Cursor;
use std::panic::{catch_unwind, set_hook};
use std::path::Path;
use std::sync::{Mutex, OnceLock};

use cap::Cap;
use image::ImageReader;
// What the watched crates call is in it, also in a program that does not fuzz.
use libfuzzer_sys::Corpus;
use tempfile::TempDir;

use targets::Target;

/// Counts what is held, and refuses what would be too much.
#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// Where the last panic was, and why.
static LAST_PANIC: Mutex<String> = Mutex::new(String::new());

/// The target of that name, and a folder for its inputs.
fn reader(target: &str) -> &'static (Target, TempDir) {
    static READER: OnceLock<(Target, TempDir)> = OnceLock::new();
    READER.get_or_init(|| {
        // The Parquet reader catches the assertions of its decoder. What is caught is no finding, so that the hook that
        // ends the process at every panic has to go.
        set_hook(Box::new(|panic| {
            if let Ok(mut last) = LAST_PANIC.lock() {
                *last = panic.to_string();
            }
        }));
        let target = targets::named(target).expect("a program is named as its target");
        (target, tempfile::tempdir().expect("a folder for the input"))
    })
}

/// Reads `bytes` within the memory that `target` may take. Ends the process if the reader panics; the allocator does if it
/// takes more.
pub fn run(target: &str, bytes: &[u8]) {
    let (target, folder) = reader(target);
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

/// Pixels of a picture that is decoded at once.
const FEW: u32 = 64 * 64;

/// Of larger pictures, one in so many is decoded: a file of a few bytes may hold 16 million pixels, and would take the time of thousands
/// of others. Which, their bytes decide.
const ONE_IN: u32 = 1024;

/// As [`run`], but passes over most large pictures once their header has been read.
pub fn run_unless_large(target: &str, bytes: &[u8]) -> Corpus {
    // Before anything is read, so that no panic that is caught ends the process.
    reader(target);
    let pixels = || {
        let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().ok()?;
        let (width, height) = reader.into_dimensions().ok()?;
        Some(width.saturating_mul(height))
    };
    let number = bytes.iter().fold(0u32, |number, &byte| number.wrapping_mul(31).wrapping_add(byte.into()));
    // A decoder that panics does so for the target as well.
    if !number.is_multiple_of(ONE_IN) && catch_unwind(pixels).is_ok_and(|pixels| pixels > Some(FEW)) {
        return Corpus::Reject;
    }
    run(target, bytes);
    Corpus::Keep
}
