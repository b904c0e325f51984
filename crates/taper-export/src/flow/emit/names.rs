//! Weights by name, and constants as ONNX has them.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use candle_core::{DType, Result, Tensor, TensorId};

use super::super::call::Kind;
use super::super::merge::Step;
use super::super::wire::Source;
use super::{Emitted, Trouble, data_type};
use crate::onnx::{self, DataType};

/// The names of the model's weights.
#[derive(Debug, Clone, Default)]
pub(in crate::flow) struct Names {
    by_name: BTreeMap<String, Tensor>,
    #[allow(clippy::disallowed_types, reason = "looked up, never iterated over")]
    by_id: std::collections::HashMap<TensorId, String>,
    /// Names that go to whatever holds the same numbers.
    by_content: BTreeSet<String>,
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

    /// Adds named weights whose tensors the model may hold copies of.
    pub(in crate::flow) fn extend_by_content(&mut self, weights: impl IntoIterator<Item = (String, Tensor)>) {
        let weights: Vec<(String, Tensor)> = weights.into_iter().collect();
        self.by_content.extend(weights.iter().map(|(name, _)| name.clone()));
        self.extend(weights);
    }

    /// Gives `tensor` the name `name`, in the place of what bore it.
    pub(in crate::flow) fn alias(&mut self, tensor: &Tensor, name: String) {
        if let Some(old) = self.by_name.insert(name.clone(), tensor.clone()) {
            self.by_id.remove(&old.id());
        }
        self.by_id.retain(|_, known| *known != name);
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

    /// The name of a weight, or of the weight whose elements these are, in another shape or order.
    pub(super) fn of_source(&self, source: &Source) -> Option<&str> {
        let Source::Constant(tensor, origin) = source else { return None };
        self.of(tensor).or_else(|| {
            let (event, _) = origin.as_ref()?;
            let keeps = keeps_elements(&event.call.kind) || matches!(event.call.kind, Kind::Permute(_));
            self.of_source(event.inputs.first().filter(|_| keeps)?)
        })
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// Finds the names of weights that the steps read copies of.
    pub(in crate::flow) fn find(&mut self, steps: &[Step]) -> Result<()> {
        if self.by_content.is_empty() {
            return Ok(());
        }
        let mut index = Index::default();
        let mut given = BTreeSet::new();
        for step in steps {
            let mut read = Vec::new();
            step.inputs.iter().for_each(|source| constants(source, &mut read));
            let mut several = Vec::new();
            let mut layer = None;
            for tensor in read {
                let candidates = match self.of(tensor) {
                    Some(name) => vec![name.to_owned()],
                    None => index.names(&self.by_name, &self.by_content, tensor)?,
                };
                match &candidates[..] {
                    [] => {}
                    [name] => {
                        layer = layer.or_else(|| name.rsplit_once('.').map(|(layer, _)| layer.to_owned()));
                        given.insert(name.clone());
                        self.by_id.insert(tensor.id(), name.clone());
                    }
                    _ => several.push((tensor.id(), candidates)),
                }
            }
            // Norms of two layers may hold the same ones and zeros.
            for (id, candidates) in several {
                let is_near = |name: &&String| {
                    layer.is_some() && name.rsplit_once('.').map(|(layer, _)| layer) == layer.as_deref()
                };
                let is_free = |name: &&String| !given.contains(*name);
                let near = candidates.iter().find(is_near);
                if let Some(name) = near.or_else(|| candidates.iter().find(is_free)).or(candidates.first()) {
                    given.insert(name.clone());
                    self.by_id.insert(id, name.clone());
                }
            }
        }
        Ok(())
    }
}

/// The constants that a value is made of.
fn constants<'a>(source: &'a Source, found: &mut Vec<&'a Tensor>) {
    if let Source::Constant(tensor, origin) = source {
        found.push(tensor);
        if let Some((event, _)) = origin {
            event.inputs.iter().for_each(|source| constants(source, found));
        }
    }
}

/// An element type and sizes.
type Form = (&'static str, Vec<usize>);

/// Names by the form of their tensors, and by a number that follows from the elements.
#[derive(Default)]
struct Index(BTreeMap<Form, BTreeMap<u64, Vec<String>>>);

impl Index {
    /// The names that hold the numbers of `tensor`, in its element type.
    fn names(
        &mut self,
        by_name: &BTreeMap<String, Tensor>,
        wanted: &BTreeSet<String>,
        tensor: &Tensor,
    ) -> Result<Vec<String>> {
        let (dtype, dims) = (tensor.dtype(), tensor.dims());
        let key = (dtype.as_str(), dims.to_vec());
        if !self.0.contains_key(&key) {
            let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
            let alike = wanted.iter().filter_map(|name| Some((name, by_name.get(name)?)));
            for (name, known) in alike.filter(|(_, known)| known.dims() == dims) {
                names.entry(digest(&known.to_dtype(dtype)?)?).or_default().push(name.clone());
            }
            self.0.insert(key.clone(), names);
        }
        let Some(names) = self.0.get(&key).filter(|names| !names.is_empty()) else { return Ok(Vec::new()) };
        Ok(names.get(&digest(tensor)?).cloned().unwrap_or_default())
    }
}

fn digest(tensor: &Tensor) -> Result<u64> {
    let mut bytes = Vec::with_capacity(tensor.elem_count() * tensor.dtype().size_in_bytes());
    tensor.write_bytes(&mut bytes)?;
    Ok(digest_of(&bytes))
}

/// The same number for the same bytes, on every run.
pub(super) fn digest_of(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Whether what an operation makes has the elements of its input, in the same order.
pub(super) fn keeps_elements(kind: &Kind) -> bool {
    matches!(kind, Kind::Reshape | Kind::Unsqueeze { .. } | Kind::Squeeze { .. })
}

/// A constant's type, sizes and bytes.
pub(super) fn data(tensor: &Tensor) -> Emitted<onnx::Tensor> {
    let (data_type, bytes) = raw(tensor)?;
    Ok(onnx::Tensor::raw(data_type, tensor.dims(), bytes))
}

/// A constant's type and bytes.
pub(super) fn raw(tensor: &Tensor) -> Emitted<(DataType, Vec<u8>)> {
    let Some(data_type) = data_type(tensor.dtype()) else {
        let reason = format!("it reads a constant of type {:?}", tensor.dtype());
        return Err(Trouble::Refuse(reason, "convert it with `to_dtype` to f16 or f32"));
    };
    let tensor = if tensor.dtype() == DType::U32 { &tensor.to_dtype(DType::I64)? } else { tensor };
    let mut bytes = Vec::with_capacity(tensor.elem_count() * tensor.dtype().size_in_bytes());
    tensor.write_bytes(&mut bytes)?;
    Ok((data_type, bytes))
}
