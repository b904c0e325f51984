//! Reading `fixtures/` and comparing with it.

use std::path::PathBuf;
use taper_graph::{Graph, Op};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde_json::Value;

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

pub(crate) fn json(name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path(name)).unwrap()).unwrap()
}

/// The tensors of one fixture file.
pub(crate) struct Tensors(Vec<u8>);

impl Tensors {
    pub(crate) fn open(name: &str) -> Self {
        Self(std::fs::read(path(name)).unwrap())
    }

    /// Shape and elements, whatever their type; `None` if there is no such tensor.
    pub(crate) fn get(&self, name: &str) -> Option<(Vec<usize>, Vec<f64>)> {
        let file = SafeTensors::deserialize(&self.0).unwrap();
        let view = file.tensor(name).ok()?;
        let data = view.data();
        let elements = match view.dtype() {
            safetensors::Dtype::F32 => {
                data.as_chunks::<4>().0.iter().map(|b| f64::from(f32::from_le_bytes(*b))).collect()
            }
            safetensors::Dtype::F64 => {
                data.as_chunks::<8>().0.iter().map(|b| f64::from_le_bytes(*b)).collect()
            }
            safetensors::Dtype::I64 => {
                data.as_chunks::<8>().0.iter().map(|b| i64::from_le_bytes(*b) as f64).collect()
            }
            other => panic!("{name} is {other:?}"),
        };
        Some((view.shape().to_vec(), elements))
    }

    pub(crate) fn elements(&self, name: &str) -> Vec<f64> {
        self.get(name).unwrap_or_else(|| panic!("no tensor {name}")).1
    }

    pub(crate) fn tensor(&self, name: &str) -> Option<Tensor> {
        let (shape, elements) = self.get(name)?;
        let elements: Vec<f32> = elements.iter().map(|&v| v as f32).collect();
        Some(Tensor::from_vec(elements, shape, &Device::Cpu).unwrap())
    }
}

/// ‖found − expected‖ / ‖expected‖, or ‖found‖ if nothing is expected.
pub(crate) fn relative_error(found: &[f32], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: f64 = found.iter().zip(expected).map(|(f, e)| (f64::from(*f) - e).powi(2)).sum();
    let norm: f64 = expected.iter().map(|e| e * e).sum();
    (difference / if norm == 0.0 { 1.0 } else { norm }).sqrt()
}

pub(crate) fn flat(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_vec1().unwrap()
}

/// How far gradients found in two ways may be apart. Behind a batch norm many values lie near 0, and rounding may put one
/// on the other side of ReLU's corner, which changes gradients by that whole element.
pub(crate) fn tolerance(graph: &Graph) -> f64 {
    let has = |wanted: fn(&Op) -> bool| graph.nodes().iter().any(|node| wanted(&node.op));
    let corners = has(|op| matches!(op, Op::BatchNorm2d(_))) && has(|op| *op == Op::Relu);
    if corners { 2e-2 } else { 2e-5 }
}
