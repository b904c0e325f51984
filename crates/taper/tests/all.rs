//! The program itself: a whole run, its repetition, and every kind of bad input.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/bad_input.rs"]
mod bad_input;
#[path = "all/card.rs"]
mod card;
#[path = "all/compare.rs"]
mod compare;
#[path = "all/demo.rs"]
mod demo;
#[path = "all/docs.rs"]
mod docs;
#[path = "all/export_options.rs"]
mod export_options;
#[path = "all/fuzzed.rs"]
mod fuzzed;
#[path = "all/image_folder.rs"]
mod image_folder;
#[path = "all/image_folder_parts.rs"]
mod image_folder_parts;
#[path = "all/launchers.rs"]
mod launchers;
#[path = "all/locks.rs"]
mod locks;
#[path = "all/program.rs"]
mod program;
#[path = "all/recipes.rs"]
mod recipes;
#[path = "all/report.rs"]
mod report;
#[path = "all/resume.rs"]
mod resume;
#[path = "all/runs.rs"]
mod runs;
#[path = "all/snippets.rs"]
mod snippets;
#[path = "../../../xtask/fuzz/src/targets.rs"]
#[allow(dead_code, unreachable_pub, reason = "the fuzzer needs more of it")]
mod targets;
#[path = "all/terminal.rs"]
mod terminal;
