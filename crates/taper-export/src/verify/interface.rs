//! What a file takes and returns.

use rten::{Model, TryFromValueError, Value, ValueOrView};
use rten_tensor::Tensor;
use rten_tensor::prelude::*;

use super::{Sample, VerifyError, runtime};
use crate::onnx::proto::ValueInfoProto;
use crate::onnx::{DataType, Dim, OnnxModel, ValueInfo, inspect, value_info};

/// The one input and one output that a file declares.
pub(crate) struct Interface {
    pub(crate) input: ValueInfo,
    output: ValueInfo,
}

impl Interface {
    /// The numbers of one image.
    pub(crate) fn image_size(&self) -> usize {
        elements(&self.input).unwrap_or(0)
    }

    /// That of the bytes of a file.
    pub(super) fn of(onnx: &[u8]) -> Result<Self, VerifyError> {
        let file = inspect(onnx)?;
        Self::between(&file.inputs, &file.outputs)
    }

    /// That of a file of Taper's, whose constants are no inputs.
    pub(crate) fn of_model(model: &OnnxModel) -> Result<Self, VerifyError> {
        let list = |values: &[ValueInfoProto]| values.iter().map(value_info).collect::<Vec<_>>();
        let graph = model.proto().graph.as_ref();
        let [inputs, outputs] = graph.map_or_else(Default::default, |it| [list(&it.input), list(&it.output)]);
        Self::between(&inputs, &outputs)
    }

    fn between(inputs: &[ValueInfo], outputs: &[ValueInfo]) -> Result<Self, VerifyError> {
        match (inputs, outputs) {
            ([input], [output]) if elements(input).is_some() && elements(output).is_some() => {
                Ok(Self { input: input.clone(), output: output.clone() })
            }
            (inputs, outputs) => {
                let list = |values: &[ValueInfo]| {
                    let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
                    if values.is_empty() { "nothing".to_owned() } else { values.join(" and ") }
                };
                Err(VerifyError::Interface { inputs: list(inputs), outputs: list(outputs) })
            }
        }
    }

    /// Whether it answers with the class of each image, a whole number.
    pub(super) fn names_classes(&self) -> bool {
        self.output.data_type == Some(DataType::Int64) && elements(&self.output) == Some(1)
    }

    pub(super) fn check(&self, sample: &Sample<'_>) -> Result<(), VerifyError> {
        if sample.count == 0 {
            return Err(VerifyError::NoImages);
        }
        let parts = [("images", sample.images, &self.input), ("logits", sample.logits, &self.output)];
        for (what, numbers, value) in parts {
            let expected = elements(value).unwrap_or(0).saturating_mul(sample.count);
            if numbers.len() != expected {
                let (found, count) = (numbers.len(), sample.count);
                return Err(VerifyError::Sample { what, found, count, value: value.to_string(), expected });
            }
        }
        Ok(())
    }

    /// What the file returns for the images from `start` to `end`.
    pub(super) fn run(
        &self,
        model: &Model,
        sample: &Sample<'_>,
        start: usize,
        end: usize,
    ) -> Result<Vec<f32>, VerifyError> {
        let count = end - start;
        let image = sample.images.len() / sample.count;
        let images = given(&self.input, count, &sample.images[start * image..end * image]);
        let output = model.run_one(images, None).map_err(|error| runtime("run", &error))?;
        let output = numbers(output).map_err(|error| runtime("run", &error))?;
        let expected = batch_of(&self.output, count);
        if output.shape() != expected {
            let cause = format!("for {count} images it returns {:?} instead of {expected:?}", output.shape());
            return Err(VerifyError::Runtime { step: "run", cause });
        }
        Ok(output.to_vec())
    }
}

/// `count` images for a declared input, which takes bytes or numbers.
pub(crate) fn given(input: &ValueInfo, count: usize, images: &[f32]) -> ValueOrView<'static> {
    let shape = batch_of(input, count);
    match input.data_type {
        Some(DataType::UInt8) => {
            let bytes: Vec<u8> = images.iter().map(|&number| number as u8).collect();
            Tensor::from_data(&shape, bytes).into()
        }
        _ => Tensor::from_data(&shape, images.to_vec()).into(),
    }
}

/// What was computed, as numbers.
pub(crate) fn numbers(value: Value) -> Result<Tensor<f32>, TryFromValueError> {
    match value {
        Value::Int32Tensor(classes) => Ok(classes.map(|&class| class as f32)),
        other => other.try_into(),
    }
}

/// The number of elements of one item of a declared value; `None` if it is anything but a batch of numbers that f32
/// can hold.
fn elements(value: &ValueInfo) -> Option<usize> {
    let (
        Some(DataType::Float32 | DataType::Float16 | DataType::UInt8 | DataType::Int64),
        Some([_, item @ ..]),
    ) = (value.data_type, value.dims.as_deref())
    else {
        return None;
    };
    item.iter().try_fold(1usize, |product, dim| match dim {
        Dim::Fixed(size) if *size > 0 => product.checked_mul(*size),
        _ => None,
    })
}

/// The sizes of a batch of `count` of a declared value.
fn batch_of(value: &ValueInfo, count: usize) -> Vec<usize> {
    let size = |dim: &Dim| if let Dim::Fixed(size) = dim { *size } else { 0 };
    let item = value.dims.iter().flatten().skip(1).map(size);
    std::iter::once(count).chain(item).collect()
}
