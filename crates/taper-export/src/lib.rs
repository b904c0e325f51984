//! Ships a trained network: as safetensors, which PyTorch loads, and as ONNX, which every runtime loads.
//!
//! An ONNX file is verified before it is kept: [`export`] lowers the [`Graph`](taper_graph::Graph), loads the
//! file's own bytes in [rten](https://github.com/robertknight/rten), an independent runtime, and compares what it
//! answers with what the trained model answered. Nothing here needs `protoc`, Python or a tensor library. Without
//! the feature `verify` the crate has few dependencies and [`onnx::lower`] still writes the same bytes.
//!
//! ```
//! use std::collections::BTreeMap;
//! use taper_export::{Sample, export, onnx};
//! use taper_graph::{Array, Graph, Linear, Op, Weights};
//!
//! // A network that doubles its two inputs, and its weights.
//! let graph = Graph::sequential("double", &[2], [Op::Linear(Linear { out_features: 2, bias: false })])?;
//! let weight = Array { shape: vec![2, 2], data: vec![2.0, 0.0, 0.0, 2.0] };
//! let weights = Weights::new(&graph, BTreeMap::from([("0.weight".to_owned(), weight)]))?;
//!
//! // What the trained model answers on three images.
//! let sample = Sample { count: 3, images: &[1., 2., 3., 4., 5., 6.], logits: &[2., 4., 6., 8., 10., 12.] };
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.onnx");
//! let exported = export(&path, &graph, &weights, &onnx::Options::default(), &sample)?;
//! assert_eq!(exported.verification.max_abs_diff, 0.0);
//!
//! let file = onnx::inspect(&std::fs::read(&path)?)?;
//! assert_eq!(file.outputs[0].to_string(), "logits float32 [N, 2]");
//! println!("{file}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#[cfg(feature = "candle")]
pub mod flow;
mod metadata;
pub mod onnx;
pub mod safetensors;

#[cfg(feature = "verify")]
mod export;
#[cfg(feature = "verify")]
mod verify;

#[cfg(feature = "verify")]
pub use export::{ExportError, Exported, export};
pub use metadata::{DatasetInfo, Metadata, Normalization};
#[cfg(feature = "verify")]
pub use verify::{RUNTIME, Sample, TOLERANCE, Verification, VerifyError, verify};
