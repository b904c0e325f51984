//! Weights from a safetensors file as a verified ONNX file, without a run.

use std::path::Path;

use taper_export::export as write_verified;
use taper_export::onnx::Options;
use taper_export::safetensors::{Renames, load_network, load_renamed};
use taper_graph::Graph;
use taper_kernels::philox4x32;
use taper_model::Model;

use super::VERIFIED_IMAGES;
use super::export::{Answers, facts};
use crate::error::Error;
use crate::metrics::ExportMetrics;
use crate::run::{RunFolder, same_file};

/// The most numbers in the images that a file is verified on: 64 MB.
const MOST_PIXELS: usize = 1 << 24;

/// The network that the tensors of a file from elsewhere belong to.
#[derive(Debug, Clone, PartialEq)]
pub struct Foreign {
    /// The network.
    pub graph: Graph,
    /// What it calls the tensors of the file.
    pub renames: Renames,
}

/// Writes the weights of the safetensors file `file` to `path` as an ONNX file that was run on random images in an
/// independent runtime first. The network is the one that Taper wrote into the file, or the one given for it.
///
/// # Errors
/// [`Error`]: a file that cannot be read or is of another network, or an ONNX file that answers otherwise; an earlier
/// file at `path` then stays as it was.
///
/// ```no_run
/// use taper::export::safetensors::{Rename, Renames};
/// use taper::pipeline::{Foreign, export_file};
///
/// // A state dict of PyTorch's, whose module called the first layer otherwise.
/// let graph = taper::graph::Preset::LeNet5.graph()?;
/// let renames = Renames::new(["features.0=conv1".parse::<Rename>()?]);
/// let foreign = Foreign { graph, renames };
/// export_file("theirs.safetensors".as_ref(), Some(&foreign), "lenet5.onnx".as_ref())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_file(file: &Path, foreign: Option<&Foreign>, path: &Path) -> Result<ExportMetrics, Error> {
    let folder = path.parent().map(RunFolder::new);
    if same_file(file, path) || folder.is_some_and(|run| run.owns(path) && run.metrics().is_ok()) {
        return Err(Error::OwnFile { path: path.to_owned() });
    }
    let (graph, weights, metadata) = match foreign {
        Some(Foreign { graph, renames }) => (graph.clone(), load_renamed(file, graph, renames)?, None),
        None => {
            let (weights, metadata) = load_network(file)?;
            (metadata.graph.clone(), weights, Some(metadata))
        }
    };
    let model = Model::from_weights(graph.clone(), &weights)?;
    let answers = Answers::on(&model, random_images(&graph))?;
    let options = metadata.map_or_else(Options::default, |metadata| Options::default().metadata(metadata));
    Ok(facts(write_verified(path, &graph, &weights, &options, &answers.sample())?))
}

/// Images of uniform noise in 0…1, the same each time.
fn random_images(graph: &Graph) -> Vec<f32> {
    let image = graph.input_shape().elements();
    let count = (MOST_PIXELS / image).clamp(1, VERIFIED_IMAGES);
    let words = (0..).flat_map(|place: u64| philox4x32([place as u32, (place >> 32) as u32, 0, 0], [0, 0]));
    words.take(count * image).map(|word| (word >> 8) as f32 / (1 << 24) as f32).collect()
}
