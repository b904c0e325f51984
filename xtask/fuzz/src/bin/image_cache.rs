//! The decoded images of a folder.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::run("image_cache", bytes));
