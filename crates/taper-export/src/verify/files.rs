//! What is run before it is kept.

use std::path::{Path, PathBuf};

use prost::Message;
use rten::{LoadError, Model, ModelOptions};

use super::{Interface, VerifyError};
use crate::onnx::OnnxModel;
use crate::onnx::external::Split;

/// A file that is to be verified.
pub(crate) struct Files<'a> {
    pub(super) interface: Interface,
    source: Source<'a>,
}

/// Where its bytes are.
enum Source<'a> {
    Memory(&'a [u8]),
    Disk(PathBuf),
}

impl<'a> Files<'a> {
    /// The bytes of a file.
    pub(super) fn one(onnx: &'a [u8]) -> Result<Self, VerifyError> {
        Ok(Self { interface: Interface::of(onnx)?, source: Source::Memory(onnx) })
    }

    /// A file on the disk that takes and returns what `interface` says; its large constants may lie in another beside it.
    pub(crate) fn at(path: PathBuf, interface: Interface) -> Self {
        Self { interface, source: Source::Disk(path) }
    }

    /// Loads it in the runtime. What is on the disk is read constant by constant, so that nothing is in memory twice.
    pub(super) fn load(&self) -> Result<Model, LoadError> {
        let options = ModelOptions::with_all_ops();
        match &self.source {
            Source::Memory(onnx) => options.load(onnx.to_vec()),
            Source::Disk(path) => options.load_file(path),
        }
    }
}

/// Loads a file that is in memory already: the runtime gets the large constants in one buffer, which it keeps, where it
/// would copy them out of the file's bytes.
pub(crate) fn load(
    model: &OnnxModel,
    options: &mut ModelOptions,
) -> Result<Model, Box<dyn std::error::Error>> {
    let Some(split) = Split::of(model, Path::new("model.onnx"), 0)? else {
        return Ok(options.load(model.to_bytes())?);
    };
    let mut data = Vec::with_capacity(split.data_len());
    split.write_data(&mut data)?;
    options.external_data(&split.location, data);
    Ok(options.load(split.proto.encode_to_vec())?)
}
