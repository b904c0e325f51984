//! A checkpoint as the bytes of a safetensors file.

use std::borrow::Cow;
use std::collections::BTreeMap;

use safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View, serialize};
use serde::{Deserialize, Serialize};
use taper_graph::{Array, Graph, Weights};
use taper_model::TrainerState;

use super::Checkpoint;
use crate::history::History;
use crate::timing::EpochTiming;

/// The one key of the header's metadata: the `safetensors` crate writes several in random order.
const KEY: &str = "taper";

/// The version of what stands under [`KEY`]. In the first, losses of validation were without label smoothing.
const FORMAT: u32 = 2;

/// What the tensors of a checkpoint are.
const WEIGHTS: &str = "weights";
const FIRST: &str = "first";
const SECOND: &str = "second";
const AVERAGE: &str = "average";
const BEST: &str = "best";

/// What is no tensor. Numbers are written with as many digits as it takes to read back the very same.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    format: u32,
    step: u64,
    settings: BTreeMap<String, String>,
    timings: Vec<EpochTiming>,
    history: History,
}

/// An array on its way into a file.
struct Floats<'a>(&'a Array);

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.data.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of::<f32>() * self.0.data.len()
    }
}

fn named(arrays: &BTreeMap<String, Array>) -> impl Iterator<Item = (&str, &Array)> {
    arrays.iter().map(|(name, array)| (name.as_str(), array))
}

/// The bytes of a checkpoint of a run with these settings.
pub(super) fn to_bytes(
    checkpoint: &Checkpoint,
    settings: &BTreeMap<String, String>,
) -> Result<Vec<u8>, String> {
    let Checkpoint { trainer, history, best, timings } = checkpoint;
    let header = Header {
        format: FORMAT,
        step: trainer.step,
        settings: settings.clone(),
        timings: timings.clone(),
        history: history.clone(),
    };
    let header = serde_json::to_string(&header).map_err(|error| error.to_string())?;
    let [first, second] = &trainer.moments;
    let tensors = (trainer.weights.iter().map(|array| (WEIGHTS, array)))
        .chain(named(first).map(|array| (FIRST, array)))
        .chain(named(second).map(|array| (SECOND, array)))
        .chain(named(&trainer.average).map(|array| (AVERAGE, array)))
        .chain(best.iter().flat_map(Weights::iter).map(|array| (BEST, array)))
        .map(|(part, (name, array))| (format!("{part}/{name}"), Floats(array)));
    let metadata = std::iter::once((KEY.to_owned(), header)).collect();
    serialize(tensors, Some(metadata)).map_err(|error: SafeTensorError| error.to_string())
}

/// A file whose header was read: whose it is can be told before its tensors are looked at.
pub(super) struct Opened<'a> {
    header: Header,
    file: SafeTensors<'a>,
}

/// Reads the header.
pub(super) fn open(bytes: &[u8]) -> Result<Opened<'_>, String> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| error.to_string())?;
    let header = metadata.metadata().as_ref().and_then(|all| all.get(KEY));
    let header = header.ok_or_else(|| format!("its header has no metadata `{KEY}`"))?;
    let header: Header =
        serde_json::from_str(header).map_err(|error| format!("the metadata `{KEY}`: {error}"))?;
    if header.format != FORMAT {
        return Err(format!("it is of format {}, and this Taper reads {FORMAT}", header.format));
    }
    let file = SafeTensors::deserialize(bytes).map_err(|error| error.to_string())?;
    Ok(Opened { header, file })
}

impl Opened<'_> {
    /// The settings of its run.
    pub(super) fn settings(&self) -> &BTreeMap<String, String> {
        &self.header.settings
    }

    /// What it holds, which must be of this network.
    pub(super) fn checkpoint(self, graph: &Graph) -> Result<Checkpoint, String> {
        let Header { step, timings, history, .. } = self.header;
        let mut parts = parts(&self.file)?;
        let mut part = |name| parts.remove(name).unwrap_or_default();
        let weights = Weights::new(graph, part(WEIGHTS)).map_err(|error| error.to_string())?;
        let (moments, average) = ([part(FIRST), part(SECOND)], part(AVERAGE));
        let best = match part(BEST) {
            best if best.is_empty() => None,
            best => Some(Weights::new(graph, best).map_err(|error| error.to_string())?),
        };
        if let Some(part) = parts.keys().next() {
            return Err(format!("it has tensors of `{part}`"));
        }
        let trainer = TrainerState { step, weights, moments, average };
        Ok(Checkpoint { trainer, history, best, timings })
    }
}

/// The tensors by what they are, and then by their names.
fn parts(file: &SafeTensors<'_>) -> Result<BTreeMap<String, BTreeMap<String, Array>>, String> {
    let mut parts: BTreeMap<String, BTreeMap<String, Array>> = BTreeMap::new();
    for (full, view) in file.iter() {
        let known = full.split_once('/').filter(|_| view.dtype() == Dtype::F32);
        let Some((part, name)) = known else { return Err(format!("it has a tensor `{full}`")) };
        let numbers = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes));
        let array = Array { shape: view.shape().to_vec(), data: numbers.collect() };
        parts.entry(part.to_owned()).or_default().insert(name.to_owned(), array);
    }
    Ok(parts)
}
