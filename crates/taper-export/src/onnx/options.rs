//! How a graph becomes a file.

use super::model::OpsetVersion;
use super::precision::Precision;
use super::profile::Profile;
use crate::metadata::{Metadata, Normalization};

/// What the network's last values become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Head {
    /// Nothing else: the file returns the logits.
    #[default]
    Logits,
    /// Softmax over dimension 1: the file returns probabilities.
    Softmax,
    /// The class of the greatest: the file returns int64 `[N]`. OpenCV 4.12 answers wrongly here, without a word.
    ArgMax,
}

/// The order of the dimensions of an image of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Layout {
    /// Channels first, as in the network.
    #[default]
    Nchw,
    /// Channels last, as in picture files.
    Nhwc,
}

/// Images as bytes: the file itself does what has to be done to a pixel before the network sees it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Pixels {
    /// The order of the dimensions.
    pub layout: Layout,
    /// What becomes of a pixel.
    pub normalization: Normalization,
}

/// How a graph becomes a file. [`Options::default`] gives the input `image`, the output `logits`, float32 throughout,
/// operator set 17, no metadata and no profile: the file is portable unless something is asked for that not every
/// runtime has.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The name of the input.
    pub input: String,
    /// The name of the output.
    pub output: String,
    /// The runtimes the file must run in; `None` takes what the other options ask for. See [`Profile::of`].
    pub profile: Option<Profile>,
    /// What the file says about the network: becomes its `metadata_props`.
    pub metadata: Option<Metadata>,
    /// The operator set, and the version of the file format that goes with it.
    pub opset: OpsetVersion,
    /// What the network's last values become.
    pub head: Head,
    /// Images as bytes, if the file is to normalise them.
    pub pixels: Option<Pixels>,
    /// The element type of weights and values.
    pub precision: Precision,
    /// Text for a human reader.
    pub doc: String,
    /// The most bytes of one file; the large constants of a longer one go into a file of their own.
    pub most_bytes: usize,
}

/// The most bytes that a reader takes in one file: 2 GiB.
pub(super) const MOST_BYTES: usize = i32::MAX as usize;

impl Default for Options {
    fn default() -> Self {
        Self {
            input: "image".to_owned(),
            output: "logits".to_owned(),
            profile: None,
            metadata: None,
            opset: OpsetVersion::default(),
            head: Head::default(),
            pixels: None,
            precision: Precision::default(),
            doc: String::new(),
            most_bytes: MOST_BYTES,
        }
    }
}

impl Options {
    /// Those for the runtimes of `profile`, with the operator set that suits them.
    pub fn for_profile(profile: Profile) -> Self {
        Self::default().profile(profile).opset(profile.opset())
    }

    /// With `metadata` written into the file.
    pub fn metadata(self, metadata: Metadata) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// For the runtimes of `profile`: what they do not take is refused.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile: Some(profile), ..self }
    }

    /// With names for the input and the output.
    pub fn names(self, input: impl Into<String>, output: impl Into<String>) -> Self {
        Self { input: input.into(), output: output.into(), ..self }
    }

    /// With the operators of `opset`.
    pub fn opset(self, opset: OpsetVersion) -> Self {
        Self { opset, ..self }
    }

    /// With `head` at the end.
    pub fn head(self, head: Head) -> Self {
        Self { head, ..self }
    }

    /// With images of bytes as its input.
    pub fn pixels(self, pixels: Pixels) -> Self {
        Self { pixels: Some(pixels), ..self }
    }

    /// With weights, or all values, of another type than float32.
    pub fn precision(self, precision: Precision) -> Self {
        Self { precision, ..self }
    }

    /// With the large constants in a file of their own beside a file that would have more than `most` bytes.
    pub fn most_bytes(self, most: usize) -> Self {
        Self { most_bytes: most.min(MOST_BYTES), ..self }
    }

    /// With a text for a human reader.
    pub fn doc(self, doc: impl Into<String>) -> Self {
        Self { doc: doc.into(), ..self }
    }
}
