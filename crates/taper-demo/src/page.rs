//! [`Page`]: the files of a demo page.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use serde::Serialize;

use crate::runtime::Bytes;
use crate::{DemoError, Network, Runtime, Sample};

/// What the page reads first: the network, and where its files are. It also tells a demo page from other folders.
pub(crate) const DESCRIPTION: &str = "demo.json";
const MODEL: &str = "model.onnx";
const SCRIPT: &str = "onnxruntime/ort.js";
const WASM: &str = "onnxruntime/ort-wasm-simd-threaded.wasm";

const INDEX: &str = include_str!("../page/index.html");

/// The files that are the same for every network, with the names they have in the folder.
const FIXED: [(&str, &str); 8] = [
    ("index.html", INDEX),
    ("demo.css", include_str!("../page/demo.css")),
    ("demo.js", include_str!("../page/demo.js")),
    ("keys.js", include_str!("../page/keys.js")),
    ("network.js", include_str!("../page/network.js")),
    ("pad.js", include_str!("../page/pad.js")),
    ("prepare.js", include_str!("../page/prepare.js")),
    ("onnxruntime/LICENSE.txt", include_str!("../page/onnxruntime-license.txt")),
];

/// What a browser may load for the page, and from where: as `index.html` has it, for servers that send no such header.
pub(crate) fn policy() -> &'static str {
    let rest =
        INDEX.split_once("http-equiv=\"Content-Security-Policy\" content=\"").map_or("", |(_, rest)| rest);
    rest.split('"').next().unwrap_or_default()
}

/// A file of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// Its path below the page's address, without a slash before it.
    pub(crate) path: String,
    pub(crate) content: Content,
}

/// What is in a file of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Text(&'static str),
    Made(String),
    Bytes(Bytes),
    /// The bytes of another file, read when they are asked for.
    File(PathBuf),
}

impl Content {
    /// A reader of the bytes, and how many there are.
    pub(crate) fn open(&self) -> io::Result<(Box<dyn Read + '_>, u64)> {
        let bytes = match self {
            Content::Text(text) => text.as_bytes(),
            Content::Made(text) => text.as_bytes(),
            Content::Bytes(Bytes(bytes)) => bytes,
            Content::File(path) => {
                let file = File::open(path)?;
                let length = file.metadata()?.len();
                return Ok((Box::new(file.take(length)), length));
            }
        };
        Ok((Box::new(bytes), bytes.len() as u64))
    }
}

/// The text of `demo.json`.
#[derive(Serialize)]
struct Description<'a> {
    network: &'a Network,
    /// Path of the ONNX file.
    model: &'static str,
    /// Files of weights beside it: the name that the ONNX file has for each, and its path.
    weights: &'a [Weights],
    samples: &'a [Sample],
    /// Path of the runtime's script; its binary lies beside it.
    runtime: &'static str,
    runtime_version: &'static str,
    taper_version: &'static str,
    /// The paths of all files of the page: what the next one may replace.
    files: Vec<&'a str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Weights {
    name: String,
    path: String,
    #[serde(skip)]
    file: PathBuf,
}

/// A demo page: a fixed list of files, to which the [`Runtime`] comes last. Nothing else is ever served or written.
///
/// ```
/// use taper_demo::{Answer, DemoError, Drawing, Element, Input, Layout, Network, Output, Page, Sample};
///
/// let folder = tempfile::tempdir()?;
/// let file = folder.path().join("stripes.onnx");
/// std::fs::write(&file, "the bytes of an ONNX file")?;
/// let input = Input {
///     name: "image".to_owned(),
///     element: Element::UInt8,
///     layout: Layout::Nchw,
///     channels: 1,
///     height: 2,
///     width: 2,
/// };
/// let network = Network {
///     name: "stripes".to_owned(),
///     input,
///     drawing: Drawing::Picture,
///     output: Output { name: "logits".to_owned(), answer: Answer::Logits },
///     classes: vec!["across".to_owned(), "down".to_owned()],
///     dataset: None,
///     accuracy: None,
/// };
///
/// let page = Page::new(&network, &file)?;
/// let sample = |pixels: &[u8]| Sample { label: "across".to_owned(), pixels: pixels.to_vec() };
/// let page = page.samples(vec![sample(&[255, 255, 0, 0])])?;
/// assert!(matches!(page.clone().samples(vec![sample(&[255])]), Err(DemoError::Network { .. })));
///
/// // Told before the runtime is downloaded: the folder holds other things.
/// assert!(matches!(Page::check_folder(folder.path()), Err(DemoError::Foreign { .. })));
/// Page::check_folder(&folder.path().join("site"))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    network: Network,
    model: PathBuf,
    weights: Vec<Weights>,
    samples: Vec<Sample>,
}

