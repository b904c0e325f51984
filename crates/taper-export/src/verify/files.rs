//! What is run before it is written.

use std::borrow::Cow;
use std::path::Path;

use prost::Message;
use rten::{Model, ModelOptions};

use super::{VerifyError, runtime};
use crate::onnx::OnnxModel;
use crate::onnx::external::Split;

/// The bytes of a file, and of the one beside it that has its large constants.
pub(crate) struct Files<'a> {
    pub(super) onnx: Cow<'a, [u8]>,
    /// Its name, and its bytes.
    data: Option<(String, Vec<u8>)>,
}

impl<'a> Files<'a> {
    pub(super) fn one(onnx: &'a [u8]) -> Self {
        Self { onnx: Cow::Borrowed(onnx), data: None }
    }

    /// What [`OnnxModel::write`] writes.
    pub(crate) fn of(model: &OnnxModel, path: &Path, most: usize) -> Result<Self, VerifyError> {
        let Some(split) = Split::of(model, path, most) else {
            return Ok(Self { onnx: Cow::Owned(model.to_bytes()), data: None });
        };
        let mut data = Vec::with_capacity(split.data_len());
        split.write_data(&mut data).map_err(|error| runtime("load", &error))?;
        Ok(Self { onnx: Cow::Owned(split.proto.encode_to_vec()), data: Some((split.location, data)) })
    }

    /// Loads them in the runtime.
    pub(crate) fn load(self) -> Result<Model, rten::LoadError> {
        let mut options = ModelOptions::with_all_ops();
        if let Some((name, data)) = self.data {
            options.external_data(&name, data);
        }
        options.load(self.onnx.into_owned())
    }
}
