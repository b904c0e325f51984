//! How a graph becomes a file.

use std::fmt;

use crate::metadata::Metadata;

/// Which runtimes the file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Profile {
    /// Ops and forms that every runtime has.
    #[default]
    Portable,
    /// What candle-onnx 0.11 evaluates: it pads no pool and has no `GlobalAveragePool`.
    Candle,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Profile::Portable => "portable",
            Profile::Candle => "candle",
        })
    }
}

/// How a graph becomes a file. [`Options::default`] gives the input `image`, the output `logits`, no metadata and
/// the portable profile.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Options {
    /// The name of the input.
    pub input: String,
    /// The name of the output.
    pub output: String,
    /// The runtimes the file is for.
    pub profile: Profile,
    /// What the file says about the network: becomes its `metadata_props`.
    pub metadata: Option<Metadata>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            input: "image".to_owned(),
            output: "logits".to_owned(),
            profile: Profile::default(),
            metadata: None,
        }
    }
}

impl Options {
    /// With `metadata` written into the file.
    pub fn metadata(self, metadata: Metadata) -> Self {
        Self { metadata: Some(metadata), ..self }
    }

    /// For the runtimes of `profile`.
    pub fn profile(self, profile: Profile) -> Self {
        Self { profile, ..self }
    }
}
