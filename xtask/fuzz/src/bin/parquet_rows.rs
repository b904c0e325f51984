//! Parquet files with a PNG in each row.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::run("parquet_rows", bytes));
