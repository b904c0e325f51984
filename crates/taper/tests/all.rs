//! The program itself: a whole run, its repetition, and every kind of bad input.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/bad_input.rs"]
mod bad_input;
#[path = "all/export_options.rs"]
mod export_options;
#[path = "all/fuzzed.rs"]
mod fuzzed;
#[path = "all/program.rs"]
mod program;
#[path = "all/recipes.rs"]
mod recipes;
#[path = "all/resume.rs"]
mod resume;
#[path = "all/runs.rs"]
mod runs;
#[path = "../../../xtask/fuzz/src/targets.rs"]
#[allow(dead_code, unreachable_pub, reason = "the fuzzer needs more of it")]
mod targets;
