//! The exporter against independent readers: rten, candle-onnx, and a naive forward in f64.
#![allow(clippy::unwrap_used, missing_docs)]
#![allow(clippy::disallowed_types, reason = "what the oracles take")]

#[path = "all/defects.rs"]
mod defects;
#[path = "all/export_docs.rs"]
mod export_docs;
#[path = "all/external.rs"]
mod external;
#[path = "all/flow.rs"]
mod flow;
#[path = "all/inspect.rs"]
mod inspect;
#[path = "all/lowering.rs"]
mod lowering;
#[path = "all/networks.rs"]
mod networks;
#[path = "all/options.rs"]
mod options;
#[path = "all/oracle.rs"]
mod oracle;
#[path = "all/pooling.rs"]
mod pooling;
#[path = "all/presets.rs"]
mod presets;
#[path = "all/profiles.rs"]
mod profiles;
#[path = "all/pytorch.rs"]
mod pytorch;
#[path = "all/quantize.rs"]
mod quantize;
#[path = "all/read.rs"]
mod read;
#[path = "all/read_foreign.rs"]
mod read_foreign;
#[path = "all/reference.rs"]
mod reference;
#[path = "all/rules.rs"]
mod rules;
#[path = "all/safetensors.rs"]
mod safetensors;
#[path = "all/trained.rs"]
mod trained;
#[path = "all/verify.rs"]
mod verify;
#[path = "all/wire_format.rs"]
mod wire_format;
#[path = "all/written.rs"]
mod written;
