//! Models written by hand in candle: every method and layer, whole networks, and what is refused.

#[path = "flow/cases.rs"]
pub(crate) mod cases;
#[path = "flow/check.rs"]
pub(crate) mod check;
#[path = "flow/files.rs"]
mod files;
#[path = "flow/refusals.rs"]
mod refusals;
