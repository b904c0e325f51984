//! Weights as safetensors files, which PyTorch and every other framework read.
//!
//! The header's metadata has exactly one key, `taper`, whose text is sorted JSON: the `safetensors` crate writes
//! several keys in random order. The same weights and metadata always give the same bytes.
//!
//! The tensors bear the names of PyTorch's `state_dict`, in its layout: what [`save`] writes, PyTorch loads with
//! `load_state_dict(load_file(path), strict=True)`, and what PyTorch saved, [`load_weights`] loads.
//!
//! ```
//! use std::collections::BTreeMap;
//! use taper_export::{DatasetInfo, Metadata, safetensors};
//! use taper_graph::{Array, Graph, Linear, Op, Weights};
//!
//! let graph = Graph::sequential("tiny", &[2], [Op::Linear(Linear { out_features: 1, bias: false })])?;
//! let weight = Array { shape: vec![1, 2], data: vec![0.5, -0.5] };
//! let weights = Weights::new(&graph, BTreeMap::from([("0.weight".to_owned(), weight)]))?;
//! let metadata = Metadata::new(graph.clone(), DatasetInfo::default(), vec!["positive".to_owned()]);
//!
//! let folder = tempfile::tempdir()?;
//! let path = folder.path().join("model.safetensors");
//! safetensors::save(&path, &weights, &metadata)?;
//! assert_eq!(safetensors::load_weights(&path, &graph)?, weights);
//! assert_eq!(safetensors::load(&path)?.metadata, Some(metadata));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod renames;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use ::safetensors::tensor::{Dtype, SafeTensorError, SafeTensors, View, serialize};
use taper_files::{WriteError, write_atomic};
use taper_graph::{Array, Graph, Weights, WeightsError};

use crate::metadata::Metadata;
pub use renames::{BadRename, Rename, RenameError, Renames};

/// The one key of the header's metadata.
const KEY: &str = "taper";

/// How many batches a batch norm of PyTorch has seen: a whole number that nothing reads when its momentum is given.
const COUNTER: &str = "num_batches_tracked";

/// Why a safetensors file cannot be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SafetensorsError {
    /// It cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Its header cannot be made.
    #[error(
        "the weights have no safetensors form: {cause}; use a network with fewer layers or a smaller graph text"
    )]
    Encode {
        /// What the `safetensors` crate said.
        cause: String,
    },
    /// It cannot be read from the disk.
    #[error("cannot read {}: {cause}; check the path", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        cause: std::io::Error,
    },
    /// It is empty, cut short, or something else.
    #[error("{} is no whole safetensors file: {cause}; copy or train it again", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A tensor in it is not of 32-bit floats.
    #[error("tensor `{tensor}` of {} is {found}; save it as F32 (in PyTorch: `tensor.float()`)", path.display())]
    ElementType {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// Its element type, as the format names it.
        found: String,
    },
    /// The text under `taper` is not what Taper writes there.
    #[error("the metadata `{KEY}` in the header of {}: {cause}; train again, or update Taper", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// It does not say which network its weights are of.
    #[error("the header of {} has no metadata `{KEY}`: Taper did not write it; say which network it is", path.display())]
    NoMetadata {
        /// The file.
        path: PathBuf,
    },
    /// It holds the weights of another network.
    #[error("{}: {cause}; give the network that belongs to the file, or say how its tensors are called there", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// What is missing, unexpected or of the wrong shape.
        cause: WeightsError,
    },
    /// Its tensors cannot be renamed as asked.
    #[error("{}: {cause}", path.display())]
    Rename {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: RenameError,
    },
}

/// What a safetensors file holds.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Loaded {
    /// The tensors by name.
    pub arrays: BTreeMap<String, Array>,
    /// What Taper wrote in the header; `None` in a file from elsewhere.
    pub metadata: Option<Metadata>,
}

/// Writes `weights` and `metadata` to `path`, whole or not at all.
///
/// # Errors
/// [`SafetensorsError::Write`] if the disk refuses.
pub fn save(path: &Path, weights: &Weights, metadata: &Metadata) -> Result<(), SafetensorsError> {
    let bytes = to_bytes(weights, metadata)?;
    Ok(write_atomic(path, |file| file.write_all(&bytes))?)
}

/// The bytes of a safetensors file.
///
/// # Errors
/// [`SafetensorsError::Encode`] if the header would exceed the format's 100 MB.
pub fn to_bytes(weights: &Weights, metadata: &Metadata) -> Result<Vec<u8>, SafetensorsError> {
    let encode = |cause: String| SafetensorsError::Encode { cause };
    let text = serde_json::to_string(metadata).map_err(|error| encode(error.to_string()))?;
    #[expect(clippy::disallowed_types, reason = "what `serialize` takes; one key has no order")]
    let header = std::collections::HashMap::from([(KEY.to_owned(), text)]);
    let tensors = weights.iter().map(|(name, array)| (name, ArrayView(array)));
    serialize(tensors, Some(header)).map_err(|error| encode(error.to_string()))
}

