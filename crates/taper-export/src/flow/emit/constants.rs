//! Constants, each once: those that have names under them, others wherever the same numbers are already, and large ones
//! that only repeat small ones as nodes.

use std::collections::{BTreeMap, BTreeSet};

use candle_core::{Device, Tensor, TensorId};

use super::super::call::Kind;
use super::super::merge::Step;
use super::super::wire::{Event, Source};
use super::names::{Names, data, digest_of, keeps_elements, raw};
use super::{Emitted, Emitter};
use crate::onnx::parts::Size;
use crate::onnx::{self, Node, Value};

/// A constant with more elements than this is not stored where a smaller one repeated gives it.
const MOST_REPEATED: usize = 256;

/// What is known of a constant's contents: type, sizes, and a number that follows from its bytes.
type Contents = (i32, Vec<usize>, u64);

/// The constants of a graph.
#[derive(Default)]
pub(super) struct Constants {
    #[allow(clippy::disallowed_types, reason = "looked up, never iterated over")]
    by_id: std::collections::HashMap<TensorId, Value>,
    by_name: BTreeMap<String, Value>,
    by_contents: BTreeMap<Contents, Vec<(Tensor, Value)>>,
    /// The names of weights that are read as they are.
    read: BTreeSet<String>,
}

impl Constants {
    /// Looks which weights are read as they are, and not in another shape alone.
    pub(super) fn expect(&mut self, steps: &[Step], outputs: &[Source], names: &Names) {
        for source in steps.iter().flat_map(|step| &step.inputs).chain(outputs) {
            self.expect_source(source, names);
        }
    }

    fn expect_source(&mut self, source: &Source, names: &Names) {
        let Source::Constant(tensor, origin) = source else { return };
        match (names.of(tensor), origin) {
            (Some(name), _) => {
                self.read.insert(name.to_owned());
            }
            (None, Some((event, _))) if is_worth_nodes(event, tensor, names) => {
                event.inputs.iter().for_each(|source| self.expect_source(source, names));
            }
            _ => {}
        }
    }
}

impl Emitter<'_> {
    /// A constant that `origin` made of others, if it was made.
    pub(super) fn constant(&mut self, tensor: &Tensor, origin: Option<&Event>, title: &str) -> Emitted {
        if let Some(value) = self.constants.by_id.get(&tensor.id()) {
            return Ok(value.clone());
        }
        let value = match (self.names.of(tensor).map(str::to_owned), origin) {
            (Some(name), _) => self.weight(&name, tensor)?,
            (None, Some(event)) if is_worth_nodes(event, tensor, self.names) => self.arranged(event)?,
            (None, origin) => self.unnamed(tensor, origin, title)?,
        };
        self.constants.by_id.insert(tensor.id(), value.clone());
        Ok(value)
    }

    /// A constant under the name of a weight.
    fn weight(&mut self, name: &str, tensor: &Tensor) -> Emitted {
        match self.constants.by_name.get(name) {
            // A weight that was read from its file twice.
            Some(value) if value.fact().sizes == sizes(tensor.dims()) => Ok(value.clone()),
            Some(_) => Ok(self.graph.helper(name, data(tensor)?)?),
            None => {
                let value = self.graph.constant(name, data(tensor)?)?;
                self.constants.by_name.insert(name.to_owned(), value.clone());
                Ok(value)
            }
        }
    }

    /// A constant without a name of its own: a weight in another shape bears the weight's name if nothing else does.
    fn unnamed(&mut self, tensor: &Tensor, origin: Option<&Event>, title: &str) -> Emitted {
        let root =
            origin.filter(|event| keeps_elements(&event.call.kind)).and_then(|event| event.inputs.first());
        if let Some((name, event)) = root.and_then(|root| self.names.of_source(root)).zip(origin) {
            let name = name.to_owned();
            return match self.constants.read.contains(&name) {
                false => self.weight(&name, tensor),
                true => Ok(self.graph.helper(&format!("{name}.{}", event.call.method), data(tensor)?)?),
            };
        }
        let (data_type, bytes) = raw(tensor)?;
        let contents = (data_type.code(), tensor.dims().to_vec(), digest_of(&bytes));
        let alike = self.constants.by_contents.entry(contents).or_default();
        for (known, value) in alike.iter() {
            if raw(known)?.1 == bytes {
                return Ok(value.clone());
            }
        }
        let data = onnx::Tensor::raw(data_type, tensor.dims(), bytes);
        let value = self.graph.helper(&format!("{title}.constant"), data)?;
        alike.push((tensor.clone(), value.clone()));
        Ok(value)
    }

    /// The nodes that make a constant of a smaller one.
    fn arranged(&mut self, event: &Event) -> Emitted {
        let step = Step {
            call: event.call.clone(),
            sizes: sizes(&event.call.sizes),
            open: None,
            inputs: event.inputs.clone(),
            dtypes: event.outputs.iter().map(|made| made.dtype).collect(),
            shapes: Vec::new(),
            at: event.at,
        };
        let title = self.title(&step);
        match (&event.call.kind, &event.outputs[..]) {
            (Kind::Like(number), [made]) => {
                let number = Tensor::new(*number, &Device::Cpu)?.to_dtype(made.dtype)?;
                let number = self.constant(&number, None, &title)?;
                let sizes = self.list(&title, &sizes(&made.dims))?;
                Ok(self.graph.node(Node::new("Expand", title).inputs([&number, &sizes]))?)
            }
            (Kind::Permute(order), _) => self.permute(&step, &title, order),
            (Kind::Repeat, _) => self.repeat(&step, &title),
            _ => self.broadcast(&step, &title),
        }
    }
}

/// Whether a constant is better made by nodes: a large one that repeats a small one, and a named weight in another order,
/// which would be stored twice.
fn is_worth_nodes(event: &Event, tensor: &Tensor, names: &Names) -> bool {
    let is_large = tensor.elem_count() > MOST_REPEATED;
    match (&event.call.kind, event.inputs.first()) {
        (Kind::Like(_), _) => is_large,
        (Kind::Broadcast | Kind::Repeat, Some(Source::Constant(input, _))) => {
            is_large && input.elem_count() < tensor.elem_count()
        }
        (Kind::Permute(order), Some(Source::Constant(input, _))) => {
            !order.is_sorted() && names.of(input).is_some()
        }
        _ => false,
    }
}

fn sizes(dims: &[usize]) -> Vec<Size> {
    dims.iter().map(|&size| Size::from(size)).collect()
}
