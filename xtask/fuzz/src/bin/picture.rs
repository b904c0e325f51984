//! Pictures to be classified.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::run("picture", bytes));
