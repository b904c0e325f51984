//! The constants of a graph: its initialisers, and what its `Constant` nodes make.

use std::collections::BTreeMap;

use taper_graph::Array;

use crate::onnx::data::check_data;
use crate::onnx::proto::{GraphProto, TensorProto};
use crate::onnx::tensor::DataType;

/// The constants of a graph by name.
pub(super) struct Constants<'a> {
    tensors: BTreeMap<&'a str, &'a TensorProto>,
}

impl<'a> Constants<'a> {
    pub(super) fn of(graph: &'a GraphProto) -> Self {
        let mut tensors: BTreeMap<&str, &TensorProto> =
            graph.initializer.iter().map(|tensor| (tensor.name.as_str(), tensor)).collect();
        for node in graph.node.iter().filter(|node| node.op_type == "Constant") {
            let value = node.attribute.iter().find(|attribute| attribute.name == "value");
            let tensor = value.and_then(|attribute| attribute.t.as_ref());
            if let (Some(name), Some(tensor)) = (node.output.first(), tensor) {
                tensors.insert(name, tensor);
            }
        }
        Self { tensors }
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The constant as f32, if there is one of that name; the text says why it cannot be read.
    pub(super) fn array(&self, name: &str) -> Option<Result<Array, String>> {
        self.tensors.get(name).map(|tensor| array(tensor))
    }

    /// The one number of a constant.
    pub(super) fn scalar(&self, name: &str) -> Option<f32> {
        match &self.array(name)?.ok()?.data[..] {
            [number] => Some(*number),
            _ => None,
        }
    }

    /// The numbers of a constant `[1, C, 1, 1]` or `[C, 1, 1]`, as images are normalised by.
    pub(super) fn per_channel(&self, name: &str) -> Option<Vec<f32>> {
        let array = self.array(name)?.ok()?;
        let channels = array.shape.len().checked_sub(3)?;
        let is_one = |(place, size): (usize, &usize)| place == channels || *size == 1;
        let fits = channels <= 1 && array.shape.iter().enumerate().all(is_one);
        fits.then_some(array.data)
    }

    /// The elements of a constant of whole numbers.
    pub(super) fn whole(&self, name: &str) -> Option<Vec<i64>> {
        let tensor = self.tensors.get(name)?;
        if !tensor.external_data.is_empty() || check_data(tensor).ok()? != DataType::Int64 {
            return None;
        }
        if tensor.raw_data.is_empty() {
            return Some(tensor.int64_data.clone());
        }
        Some(tensor.raw_data.as_chunks().0.iter().map(|raw| i64::from_le_bytes(*raw)).collect())
    }
}

fn array(tensor: &TensorProto) -> Result<Array, String> {
    if !tensor.external_data.is_empty() {
        let advice = "save the model with its weights inside (in Python: `onnx.save(onnx.load(path), path)`)";
        return Err(format!("its elements lie in another file; {advice}"));
    }
    match check_data(tensor)? {
        DataType::Float32 => {}
        other => return Err(format!("it is of {other}; only float32 is read")),
    }
    let shape = tensor.dims.iter().map(|&size| size as usize).collect();
    let data = if tensor.raw_data.is_empty() {
        tensor.float_data.clone()
    } else {
        tensor.raw_data.as_chunks().0.iter().map(|raw| f32::from_le_bytes(*raw)).collect()
    };
    Ok(Array { shape, data })
}
