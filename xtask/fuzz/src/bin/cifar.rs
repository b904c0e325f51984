//! The binary version of CIFAR-10.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| taper_fuzz::run("cifar", bytes));
