//! The demo page of a network: what it has to know is read from the ONNX file itself.

mod network;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use taper_data::synthetic::{Part, digits};
use taper_data::{Choice, DataError, Dataset, load};
use taper_demo::{Input, Network, Page, Sample};
use taper_export::onnx::{Inspection, inspect_file};

use crate::config::DataConfig;
use crate::error::Error;
use crate::run::RunFolder;
use network::network;

/// Images of each class to try the network on.
const SAMPLES: usize = 2;
/// Synthetic digits among which these are found.
const SYNTHETIC: usize = 400;

/// The page on which one draws and the ONNX file `file` answers. All that can be wrong with the file is told here, before the
/// runtime of the page is got.
///
/// The file may be of any origin: it takes a batch of grey or colour images, as floats or bytes, and answers with logits
/// or probabilities. Where it has Taper's metadata, these give the names of the classes and the range of the pixels;
/// otherwise the classes are numbered, and pixels go from 0 to 1. `samples` are images to try it on; without them, a network
/// for digits of MNIST's size gets synthetic ones.
///
/// # Errors
/// [`Error::NoDemo`] for a file that the page cannot use, and for samples that are not as large as its images or have more
/// classes; others for files that cannot be read.
///
/// ```no_run
/// use taper::demo::{Runtime, RuntimeOptions, Server};
/// use taper::pipeline;
///
/// let page = pipeline::demo("lenet5.onnx".as_ref(), None)?;
/// let server = Server::bind(None)?;
/// let runtime = Runtime::get(&RuntimeOptions::from_env(), &mut |_| ())?;
/// server.run(&page, &runtime);
/// # #[allow(unreachable_code)]
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn demo(file: &Path, samples: Option<&Dataset>) -> Result<Page, Error> {
    let inspection = inspect_file(file)?;
    let refuse = |problem: String| Error::NoDemo { path: file.to_owned(), problem };
    let network = network(&inspection).map_err(refuse)?;
    let mut page = Page::new(&network, file)?;
    for (name, bytes) in weights(&inspection).map_err(refuse)? {
        let path = file.with_file_name(name);
        page = page.weights(name, &path)?;
        let found = path.metadata().map_err(|cause| Error::Read { path: path.clone(), cause })?.len();
        if found < bytes {
            return Err(refuse(format!(
                "its weights need {bytes} bytes of {name}, which has {found}; put the whole file there"
            )));
        }
    }
    let samples = match samples {
        Some(samples) if fits(samples, &network) => choose(samples, &network)?,
        Some(samples) => return Err(refuse(other_images(samples, &network))),
        None => Some(digits(SYNTHETIC, 0, Part::Test))
            .filter(|digits| fits(digits, &network) && digits.class_names == network.classes)
            .map(|digits| choose(&digits, &network))
            .transpose()?
            .unwrap_or_default(),
    };
    Ok(page.samples(samples)?)
}

/// The files of weights beside an ONNX file, and how many bytes each must have.
fn weights(file: &Inspection) -> Result<BTreeMap<&str, u64>, String> {
    let mut least = BTreeMap::new();
    for constant in &file.constants {
        let Some(name) = constant.file.as_deref() else { continue };
        // A path could lead anywhere, and the page would hand out what lies there; nor are hidden files weights.
        if Path::new(name).file_name().is_none_or(|only| only != name) || name.starts_with('.') {
            return Err(format!(
                "its weights lie in {name:?}; put them into the same folder, under a plain name"
            ));
        }
        let end = constant.offset.saturating_add(constant.bytes.unwrap_or(0));
        let least: &mut u64 = least.entry(name).or_default();
        *least = end.max(*least);
    }
    Ok(least)
}

/// Images to try a network on, or why there are none.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DemoSamples {
    /// Test images.
    Found(Dataset),
    /// The page shows grey images only, and the network takes others.
    Colour,
    /// The data of the run are not on this machine, or damaged; the text says what is wrong.
    Missing(String),
    /// Nobody knows of any: a file alone, without a run.
    Unknown,
}

impl DemoSamples {
    /// The images, if there are any.
    #[must_use]
    pub fn images(&self) -> Option<&Dataset> {
        match self {
            Self::Found(images) => Some(images),
            _ => None,
        }
    }
}

/// Images to try the network of a run on: test images of the data in `data_dir`, or else of those that the run was trained on,
/// if they are on this machine. Nothing is downloaded for them, and the page does without those of the run.
///
/// # Errors
/// [`Error`] for a run that cannot be read, and for data in `data_dir` that are not there or damaged.
///
/// ```no_run
/// use taper::pipeline;
///
/// let samples = pipeline::demo_samples(None, Some("data/mnist".into()))?;
/// let page = pipeline::demo("lenet5.onnx".as_ref(), samples.images())?;
/// # Ok::<(), taper::Error>(())
/// ```
pub fn demo_samples(run: Option<&RunFolder>, data_dir: Option<PathBuf>) -> Result<DemoSamples, Error> {
    let is_asked_for = data_dir.is_some();
    let mut config = match run {
        Some(run) => run.config()?.data,
        None if is_asked_for => DataConfig::default(),
        None => return Ok(DemoSamples::Unknown),
    };
    if let Some(run) = run
        && !is_asked_for
    {
        if run.metrics()?.dataset.source.starts_with("synthetic:") {
            return Ok(DemoSamples::Found(digits(SYNTHETIC, config.synthetic_seed, Part::Test)));
        }
        // Before the data are read: they may be large.
        if run.network()?.1.graph.input_shape().item()[0] != 1 {
            return Ok(DemoSamples::Colour);
        }
    }
    config.data_dir = data_dir.or(config.data_dir);
    // Never the synthetic digits in the place of data that are missing.
    if matches!(config.dataset, Choice::Auto | Choice::Synthetic) {
        config.dataset = Choice::Mnist;
    }
    let mut options = config.load_options();
    options.hub.offline = true;
    match load(&options, &mut |_| ()) {
        Ok(loaded) => Ok(DemoSamples::Found(loaded.test)),
        Err(error) if is_asked_for => Err(error.into()),
        Err(error) => Ok(DemoSamples::Missing(error.to_string())),
    }
}

/// Whether images are as large as those of the network, and of no more classes.
fn fits(samples: &Dataset, network: &Network) -> bool {
    let Input { height, width, .. } = network.input;
    let images = &samples.images;
    [images.channels(), images.height(), images.width()] == [1, height, width]
        && samples.class_names.len() <= network.classes.len()
}

/// Why samples are refused.
fn other_images(samples: &Dataset, network: &Network) -> String {
    let (images, input) = (&samples.images, &network.input);
    format!(
        "the images to try have {}×{} pixels in {} classes, but it takes {}×{} and tells {} classes apart; give others with \
         --data-dir, or none",
        images.height(),
        images.width(),
        samples.class_names.len(),
        input.height,
        input.width,
        network.classes.len()
    )
}

/// The first image of every class, then the second of every class.
fn choose(dataset: &Dataset, network: &Network) -> Result<Vec<Sample>, Error> {
    let places =
        |class: usize| (0..dataset.len()).filter(move |&place| usize::from(dataset.labels[place]) == class);
    let nth = |nth: usize| {
        network.classes.iter().enumerate().filter_map(move |(class, name)| {
            let place = places(class).nth(nth)?;
            let image = dataset.images.image(place);
            Some(image.map(|image| Sample { label: name.clone(), pixels: image.into_owned() }))
        })
    };
    let samples = (0..SAMPLES).flat_map(nth).collect::<Result<_, _>>();
    Ok(samples.map_err(DataError::from)?)
}