impl Page {
    /// The page of `network`, which the ONNX file `model` is.
    ///
    /// # Errors
    /// [`DemoError::Network`] for a network that it cannot draw for, [`DemoError::Read`] for a file that cannot be read, and
    /// [`DemoError::NoFile`] for what is none.
    pub fn new(network: &Network, model: impl Into<PathBuf>) -> Result<Self, DemoError> {
        network.check()?;
        // The user names this one, and may name a link to it.
        let model = readable(model.into(), |path| fs::metadata(path))?;
        Ok(Self { network: network.clone(), model, weights: Vec::new(), samples: Vec::new() })
    }

    /// With a file of weights beside the ONNX file, which calls it `name`.
    ///
    /// # Errors
    /// [`DemoError::Read`] for a file that cannot be read, [`DemoError::NoFile`] for a link or a folder.
    pub fn weights(mut self, name: &str, file: impl Into<PathBuf>) -> Result<Self, DemoError> {
        // The ONNX file names this one, and the page hands it out: a link could lead to anything.
        let file = readable(file.into(), |path| fs::symlink_metadata(path))?;
        let path = format!("model-{}.data", self.weights.len());
        self.weights.push(Weights { name: name.to_owned(), path, file });
        Ok(self)
    }

    /// With images to try the network on.
    ///
    /// # Errors
    /// [`DemoError::Network`] for an image that has not as many pixels as those of the network.
    pub fn samples(self, samples: Vec<Sample>) -> Result<Self, DemoError> {
        let (height, width) = (self.network.input.height, self.network.input.width);
        match samples.iter().find(|sample| sample.pixels.len() != height * width) {
            None => Ok(Self { samples, ..self }),
            Some(sample) => Err(DemoError::Network {
                problem: format!(
                    "an image to try has {} pixels; give images of {height}×{width}",
                    sample.pixels.len()
                ),
            }),
        }
    }

    /// All files, `demo.json` last: once it is there, the page is whole.
    pub(crate) fn entries(&self, runtime: &Runtime) -> Vec<Entry> {
        let entry = |path: &str, content| Entry { path: path.to_owned(), content };
        let mut entries: Vec<Entry> =
            FIXED.iter().map(|(path, text)| entry(path, Content::Text(text))).collect();
        // Not every server knows the ending .mjs for the script that it is.
        entries.push(entry(SCRIPT, Content::Bytes(runtime.script.clone())));
        entries.push(entry(WASM, Content::Bytes(runtime.wasm.clone())));
        entries.push(entry(MODEL, Content::File(self.model.clone())));
        let weights = self.weights.iter();
        entries.extend(weights.map(|weights| entry(&weights.path, Content::File(weights.file.clone()))));
        let description = self.description(&entries);
        entries.push(entry(DESCRIPTION, Content::Made(description)));
        entries
    }

    fn description(&self, entries: &[Entry]) -> String {
        let paths = entries.iter().map(|entry| entry.path.as_str());
        let description = Description {
            network: &self.network,
            model: MODEL,
            weights: &self.weights,
            samples: &self.samples,
            runtime: SCRIPT,
            runtime_version: Runtime::VERSION,
            taper_version: env!("CARGO_PKG_VERSION"),
            files: paths.chain([DESCRIPTION]).collect(),
        };
        // Strings, numbers and lists always have a JSON form.
        serde_json::to_string(&description).unwrap_or_default() + "\n"
    }
}

/// A file that can be read, by what `look` says of it. Others, a named pipe for example, could keep their reader waiting for
/// ever.
fn readable(
    path: PathBuf,
    look: impl FnOnce(&PathBuf) -> io::Result<fs::Metadata>,
) -> Result<PathBuf, DemoError> {
    match look(&path).and_then(|found| if found.is_file() { File::open(&path).map(Some) } else { Ok(None) }) {
        Ok(Some(_)) => Ok(path),
        Ok(None) => Err(DemoError::NoFile { path }),
        Err(cause) => Err(DemoError::Read { path, cause }),
    }
}
