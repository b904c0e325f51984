//! IDX files, plain and compressed.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::run("idx", bytes));
