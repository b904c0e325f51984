//! Pictures to be classified, and those of folders.
#![no_main]

use libfuzzer_sys::Corpus;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| -> Corpus { taper_fuzz::run_unless_large("picture", bytes) });
