//! Shapes, the window formula, network files and weights: against PyTorch's answers, brute force and by the message.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "all/adapt.rs"]
mod adapt;
#[path = "all/files.rs"]
mod files;
#[path = "all/graphs.rs"]
mod graphs;
#[path = "all/inference.rs"]
mod inference;
#[path = "all/presets.rs"]
mod presets;
#[path = "all/refusals.rs"]
mod refusals;
#[path = "all/round_trip.rs"]
mod round_trip;
#[path = "all/support.rs"]
mod support;
#[path = "all/weights.rs"]
mod weights;
#[path = "all/windows.rs"]
mod windows;
