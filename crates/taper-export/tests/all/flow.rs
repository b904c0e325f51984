//! Models written by hand in candle: every method and layer, whole networks, and what is refused.

#[path = "flow/candle.rs"]
mod candle;
#[path = "flow/cases.rs"]
pub(crate) mod cases;
#[path = "flow/check.rs"]
pub(crate) mod check;
#[path = "flow/constants.rs"]
mod constants;
#[path = "flow/data.rs"]
mod data;
#[path = "flow/files.rs"]
mod files;
#[path = "flow/recurrent.rs"]
mod recurrent;
#[path = "flow/refusals.rs"]
mod refusals;
#[path = "flow/sizes.rs"]
mod sizes;
#[path = "flow/values.rs"]
mod values;
