//! Weights by name, and constants as ONNX has them.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor, TensorId};

use super::{Emitted, Trouble, data_type};
use crate::onnx;

/// The names of the model's weights.
#[derive(Debug, Clone, Default)]
pub(in crate::flow) struct Names {
    by_name: BTreeMap<String, Tensor>,
    #[allow(clippy::disallowed_types, reason = "looked up, never iterated over")]
    by_id: std::collections::HashMap<TensorId, String>,
}

impl Names {
    /// Adds named weights; of two names of one tensor, the first in alphabetical order counts.
    pub(in crate::flow) fn extend(&mut self, weights: impl IntoIterator<Item = (String, Tensor)>) {
        self.by_name.extend(weights);
        self.by_id.clear();
        for (name, tensor) in self.by_name.iter().rev() {
            self.by_id.insert(tensor.id(), name.clone());
        }
    }

    /// Gives `tensor` the name `name`, in the place of what bore it.
    pub(in crate::flow) fn alias(&mut self, tensor: &Tensor, name: String) {
        if let Some(old) = self.by_name.insert(name.clone(), tensor.clone()) {
            self.by_id.remove(&old.id());
        }
        self.by_id.insert(tensor.id(), name);
    }

    /// Whether something bears this name.
    pub(in crate::flow) fn has(&self, name: &str) -> bool {
        self.by_name.contains_key(name)
    }

    /// The name of a weight.
    pub(in crate::flow) fn of(&self, tensor: &Tensor) -> Option<&str> {
        self.by_id.get(&tensor.id()).map(String::as_str)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }
}

/// A constant's type, sizes and bytes.
pub(super) fn data(tensor: &Tensor) -> Emitted<onnx::Tensor> {
    let Some(data_type) = data_type(tensor.dtype()) else {
        let reason = format!("it reads a constant of type {:?}", tensor.dtype());
        return Err(Trouble::Refuse(reason, "convert it with `to_dtype` to f16 or f32"));
    };
    let tensor = if tensor.dtype() == DType::U32 { &tensor.to_dtype(DType::I64)? } else { tensor };
    let mut bytes = Vec::with_capacity(tensor.elem_count() * tensor.dtype().size_in_bytes());
    tensor.write_bytes(&mut bytes)?;
    Ok(onnx::Tensor::raw(data_type, tensor.dims(), bytes))
}
