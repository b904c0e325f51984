//! Weights from a safetensors file as a verified ONNX file, without a run.

use std::path::Path;

use taper_export::safetensors::{Renames, load_network, load_renamed};
use taper_graph::Graph;
use taper_kernels::philox4x32;
use taper_model::Model;

use super::export::described;
use super::form::{Answers, Form, Network};
use super::{Data, VERIFIED_IMAGES};
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
/// independent runtime first. The network is the one that Taper wrote into the file, or the one given for it. Taper's
/// own file also says what becomes of bytes, whatever `form` has.
///
/// In int8, the file is calibrated on the training images of `data` and run on its test images; otherwise there need be
/// none. Weights from elsewhere do not say what became of bytes in training: then `form` has to.
///
/// # Errors
/// [`Error`]: a file that cannot be read or is of another network, a form that cannot be had, or an ONNX file that
/// answers otherwise; an earlier file at `path` then stays as it was.
///
/// ```no_run
/// use taper::export::safetensors::{Rename, Renames};
/// use taper::pipeline::{Foreign, Form, export_file};
///
/// // A state dict of PyTorch's, whose module called the first layer otherwise.
/// let graph = taper::graph::Preset::LeNet5.graph()?;
/// let renames = Renames::new(["features.0=conv1".parse::<Rename>()?]);
/// let foreign = Foreign { graph, renames };
/// let (from, to) = ("theirs.safetensors".as_ref(), "lenet5.onnx".as_ref());
/// export_file(from, Some(&foreign), to, &Form::default(), None)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn export_file(
    file: &Path,
    foreign: Option<&Foreign>,
    path: &Path,
    form: &Form,
    data: Option<&Data>,
) -> Result<ExportMetrics, Error> {
    let folder = path.parent().map(RunFolder::new);
    if same_file(file, path) || folder.is_some_and(|run| run.owns(path) && run.metrics().is_ok()) {
        return Err(Error::OwnFile { path: path.to_owned() });
    }
    let (graph, weights, form) = match foreign {
        // In another range, int8 would cut off what lies beyond it, and be verified on the same wrong images.
        Some(_) if form.int8.is_some() && form.known().is_none() => {
            return Err(Error::NoRange { path: path.to_owned() });
        }
        Some(Foreign { graph, renames }) => {
            (graph.clone(), load_renamed(file, graph, renames)?, form.clone())
        }
        None => {
            let (weights, metadata) = load_network(file)?;
            (metadata.graph.clone(), weights, described(form, metadata))
        }
    };
    let model = Model::from_weights(graph.clone(), &weights)?;
    let answers = match data.filter(|_| form.int8.is_some()) {
        Some(data) => {
            check_images(&graph, data)?;
            let count = form.verified(graph.input_shape().elements());
            Answers::of(&model, data, count, form.range())?
        }
        None => {
            let is_bytes = form.options.pixels.is_some();
            Answers::on(&model, random_images(&graph, is_bytes.then(|| form.range())))?
        }
    };
    Network { graph: &graph, weights: &weights, answers: &answers }.write(path, &form, data)
}

/// Proves that the images are as large as those that the network takes.
fn check_images(graph: &Graph, data: &Data) -> Result<(), Error> {
    let of = &data.test.images;
    let images = [of.channels(), of.height(), of.width()];
    if graph.input_shape().item() == images {
        return Ok(());
    }
    let (name, input) = (data.provenance.name.clone(), graph.input_shape().to_string());
    Err(Error::OtherImages { name, images, input })
}

/// Images of uniform noise, the same each time: in 0…1, or what bytes become.
fn random_images(graph: &Graph, bytes: Option<[f32; 2]>) -> Vec<f32> {
    let image = graph.input_shape().elements();
    let count = (MOST_PIXELS / image).clamp(1, VERIFIED_IMAGES);
    let words = (0..).flat_map(|place: u64| philox4x32([place as u32, (place >> 32) as u32, 0, 0], [0, 0]));
    let number = |word: u32| match bytes {
        Some([low, high]) => low + (word >> 24) as f32 / 255.0 * (high - low),
        None => (word >> 8) as f32 / (1 << 24) as f32,
    };
    words.take(count * image).map(number).collect()
}