/// Reads all tensors of a file, whoever wrote it, but for the counters `num_batches_tracked` of PyTorch's batch norms.
///
/// # Errors
/// [`SafetensorsError`] naming the file: unreadable, not whole, or with tensors that are not f32.
pub fn load(path: &Path) -> Result<Loaded, SafetensorsError> {
    let bytes = taper_files::read_regular(path)
        .map_err(|cause| SafetensorsError::Read { path: path.to_owned(), cause })?;
    let format = |cause: String| SafetensorsError::Format { path: path.to_owned(), cause };
    if bytes.is_empty() {
        return Err(format("it is empty".to_owned()));
    }
    let tensors = SafeTensors::deserialize(&bytes).map_err(|error| format(explain(&error)))?;
    let mut arrays = BTreeMap::new();
    for (name, view) in tensors.iter() {
        if view.dtype() == Dtype::I64 && name.rsplit('.').next() == Some(COUNTER) {
            continue;
        }
        if view.dtype() != Dtype::F32 {
            return Err(SafetensorsError::ElementType {
                path: path.to_owned(),
                tensor: name.to_owned(),
                found: format!("{:?}", view.dtype()),
            });
        }
        let data = view.data().as_chunks::<4>().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        arrays.insert(name.to_owned(), Array { shape: view.shape().to_vec(), data });
    }
    Ok(Loaded { arrays, metadata: read_metadata(path, &bytes)? })
}

/// Reads the weights of `graph`.
///
/// # Errors
/// Those of [`load`]; [`SafetensorsError::Weights`] lists all that is missing, unexpected or of the wrong shape.
pub fn load_weights(path: &Path, graph: &Graph) -> Result<Weights, SafetensorsError> {
    load_renamed(path, graph, &Renames::default())
}

/// Reads the weights of `graph` from a file that has other names for them.
///
/// # Errors
/// Those of [`load_weights`], and [`SafetensorsError::Rename`].
///
/// ```no_run
/// use taper_export::safetensors::{Rename, Renames, load_renamed};
/// // What `save_file(model.state_dict(), "theirs.safetensors")` of safetensors.torch wrote.
/// let graph = taper_graph::Preset::LeNet5.graph()?;
/// let renames = Renames::new(["features.0=conv1".parse::<Rename>()?, "classifier=fc3".parse()?]);
/// let weights = load_renamed("theirs.safetensors".as_ref(), &graph, &renames)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn load_renamed(path: &Path, graph: &Graph, renames: &Renames) -> Result<Weights, SafetensorsError> {
    let arrays = renames.apply(load(path)?.arrays);
    fit(path, graph, arrays.map_err(|cause| SafetensorsError::Rename { path: path.to_owned(), cause })?)
}

/// Reads a file that Taper wrote: the weights, and the metadata with the network they are of.
///
/// # Errors
/// Those of [`load_weights`], and [`SafetensorsError::NoMetadata`] for a file from elsewhere.
pub fn load_network(path: &Path) -> Result<(Weights, Metadata), SafetensorsError> {
    let loaded = load(path)?;
    let metadata = loaded.metadata.ok_or_else(|| SafetensorsError::NoMetadata { path: path.to_owned() })?;
    Ok((fit(path, &metadata.graph, loaded.arrays)?, metadata))
}

fn fit(path: &Path, graph: &Graph, arrays: BTreeMap<String, Array>) -> Result<Weights, SafetensorsError> {
    Weights::new(graph, arrays).map_err(|cause| SafetensorsError::Weights { path: path.to_owned(), cause })
}

fn read_metadata(path: &Path, bytes: &[u8]) -> Result<Option<Metadata>, SafetensorsError> {
    let fail = |cause: String| SafetensorsError::Metadata { path: path.to_owned(), cause };
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|error| fail(explain(&error)))?;
    let Some(text) = header.metadata().as_ref().and_then(|entries| entries.get(KEY)) else {
        return Ok(None);
    };
    serde_json::from_str(text).map(Some).map_err(|error| fail(error.to_string()))
}

/// What the format's own errors mean for the file.
fn explain(error: &SafeTensorError) -> String {
    match error {
        SafeTensorError::HeaderTooSmall
        | SafeTensorError::InvalidHeaderLength
        | SafeTensorError::MetadataIncompleteBuffer => "it is cut short".to_owned(),
        SafeTensorError::HeaderTooLarge => "its first 8 bytes are no header length".to_owned(),
        other => other.to_string(),
    }
}

/// An [`Array`] as the `safetensors` crate wants to see it.
struct ArrayView<'a>(&'a Array);

impl View for ArrayView<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.data.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        self.0.data.len() * size_of::<f32>()
    }
}
