//! Ships a trained network: as safetensors, which PyTorch loads, and as ONNX, which every runtime loads.
//!
//! A model written by hand in candle becomes a verified ONNX file; only the signature of its forward is generic:
//!
//! ```
//! use candle_core::{DType, Device, Result, Tensor};
//! use candle_nn::{Conv2d, Linear, VarBuilder, VarMap, conv2d, linear};
//! use taper_export::flow::{Export, Flow, Layer};
//!
//! struct Net { conv: Conv2d, head: Linear }
//!
//! impl Layer for Net {
//!     fn forward<F: Flow>(&self, xs: &F) -> Result<F> {
//!         xs.apply(&self.conv)?.relu()?.max_pool2d(2)?.flatten_from(1)?.apply(&self.head)
//!     }
//! }
//!
//! let vars = VarMap::new();
//! let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
//! let (conv, head) = (conv2d(1, 4, 3, Default::default(), vb.pp("conv"))?, linear(36, 10, vb.pp("head"))?);
//! let sample = Tensor::rand(0f32, 1f32, (4, 1, 8, 8), &Device::Cpu)?;
//! let export = Export::new("net").weights(&vars).input("image", &sample, &[(0, "N")]).output("logits");
//! # let folder = tempfile::tempdir()?;
//! let path = folder.path().join("net.onnx");
//! let exported = export.write(&path, &Net { conv, head })?;
//! assert!(exported.verification.max_abs_diff < 1e-4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! [`flow`] says what changes in a model and what can be recorded. A Taper [`Graph`](taper_graph::Graph) goes through
//! [`export`], or in int8 through [`export_int8`]; [`quantize`] does the same to a file of any origin. Below all lies
//! [`onnx`]: a typed graph builder with its own shape inference, for whoever writes nodes directly.
//!
//! A file is verified before it is kept: its own bytes are run in [rten](https://github.com/robertknight/rten), an
//! independent runtime, and the answers compared with the model's. Nothing here needs `protoc` or Python. The
//! features `candle` and `verify` can be left out: [`onnx::lower`] still writes the same bytes, from plain arrays.
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
pub mod quantize;
pub mod safetensors;

#[cfg(feature = "verify")]
mod expect;
#[cfg(feature = "verify")]
mod export;
#[cfg(feature = "verify")]
mod verify;

#[cfg(feature = "verify")]
pub use export::{Calibration, ExportError, Exported, Int8, export, export_int8};
pub use metadata::{DatasetInfo, Metadata, Normalization};
#[cfg(feature = "verify")]
pub use verify::{Agreement, RUNTIME, Sample, TOLERANCE, Verification, VerifyError, agreement, verify};
